"""The connection phase as a server: our side towards a client, over the table in phase.py."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from rwrouter.errors import (
    AccessDenied,
    AuthNotSupported,
    HandshakeError,
    InsecureTransport,
    RouterError,
)
from rwrouter.model import Flavor, Greeting
from rwrouter.protocol import auth, flags, packets
from rwrouter.protocol.auth import CACHING, CLEAR, NATIVE, SHA256, RsaKey, Secret, Verifier
from rwrouter.protocol.framing import Packet
from rwrouter.protocol.packets import HandshakeResponse, HandshakeV10
from rwrouter.protocol.phase import (
    CLIENT_SPEAKS,
    FAST_AUTH_OK,
    FULL_AUTH_DUE,
    KEY_WANTED,
    MAX_PACKET,
    OWN,
    Broken,
    Handshake,
    Login,
    StartTls,
    State,
    Step,
)
from rwrouter.protocol.wire import Malformed

SUPPORTED: Final = (  # capabilities that are offered to clients where the servers have them
    OWN
    | flags.CLIENT_LONG_PASSWORD
    | flags.CLIENT_FOUND_ROWS
    | flags.CLIENT_LONG_FLAG
    | flags.CLIENT_NO_SCHEMA
    | flags.CLIENT_ODBC
    | flags.CLIENT_LOCAL_FILES
    | flags.CLIENT_IGNORE_SPACE
    | flags.CLIENT_INTERACTIVE
    | flags.CLIENT_IGNORE_SIGPIPE
    | flags.CLIENT_TRANSACTIONS
    | flags.CLIENT_RESERVED
    | flags.CLIENT_MULTI_STATEMENTS
    | flags.CLIENT_MULTI_RESULTS
    | flags.CLIENT_PS_MULTI_RESULTS
    | flags.CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS
    | flags.CLIENT_SESSION_TRACK
    | flags.CLIENT_DEPRECATE_EOF
    | flags.CLIENT_OPTIONAL_RESULTSET_METADATA
    | flags.CLIENT_QUERY_ATTRIBUTES
)
MARIADB: Final = (  # what every MariaDB has since 10.5
    flags.MARIADB_CLIENT_PROGRESS
    | flags.MARIADB_CLIENT_STMT_BULK_OPERATIONS
    | flags.MARIADB_CLIENT_EXTENDED_METADATA
)
"""MariaDB's extended capabilities that are offered. Not CACHE_METADATA: a server leaves out the definitions that it has
sent before, and the next execution may be answered by a replica whose table is still of another shape."""
COMPRESSED: Final = flags.CLIENT_COMPRESS | flags.CLIENT_ZSTD


class ServerHandshake(Handshake):
    """Our side towards a client: greets, finds out who it is, waits for the verdict.

    *scramble*: 20 bytes, none of them NUL. *verifier* tells what is known of a user. A client whose fast
    proof can't be checked, or is wrong where the password may have changed, is asked for its password: over
    TLS, or encrypted for *rsa*. *client_host* is what "Access denied" shows.
    """

    _turn = CLIENT_SPEAKS
    _breach = HandshakeError

    def __init__(
        self,
        greeting: Greeting,
        connection_id: int,
        scramble: bytes,
        *,
        tls_available: bool,
        tls_required: bool,
        verifier: Callable[[str], Verifier | None],
        rsa: RsaKey | None,
        default_plugin: str = CACHING,
        max_packet: int = MAX_PACKET,
        compression: bool = False,
        on_secure_transport: bool = False,
        client_host: str = "localhost",
        status: int = flags.SERVER_STATUS_AUTOCOMMIT,
    ) -> None:
        super().__init__(State.START, max_packet, is_secure=on_secure_transport)
        self._tls_required = tls_required
        self._verifier_of = verifier
        self._rsa = rsa
        self._scramble = scramble
        self._plugin = default_plugin  # the one whose proof is due
        self._client_host = client_host
        self._has_switched = False
        self._login: Login | None = None
        self._is_fast = False  # the login was proved by a fast proof of caching_sha2_password
        self._response: HandshakeResponse | None = None
        self._verifier: Verifier | None = None
        self._offered = offered_capabilities(greeting, tls_available=tls_available, compression=compression)
        self._send(
            Step.GREETING,
            packets.build_greeting(
                HandshakeV10(
                    greeting.version,
                    connection_id,
                    scramble,
                    self._offered,
                    greeting.collation,
                    status,
                    plugin=default_plugin,
                    flavor=greeting.flavor,
                )
            ),
        )

    @classmethod
    def for_change_user(
        cls,
        capabilities: int,
        scramble: bytes,
        *,
        verifier: Callable[[str], Verifier | None],
        rsa: RsaKey | None,
        is_secure: bool,
        client_host: str = "localhost",
        max_packet: int = MAX_PACKET,
    ) -> "ServerHandshake":
        """Return a machine that expects the packet of COM_CHANGE_USER from a client that is logged in.

        *capabilities*: as agreed at login. *scramble*: a fresh one; a client that knows no auth switch (no
        CLIENT_PLUGIN_AUTH) uses that of the greeting, which must be given again then.
        """
        greeting = Greeting("", packets.DEFAULT_COLLATION, capabilities)
        machine = cls(
            greeting,
            0,
            scramble,
            tls_available=False,
            tls_required=False,
            verifier=verifier,
            rsa=rsa,
            max_packet=max_packet,
            on_secure_transport=is_secure,
            client_host=client_host,
        )
        machine.data_to_send()  # no greeting in mid-session
        machine._offered = capabilities
        machine._sequence_id = 0
        machine.state = State.COMMAND
        return machine

    def tls_started(self) -> None:
        """TLS is on: what `receive` gets from now on is decrypted."""
        self._move(Step.TLS_STARTED)
        self.is_secure = True

    def accept(self, status: int = flags.SERVER_STATUS_AUTOCOMMIT, session_state: bytes = b"") -> None:
        """Let the client of the Login event in, with what its backend's `Ready` says."""
        login = self._due_login()
        if self._is_fast:
            self._send(Step.FAST_OK, packets.build_auth_more_data(FAST_AUTH_OK))
        self._send(
            Step.OK,
            packets.build_ok(packets.Ok(status=status, session_state=session_state), login.capabilities),
        )
        self.rest = self._reader.take_rest()

    def reject(self, code: int, sqlstate: str, message: str) -> None:
        """Refuse the client of the Login event."""
        self._due_login()
        self._send(Step.ERR, packets.build_err(packets.Err(code, sqlstate, message)))
        self._reader.take_rest()

    def _due_login(self) -> Login:
        assert self.state is State.VERDICT, f"no login waits for an answer in state {self.state}"  # noqa: S101
        assert self._login is not None, "no login waits for an answer"  # noqa: S101
        return self._login

    def _fail(self, error: RouterError) -> None:
        super()._fail(error)
        self._outgoing += packets.build_error(error, self._sequence_id)

    def _on_packet(self, packet: Packet) -> None:
        payload = packet.payload
        match self.state:
            case State.GREETED | State.SECURED:
                self._on_answer(payload)
            case State.COMMAND:
                self._on_change_user(payload)
            case State.SWITCHED:
                self._move(Step.SWITCH_RESPONSE)
                self._judge(self._plugin, payload)
            case State.FULL_AUTH:
                self._on_full_auth(payload)
            case _:  # KEY_SENT
                self._move(Step.PASSWORD)
                self._judge_encrypted(payload)

    def _on_answer(self, payload: bytes) -> None:
        """Read SSLRequest or HandshakeResponse41."""
        capabilities = packets.parse_capabilities(payload)
        if not capabilities & flags.CLIENT_PROTOCOL_41:
            raise Broken(
                HandshakeError("the client speaks the protocol from before MySQL 4.1; use a newer one")
            )
        if capabilities & flags.CLIENT_SSL and self.state is State.GREETED:
            if not self._offered & flags.CLIENT_SSL:
                raise Malformed("it asks for TLS, which was not offered")
            packets.parse_ssl_request(payload)
            self._move(Step.SSL_REQUEST)
            self._events.append(StartTls(self._reader.take_rest()))
            return
        if not capabilities & flags.CLIENT_SECURE_CONNECTION:
            raise Broken(
                HandshakeError(
                    "the client proves its password as before MySQL 4.1; it must set CLIENT_SECURE_CONNECTION"
                )
            )
        response = packets.parse_response(payload)
        self._move(Step.RESPONSE)
        if self._tls_required and not self.is_secure:
            raise Broken(
                InsecureTransport("Connections without TLS are refused here: client_tls.mode is REQUIRED")
            )
        self._begin(response)
        if not response.capabilities & flags.CLIENT_PLUGIN_AUTH:
            self._judge(NATIVE, response.proof)
        elif not response.proof and response.plugin != self._plugin:
            # A client whose default plugin is not ours sends no proof before it has seen a scramble for that
            # plugin (run_plugin_auth in MySQL's sql-common/client.cc): it may have a password all the same.
            self._switch(response.plugin)
        else:
            self._judge(response.plugin, response.proof)

    def _on_change_user(self, payload: bytes) -> None:
        """Read COM_CHANGE_USER. Its proof is for another scramble, if there is any: always ask again."""
        if payload[:1] != bytes((flags.COM_CHANGE_USER,)):
            raise Malformed("no COM_CHANGE_USER")
        response = packets.parse_change_user(payload, self._offered)
        self._move(Step.CHANGE_USER)
        self._begin(response)
        if self._offered & flags.CLIENT_PLUGIN_AUTH:
            self._switch(response.plugin)
        else:
            self._judge(NATIVE, response.proof)

    def _begin(self, response: HandshakeResponse) -> None:
        self._response = replace(response, capabilities=response.capabilities & self._offered)
        self._verifier = self._verifier_of(response.user)

    def _judge(self, plugin: str, proof: bytes) -> None:
        """Check a proof, or find another way."""
        if proof in (b"", b"\0") and plugin in (NATIVE, CACHING, SHA256, CLEAR):
            self._judge_password(plugin, b"")
        elif plugin in auth.FAST_PROOFS:
            size, check = auth.FAST_PROOFS[plugin]
            if len(proof) != size:
                raise Malformed(f"a proof of {plugin} has {size} bytes, this one {len(proof)}")
            verifier = self._verifier
            secret = check(proof, self._scramble, verifier) if verifier else None
            if secret:
                self._is_fast = plugin == CACHING
                self._give(plugin, secret, password_known=False)
            elif verifier and verifier.is_final and verifier.checks(plugin):
                raise self._denial(has_password=True)
            elif plugin == CACHING:
                self._ask_password()
            else:
                self._switch(plugin, has_failed=True)
        elif plugin == CLEAR and self.is_secure:
            self._judge_password(plugin, proof.removesuffix(b"\0"))
        else:
            self._switch(plugin)

    def _switch(self, plugin: str, *, has_failed: bool = False) -> None:
        """Ask for the proof of a plugin that leads on; the client has answered with *plugin*."""
        assert self._response is not None  # noqa: S101 - only called after a response
        if self._has_switched or not self._response.capabilities & flags.CLIENT_PLUGIN_AUTH:
            raise Broken(
                AuthNotSupported(
                    f"rwrouter can't check user '{self._response.user}' by {plugin}: let the client use "
                    "caching_sha2_password, or give rwrouter the password under [[users]] in rwrouter.toml"
                )
            )
        self._has_switched = True
        # Clients take one switch only: native authentication is worth it where it has the last word, or is
        # the last way, but never where its proof has just failed.
        verifier = self._verifier
        native = not has_failed and plugin == NATIVE and verifier is not None and verifier.checks(NATIVE)
        last_way = not self.is_secure and self._rsa is None
        self._plugin = NATIVE if native and verifier and (verifier.is_final or last_way) else CACHING
        self._send(
            Step.AUTH_SWITCH, packets.build_auth_switch(packets.AuthSwitch(self._plugin, self._scramble))
        )

    def _ask_password(self) -> None:
        """Ask for the password itself."""
        assert self._response is not None  # noqa: S101 - only called after a response
        if not self.is_secure and self._rsa is None:
            raise Broken(
                AuthNotSupported(
                    f"rwrouter does not know the password of user '{self._response.user}' yet, "
                    "and can't ask for it without TLS: let the client use TLS, or give rwrouter the password "
                    "under [[users]] in rwrouter.toml"
                )
            )
        self._send(Step.FULL_AUTH, packets.build_auth_more_data(FULL_AUTH_DUE))

    def _on_full_auth(self, payload: bytes) -> None:
        if payload == KEY_WANTED:
            if self._rsa is None:
                raise Malformed("it asks for a public key where it should send its password over TLS")
            self._move(Step.KEY_REQUEST)
            self._send(Step.PUBLIC_KEY, packets.build_auth_more_data(self._rsa.public_pem))
            return
        self._move(Step.PASSWORD)
        if not self.is_secure:
            if self._rsa is None or len(payload) != self._rsa.size:
                # Connector/Python (pure) does this; MySQL answers it as a wrong password, too.
                denial = self._denial(has_password=True)
                denial.error.add_note(
                    "the client has sent its password in the clear over a link without TLS, where rwrouter takes "
                    "none: let it use TLS, and give the user another password"
                )
                raise denial
            self._judge_encrypted(payload)  # by a client that has the key in a file
        elif payload.endswith(b"\0"):
            self._judge_password(CACHING, payload[:-1])
        else:
            raise Malformed("the password has no end")

    def _judge_encrypted(self, payload: bytes) -> None:
        password = self._rsa.decrypt(payload, self._scramble) if self._rsa else None
        if password is None:
            raise self._denial(has_password=True)
        self._judge_password(CACHING, password)

    def _judge_password(self, plugin: str, password: bytes) -> None:
        if len(password) > auth.MAX_PASSWORD:
            raise self._denial(has_password=True)
        if self._verifier and self._verifier.is_final and not self._verifier.accepts(password):
            raise self._denial(has_password=bool(password))
        self._give(plugin, Secret.of(password), password_known=True)

    def _denial(self, *, has_password: bool) -> Broken:
        """Return the server's own text, the same for an unknown user and a wrong password."""
        assert self._response is not None  # noqa: S101 - only called after a response
        return Broken(
            AccessDenied(denial_text(self._response.user, self._client_host, has_password=has_password))
        )

    def _give(self, plugin: str, secret: Secret, *, password_known: bool) -> None:
        assert self._response is not None  # noqa: S101 - only called after a response
        response = self._response
        self._login = Login(
            response.user,
            response.schema,
            response.capabilities,
            response.collation,
            response.attributes,
            response.max_packet,
            plugin,
            secret,
            password_known,
            response.zstd_level,
        )
        self._events.append(self._login)


def denial_text(user: str, host: str, *, has_password: bool) -> str:
    """Return what MySQL says with ER_ACCESS_DENIED_ERROR."""
    return f"Access denied for user '{user}'@'{host}' (using password: {'YES' if has_password else 'NO'})"


def offered_capabilities(greeting: Greeting, *, tls_available: bool, compression: bool) -> int:
    """Return what the router's greeting offers: the servers' capabilities, as far as the router has them."""
    offered = greeting.capabilities & SUPPORTED | OWN
    if greeting.flavor is Flavor.MARIADB:
        offered = offered & ~flags.CLIENT_MYSQL | MARIADB
    if tls_available:
        offered |= flags.CLIENT_SSL
    if compression:
        offered |= flags.CLIENT_COMPRESS if greeting.flavor is Flavor.MARIADB else COMPRESSED
    return offered
