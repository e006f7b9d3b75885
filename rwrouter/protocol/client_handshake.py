"""The connection phase as a client: our side towards a server, over the table in phase.py."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from rwrouter.errors import (
    BackendProtocolError,
    ClientProtocolError,
    NotSupported,
    RouterError,
)
from rwrouter.protocol import auth, ed25519, flags, packets
from rwrouter.protocol.auth import CACHING, CLEAR, ED25519, NATIVE, SHA256, Secret
from rwrouter.protocol.framing import Packet
from rwrouter.protocol.packets import HandshakeResponse
from rwrouter.protocol.phase import (
    FAST_AUTH_OK,
    FULL_AUTH_DUE,
    KEY_WANTED,
    MAX_PACKET,
    OWN,
    SERVER_SPEAKS,
    SHA256_KEY_WANTED,
    Broken,
    Handshake,
    Ready,
    Refused,
    StartTls,
    State,
    Step,
)
from rwrouter.protocol.wire import Malformed


class ClientHandshake(Handshake):
    """Our side towards a server: logs in as *user* with what is known of the password.

    *capabilities*: those wanted; what the server lacks is left out. *attributes*: sent where the server takes
    them. *on_secure_transport*: a unix socket. A password goes out in the clear over these alone.
    """

    _turn = SERVER_SPEAKS
    _breach = BackendProtocolError

    def __init__(
        self,
        *,
        user: str,
        secret: Secret,
        capabilities: int,
        collation: int,
        schema: str | None,
        attributes: Mapping[bytes, bytes],
        max_packet: int,
        tls: Literal["disabled", "preferred", "required"],
        on_secure_transport: bool = False,
        zstd_level: int = 3,
    ) -> None:
        super().__init__(State.START, MAX_PACKET, is_secure=on_secure_transport)
        self._wanted = (capabilities | OWN) & ~(flags.CLIENT_SSL | flags.CLIENT_CONNECT_WITH_DB)
        if schema:
            self._wanted |= flags.CLIENT_CONNECT_WITH_DB
        self._response = HandshakeResponse(
            0, collation, user, b"", schema, "", attributes, max_packet, zstd_level
        )
        self._secret = secret
        self._tls = tls
        self._ready: Ready | None = None  # what Ready will say; from the greeting on
        self._plugin = NATIVE
        self._scramble = b""

    @classmethod
    def for_change_user(
        cls,
        ready: Ready,
        *,
        user: str,
        secret: Secret,
        collation: int,
        schema: str | None,
        attributes: Mapping[bytes, bytes],
        is_secure: bool,
    ) -> "ClientHandshake":
        """Return a machine that changes the user of a connection that *ready* told of."""
        machine = cls(
            user=user,
            secret=secret,
            capabilities=ready.capabilities,
            collation=collation,
            schema=schema,
            attributes=attributes,
            max_packet=0,
            tls="disabled",
            on_secure_transport=is_secure,
        )
        machine._ready = ready
        machine._scramble = ready.scramble
        machine.state = State.COMMAND
        machine._guard(lambda: machine._log_in(Step.CHANGE_USER, packets.build_change_user))
        return machine

    def tls_started(self) -> None:
        """TLS is on: what goes in and out from now on is wrapped."""
        self._move(Step.TLS_STARTED)
        self.is_secure = True
        self._guard(lambda: self._log_in(Step.RESPONSE, packets.build_response))

    def _guard(self, step: Callable[[], None]) -> None:
        """Run a step that no packet has set off, and fail as if one had."""
        try:
            step()
        except Broken as broken:
            self._fail(broken.error)
        except Malformed as exc:
            self._fail(ClientProtocolError(f"can't log in to the server: {exc}"))

    def _fail(self, error: RouterError) -> None:
        super()._fail(error)
        self._outgoing.clear()

    def _on_packet(self, packet: Packet) -> None:
        payload = packet.payload
        first = payload[0] if payload else -1
        if first == packets.ERR:
            self._move(Step.ERR)
            err = packets.parse_err(payload)
            self._events.append(Refused(err.code, err.sqlstate or "HY000", err.message))
        elif self.state is State.START:
            self._on_greeting(payload)
        elif first == packets.OK:
            self._move(Step.OK)
            assert self._ready is not None  # noqa: S101 - set by the greeting
            ok = packets.parse_ok(payload, self._ready.capabilities)
            self._ready = replace(self._ready, status=ok.status, session_state=ok.session_state)
            self._events.append(self._ready)
        elif first == packets.EOF:
            self._on_auth_switch(payload)
        elif first == packets.AUTH_MORE_DATA:
            self._on_more_data(payload[1:])
        elif first == packets.AUTH_NEXT_FACTOR:
            factor = packets.parse_auth_next_factor(payload)
            raise Broken(
                NotSupported(
                    f"user '{self._response.user}' has to give a further factor ('{factor}') on the server, "
                    "which rwrouter can't; use an account with one factor"
                )
            )
        else:
            raise Malformed(
                f"a packet that begins with {payload[:1].hex() or 'nothing'} is none of the handshake"
            )

    def _on_greeting(self, payload: bytes) -> None:
        greeting = packets.parse_greeting(payload)
        needed = flags.CLIENT_PROTOCOL_41 | flags.CLIENT_SECURE_CONNECTION
        if greeting.capabilities & needed != needed or len(greeting.scramble) != packets.SCRAMBLE_SIZE:
            raise Malformed("the server is older than MySQL 4.1, or its scramble is not of 20 bytes")
        self._move(Step.GREETING)
        self._plugin, self._scramble = greeting.plugin, greeting.scramble
        agreed = self._wanted & greeting.capabilities
        with_tls = self._tls != "disabled" and greeting.capabilities & flags.CLIENT_SSL
        if with_tls:
            agreed |= flags.CLIENT_SSL
        self._ready = Ready(
            greeting.version,
            greeting.connection_id,
            agreed,
            0,
            greeting.flavor,
            plugin=greeting.plugin,
            scramble=greeting.scramble,
        )
        if with_tls:
            self._send(
                Step.SSL_REQUEST,
                packets.build_ssl_request(agreed, self._response.max_packet, self._response.collation),
            )
            self._events.append(StartTls(self._reader.take_rest()))
        elif self._tls == "required":
            raise Broken(BackendProtocolError("the server offers no TLS, which the settings require"))
        else:
            self._log_in(Step.RESPONSE, packets.build_response)

    def _log_in(self, step: Step, build: Callable[[HandshakeResponse], bytes]) -> None:
        """Send user and proof: of the server's default plugin if we can, else of one that we can."""
        assert self._ready is not None  # noqa: S101 - set by the greeting
        capabilities = self._ready.capabilities
        plugins = (self._ready.plugin, CACHING, NATIVE)
        if not capabilities & flags.CLIENT_PLUGIN_AUTH:
            plugins = (NATIVE, NATIVE, NATIVE)
        for plugin in plugins:
            proof = auth.fast_proof(plugin, self._secret, self._scramble)
            if proof is not None:
                break
        else:
            raise Broken(self._needs_password(plugins[0]))
        self._plugin = plugin
        self._response = replace(self._response, capabilities=capabilities, plugin=plugin, proof=proof)
        self._send(step, build(self._response))

    def _on_auth_switch(self, payload: bytes) -> None:
        self._move(Step.AUTH_SWITCH)
        switch = packets.parse_auth_switch(payload)
        self._plugin = plugin = switch.plugin
        if plugin in auth.FAST_PROOFS:
            if len(switch.data) != packets.SCRAMBLE_SIZE:
                raise Malformed("the scramble is not of 20 bytes")
            self._scramble = switch.data
            answer = auth.fast_proof(plugin, self._secret, switch.data)
            if answer is None:
                raise Broken(self._needs_password(plugin))
        elif plugin in (SHA256, CLEAR):
            self._scramble = switch.data
            answer = self._password_or_key_request(plugin)
        elif plugin == ED25519:
            answer = self._signature(switch.data)
        else:
            raise Broken(auth.not_supported(plugin, self._response.user))
        self._send(Step.SWITCH_RESPONSE, answer)

    def _password_or_key_request(self, plugin: str) -> bytes:
        password = self._secret.password
        if password is None:
            raise Broken(self._needs_password(plugin))
        if self.is_secure or (plugin == SHA256 and not password):
            return password + b"\0"
        if plugin == SHA256 and len(self._scramble) == packets.SCRAMBLE_SIZE:
            return SHA256_KEY_WANTED
        raise Broken(
            NotSupported(
                f"user '{self._response.user}' has to give the password in the clear ({plugin}), which "
                "rwrouter does over TLS alone; let the server have TLS, or the user caching_sha2_password"
            )
        )

    def _signature(self, nonce: bytes) -> bytes:
        password = self._secret.password
        if password is None:
            raise Broken(self._needs_password(ED25519))
        if len(nonce) != ed25519.NONCE_SIZE:
            raise Malformed(f"the nonce for {ED25519} is not of {ed25519.NONCE_SIZE} bytes")
        try:
            return ed25519.proof(password, nonce)
        except ImportError as exc:
            raise Broken(
                NotSupported(
                    f"user '{self._response.user}' needs authentication plugin '{ED25519}' on the server, for which "
                    "rwrouter lacks PyNaCl: install it (pip install 'rwrouter[ed25519]')"
                )
            ) from exc

    def _on_more_data(self, data: bytes) -> None:
        if self.state is State.KEY_REQUESTED or (
            self._plugin == SHA256 and not self.is_secure and self._secret.password
        ):
            self._move(Step.PUBLIC_KEY)
            self._send_encrypted(data)
        elif self._plugin == CACHING and data == FAST_AUTH_OK:
            self._move(Step.FAST_OK)
        elif self._plugin == CACHING and data == FULL_AUTH_DUE:
            self._move(Step.FULL_AUTH)
            if self._secret.password is None:
                raise Broken(self._needs_password(CACHING))
            if self.is_secure:
                self._send(Step.PASSWORD, self._secret.password + b"\0")
            else:
                self._send(Step.KEY_REQUEST, KEY_WANTED)
        else:
            raise Malformed(f"{len(data)} bytes for {self._plugin}, which expects none")

    def _send_encrypted(self, public_pem: bytes) -> None:
        assert self._secret.password is not None  # noqa: S101 - the key is asked for with the password at hand
        try:
            data = auth.encrypt_password(self._secret.password, self._scramble, public_pem)
        except ValueError as exc:
            raise Broken(
                NotSupported(
                    f"the password of user '{self._response.user}' can't be encrypted for the server's "
                    f"public key: {exc}"
                )
            ) from exc
        self._send(Step.PASSWORD, data)

    def _needs_password(self, plugin: str) -> NotSupported:
        return NotSupported(
            f"the server asks for the password of user '{self._response.user}' ({plugin}), of which rwrouter "
            "knows only a hash: let the client log in over TLS once, or give rwrouter the password under "
            "[[users]] in rwrouter.toml"
        )
