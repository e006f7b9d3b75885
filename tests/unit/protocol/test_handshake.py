"""The two machines, connected to each other in every combination, and each alone with hostile bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwrouter.errors import AccessDenied, NotSupported, RouterError
from rwrouter.model import Flavor, Greeting
from rwrouter.protocol import auth, flags, handshake, packets
from rwrouter.protocol.auth import CACHING, CLEAR, NATIVE, SHA256, RsaKey, Secret, Verifier, verifier_of
from rwrouter.protocol.framing import frame
from rwrouter.protocol.handshake import (
    ClientHandshake,
    Event,
    Login,
    Ready,
    Refused,
    ServerHandshake,
    StartTls,
    State,
)
from rwrouter.protocol.packets import HandshakeResponse

SCRAMBLE = bytes(range(1, 21))
KEY = RsaKey.generate(1024)
MYSQL = Greeting("8.4.3", 255, handshake.SUPPORTED | flags.CLIENT_SSL)
MARIADB = Greeting("10.11.19-MariaDB", 45, handshake.SUPPORTED & ~flags.CLIENT_MYSQL, Flavor.MARIADB)
WANTED = handshake.SUPPORTED & ~flags.CLIENT_INTERACTIVE

Link = Literal["tls", "rsa", "socket", "none"]
type_of_password = st.sampled_from(["", "secret", "x" * 80, "p\u00e4ss \u96ea\U0001f511"])


def server(
    link: Link = "none",
    verifier: Verifier | None = None,
    *,
    plugin: str = CACHING,
    greeting: Greeting = MYSQL,
    tls_required: bool = False,
) -> ServerHandshake:
    return ServerHandshake(
        greeting,
        42,
        SCRAMBLE,
        tls_available=link == "tls",
        tls_required=tls_required,
        verifier=lambda user: verifier if user == "app" else None,
        rsa=KEY if link == "rsa" else None,
        default_plugin=plugin,
        on_secure_transport=link == "socket",
        client_host="10.0.0.7",
    )


def client(
    secret: Secret, link: Link = "none", *, schema: str | None = "shop", capabilities: int = WANTED
) -> ClientHandshake:
    return ClientHandshake(
        user="app",
        secret=secret,
        capabilities=capabilities,
        collation=255,
        schema=schema,
        attributes={b"program_name": b"test"},
        max_packet=2**24,
        tls="preferred" if link == "tls" else "disabled",
        on_secure_transport=link == "socket",
    )


@dataclass
class Conversation:
    """Two machines and what came of them. TLS is taken as given: the bytes stay as they are."""

    server: ServerHandshake
    client: ClientHandshake
    login: Login | None = None
    outcome: Event | None = None

    def run(self, cuts: Iterator[int]) -> None:
        """Carry bytes both ways, cut by *cuts*, until nobody has anything to say."""
        down = up = b""
        while True:
            down += self._react(self.server)
            up += self._react(self.client)
            if not down and not up:
                return
            size = next(cuts)
            self.client.receive(down[:size])
            self.server.receive(up[:size])
            down, up = down[size:], up[size:]

    def _react(self, machine: ServerHandshake | ClientHandshake) -> bytes:
        """Do what the events of *machine* ask for, and return what it sends."""
        sent = b""
        while event := machine.next_event():
            if isinstance(event, StartTls):
                sent += machine.data_to_send()
                machine.tls_started()
                machine.receive(event.rest)
            elif isinstance(event, Login):
                self.login = event
                self.server.accept()
            else:
                self.outcome = event
        return sent + machine.data_to_send()


def converse(
    ours: ServerHandshake, theirs: ClientHandshake, cuts: Iterator[int] | None = None
) -> Conversation:
    talk = Conversation(ours, theirs)
    talk.run(cuts or iter(lambda: 2**20, 0))
    return talk


def endless(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(endless)


@pytest.mark.parametrize("greeting", [MYSQL, MARIADB], ids=["mysql", "mariadb"])
@pytest.mark.parametrize("plugin", [CACHING, NATIVE, SHA256, CLEAR])
@pytest.mark.parametrize("link", ["tls", "rsa", "socket", "none"])
@pytest.mark.parametrize("known", ["unknown", "right", "stale", "final"])
@settings(max_examples=25)  # 128 combinations of them
@given(password=type_of_password, cuts=sizes)
def test_every_combination_logs_in_or_says_why(
    greeting: Greeting, plugin: str, link: Link, known: str, password: str, cuts: Iterator[int]
) -> None:
    """The right password logs in, unless there is no safe way to ask for it: then the error says so."""
    secret = Secret.of(password.encode())
    verifier = {
        "unknown": None,
        "right": verifier_of(password.encode()),
        "stale": verifier_of(b"what it was before"),
        "final": verifier_of(password.encode(), is_final=True),
    }[known]
    talk = converse(server(link, verifier, plugin=plugin, greeting=greeting), client(secret, link), cuts)
    if password and link == "none" and known in ("unknown", "stale"):
        assert talk.server.state is State.FAILED
        assert isinstance(talk.outcome, Refused)
        assert talk.outcome.code == 1251
        assert "rwrouter.toml" in talk.outcome.message
        return
    assert talk.server.error is None
    assert talk.client.error is None
    assert isinstance(talk.outcome, Ready)
    assert isinstance(talk.login, Login)
    assert (talk.login.user, talk.login.schema, talk.login.attributes) == (
        "app",
        "shop",
        {b"program_name": b"test"},
    )
    assert talk.login.capabilities == talk.outcome.capabilities
    assert (talk.outcome.flavor, talk.outcome.version) == (greeting.flavor, greeting.version)
    assert talk.outcome.connection_id == 42
    if talk.login.password_known:
        assert talk.login.secret == secret
    else:
        assert known in ("right", "final")
        assert auth.fast_proof(talk.login.plugin, talk.login.secret, SCRAMBLE) == auth.fast_proof(
            talk.login.plugin, secret, SCRAMBLE
        )
    assert (talk.server.state, talk.client.state) == (State.DONE, State.DONE)
    assert (talk.server.rest, talk.client.rest) == (b"", b"")


@pytest.mark.parametrize("plugin", [CACHING, NATIVE])
@pytest.mark.parametrize("link", ["tls", "rsa", "none"])
@pytest.mark.parametrize(("password", "shown"), [("wrong", "YES"), ("", "NO")])
def test_a_wrong_password_of_a_configured_user(plugin: str, link: Link, password: str, shown: str) -> None:
    """A configured user with a wrong password gets the server's own words, at once."""
    ours = server(link, verifier_of(b"right", is_final=True), plugin=plugin)
    talk = converse(ours, client(Secret.of(password.encode()), link))
    assert talk.login is None
    assert talk.outcome == Refused(
        1045, "28000", f"Access denied for user 'app'@'10.0.0.7' (using password: {shown})"
    )
    assert isinstance(talk.server.error, AccessDenied)


@pytest.mark.parametrize("half", ["native", "caching"])
@pytest.mark.parametrize("plugin", [CACHING, NATIVE])
def test_half_a_verifier_leads_on(half: str, plugin: str) -> None:
    """With one of two hashes known, the other plugin's client still logs in over TLS."""
    whole = verifier_of(b"right", is_final=True)
    verifier = Verifier(is_final=True, **{half: getattr(whole, half)})
    talk = converse(server("tls", verifier, plugin=plugin), client(Secret.of(b"right"), "tls"))
    assert isinstance(talk.outcome, Ready)
    talk = converse(server("tls", verifier, plugin=plugin), client(Secret.of(b"wrong"), "tls"))
    assert isinstance(talk.outcome, Refused)


@pytest.mark.parametrize("plugin", [CACHING, NATIVE])
def test_a_hash_alone_logs_in_where_a_fast_proof_will_do(plugin: str) -> None:
    """What one client's fast proof showed lets the router in elsewhere, whichever plugin greets."""
    whole = Secret.of(b"right")
    for secret in (Secret(sha1=whole.sha1), Secret(sha256=whole.sha256)):
        talk = converse(server("none", verifier_of(b"right"), plugin=plugin), client(secret))
        assert isinstance(talk.outcome, Ready)


@pytest.mark.parametrize("secret", [Secret(sha1=bytes(20)), Secret(sha256=bytes(32)), Secret()])
def test_a_hash_alone_is_not_enough_where_the_password_is_wanted(secret: Secret) -> None:
    """A server that wants the password itself gets nothing, and the error says what to do."""
    talk = converse(server("rsa", None), client(secret))
    assert talk.client.state is State.FAILED
    assert "rwrouter.toml" in str(talk.client.error)


def test_no_password_goes_out_in_the_clear() -> None:
    """A server, or who plays one, asks for the clear password without TLS: nothing is sent."""
    theirs = client(Secret.of(b"hunter2"))
    theirs.receive(server().data_to_send())
    theirs.data_to_send()
    theirs.receive(frame(b"\xfe" + CLEAR.encode() + b"\0", 2))
    assert theirs.state is State.FAILED
    assert theirs.data_to_send() == b""
    assert "in the clear" in str(theirs.error)


@pytest.mark.parametrize(("is_secure", "answer"), [(True, b"hunter2\0"), (False, b"\x01")])
def test_sha256_password_of_a_server(is_secure: bool, answer: bytes) -> None:
    """The password over TLS; else the key is asked for, and the password encrypted for it."""
    theirs = client(Secret.of(b"hunter2"), "socket" if is_secure else "none")
    theirs.receive(server().data_to_send())
    theirs.data_to_send()
    theirs.receive(frame(b"\xfe" + SHA256.encode() + b"\0" + SCRAMBLE + b"\0", 2))
    assert theirs.data_to_send() == frame(answer, 3)
    sequence_id = 4
    if not is_secure:
        theirs.receive(frame(b"\x01" + KEY.public_pem, 4))
        assert KEY.decrypt(theirs.data_to_send()[4:], SCRAMBLE) == b"hunter2"
        sequence_id = 6
    theirs.receive(frame(packets.build_ok(packets.Ok(), 0), sequence_id))
    assert theirs.state is State.DONE


def test_a_verdict_of_no() -> None:
    """The server's refusal goes to the client word for word."""
    ours, theirs = server("socket"), client(Secret.of(b"x"), "socket")
    talk = Conversation(ours, theirs)
    for _ in range(5):
        theirs.receive(ours.data_to_send())
        ours.receive(theirs.data_to_send())
    assert isinstance(ours.next_event(), Login)
    ours.reject(1049, "42000", "Unknown database 'shop'")
    talk.run(iter(lambda: 99, 0))
    assert talk.outcome == Refused(1049, "42000", "Unknown database 'shop'")
    assert (ours.state, theirs.state) == (State.REFUSED, State.REFUSED)


def test_a_verdict_of_yes_carries_what_the_backend_said() -> None:
    """Status and session state of the backend's OK reach the client that asked for them."""
    ours, theirs = server("none", verifier_of(b"")), client(Secret.of(b""))
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send())
    ours.accept(flags.SERVER_STATUS_IN_TRANS, b"\1\5\4shop")
    theirs.receive(ours.data_to_send())
    ready = theirs.next_event()
    assert isinstance(ready, Ready)
    assert ready.status == flags.SERVER_STATUS_IN_TRANS | flags.SERVER_SESSION_STATE_CHANGED
    assert ready.session_state == b"\1\5\4shop"


@pytest.mark.parametrize("answer", [b"hunter2\0", bytes(KEY.size)])
def test_a_password_in_the_clear_is_not_taken(answer: bytes) -> None:
    """A client that answers full authentication without TLS and without key is told; garbage is denied."""
    ours = server("rsa")
    theirs = client(Secret.of(b"hunter2"))
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send())
    ours.receive(frame(answer, 3))
    assert ours.next_event() is None
    assert ours.error is not None
    assert ours.error.code == (1045 if len(answer) == KEY.size else 1251)


def test_a_password_too_long_for_the_key_is_no_fault_of_the_server() -> None:
    """It fails with a sentence that says to use TLS."""
    talk = converse(server("rsa"), client(Secret.of(b"x" * 86)))
    assert isinstance(talk.client.error, NotSupported)
    assert "use TLS" in str(talk.client.error)


def test_a_pipelined_command_is_kept() -> None:
    """What a client sends ahead of the verdict is the first command, not an error."""
    ours = server("none", verifier_of(b""))
    theirs = client(Secret.of(b""))
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send() + frame(b"\x03SELECT 1", 0))
    assert isinstance(ours.next_event(), Login)
    ours.accept()
    assert ours.rest == frame(b"\x03SELECT 1", 0)


def test_the_first_bytes_of_tls_are_handed_on() -> None:
    """SSLRequest and ClientHello may come together: the second is TLS's, and nothing plain may follow."""
    ours = server("tls")
    ours.receive(frame(packets.build_ssl_request(WANTED, 2**24, 45), 1) + b"\x16\x03\x01hello")
    assert ours.next_event() == StartTls(b"\x16\x03\x01hello")
    ours.receive(b"plain")
    assert ours.state is State.FAILED


def test_a_client_without_tls_where_it_is_required() -> None:
    """It gets the server's own number, before its password is looked at."""
    talk = converse(server("rsa", tls_required=True), client(Secret.of(b"x")))
    assert isinstance(talk.outcome, Refused)
    assert talk.outcome.code == 3159
    theirs = client(Secret.of(b"x"), "tls")
    theirs._tls = "required"
    converse(server(), theirs)
    assert "no TLS" in str(theirs.error)


PLAIN = packets.build_response(HandshakeResponse(WANTED, 8, "u", b"", plugin=NATIVE))
OLD = flags.CLIENT_PROTOCOL_41 | flags.CLIENT_LONG_PASSWORD


@pytest.mark.parametrize(
    ("case", "data", "code", "text"),
    [
        ("protocol from before 4.1", frame(b"\x85\x24\0\0\0old\0", 1), 1043, "before MySQL 4.1"),
        (
            "password from before 4.1",
            frame(packets.build_response(HandshakeResponse(OLD, 8, "u", b"")), 1),
            1043,
            "CLIENT_SECURE_CONNECTION",
        ),
        ("TLS not offered", frame(packets.build_ssl_request(WANTED, 1, 1), 1), 1043, "not offered"),
        ("empty packet", frame(b"", 1), 1043, "state GREETED"),
        ("wrong number", frame(b"\0" * 32, 7), 1043, "packet number 7 where 1 is due"),
        ("16 MB", b"\xff\xff\xff\1", 1153, "16777215"),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n", 1153, "at most"),
        ("TLS at once", b"\x16\x03\x01\x02\0\1\0\1", 1043, "packet number 2"),
        (
            "a user without end",
            frame(PLAIN[:32] + b"app", 1),
            1043,
            "no end",
        ),
        (
            "proof cut",
            frame(
                PLAIN[:34] + b"\xfa\1",
                1,
            ),
            1043,
            "announced",
        ),
        (
            "proof too short",
            frame(packets.build_response(HandshakeResponse(WANTED, 8, "u", b"12345", plugin=CACHING)), 1),
            1043,
            "32 bytes",
        ),
    ],
)
def test_hostile_clients_are_told(case: str, data: bytes, code: int, text: str) -> None:
    """Each breach ends the handshake with an ERR packet that says what is wrong."""
    ours = server("none")
    ours.data_to_send()
    ours.receive(data)
    assert ours.state is State.FAILED, case
    assert isinstance(ours.error, RouterError)
    err = packets.parse_err(ours.data_to_send()[4:])
    assert (err.code, text in err.message) == (code, True), err.message
    ours.receive(b"more")
    assert ours.data_to_send() == b""


@pytest.mark.parametrize(
    ("case", "data", "text"),
    [
        ("garbage", b"SSH-2.0-OpenSSH_9.2p1\r\n", "at most"),
        ("old protocol", frame(b"\x093.20\0" + bytes(30), 0), "version 9"),
        ("empty greeting", frame(b"", 0), "announced"),
        ("short scramble", frame(b"\x0a4.0\0" + bytes(40), 0), "older than MySQL 4.1"),
        ("cut greeting", frame(b"\x0a8.0.36\0\1\0\0\0", 0), "announced"),
    ],
)
def test_hostile_servers_are_dropped(case: str, data: bytes, text: str) -> None:
    """Each breach ends the handshake; nothing is sent to a server that makes no sense."""
    theirs = client(Secret.of(b"x"))
    theirs.receive(data)
    assert theirs.state is State.FAILED, case
    assert text in str(theirs.error)
    assert theirs.data_to_send() == b""


@pytest.mark.parametrize(
    ("case", "payload", "text"),
    [
        ("further factor", b"\x02authentication_webauthn\0", "further factor"),
        ("old password", b"\xfe", "mysql_old_password"),
        ("ed25519", b"\xfeclient_ed25519\0" + bytes(32), "client_ed25519"),
        ("short scramble", b"\xfemysql_native_password\0abc\0", "20 bytes"),
        ("nonsense", b"\x17", "begins with 17"),
        ("nothing", b"", "begins with nothing"),
        ("data unasked", b"\x01what", "expects none"),
        ("OK cut", b"\x00\x00", "announced"),
    ],
)
def test_what_a_server_may_not_ask(case: str, payload: bytes, text: str) -> None:
    """What the router can't answer to a server fails with a sentence that names it."""
    theirs = client(Secret.of(b"x"))
    theirs.receive(server().data_to_send())
    theirs.data_to_send()
    theirs.receive(frame(payload, 2))
    assert theirs.state is State.FAILED, case
    assert text in str(theirs.error)
    assert theirs.data_to_send() == b""


@pytest.mark.parametrize(
    "error", [(1040, "08004", "Too many connections"), (1129, "HY000", "Host is blocked")]
)
def test_an_error_instead_of_a_greeting(error: tuple[int, str, str]) -> None:
    """A server that refuses before it greets is quoted."""
    theirs = client(Secret.of(b"x"))
    theirs.receive(packets.build_error(error, 0, with_sqlstate=error[0] == 1040))
    assert theirs.next_event() == Refused(*error)
    assert theirs.state is State.REFUSED


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=4), st.booleans())
def test_no_bytes_raise_out_of_the_server_side(head: bytes, payloads: list[bytes], framed: bool) -> None:
    """Any bytes lead to a state; a failed machine holds nothing."""
    ours = server("rsa")
    ours.receive(head if not framed else b"")
    for number, payload in enumerate(payloads, 1):
        ours.receive(frame(payload, number) if framed else payload)
    while ours.next_event():
        pass
    ours.receive_eof()
    if ours.state is State.FAILED:
        assert ours._reader.buffered == 0
        assert ours.error is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"", b"\0", b"\x01", b"\x01\x04", b"\xfe" + NATIVE.encode() + b"\0", b"\xff"]),
            st.binary(max_size=60),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_no_bytes_raise_out_of_the_client_side(payloads: list[tuple[bytes, bytes]], greeted: bool) -> None:
    """Whatever a server sends, the machine moves to a state and never shows the password."""
    theirs = client(Secret.of(b"hunter2"))
    if greeted:
        theirs.receive(server().data_to_send())
    number = 2 * greeted
    for head, tail in payloads:
        theirs.receive(frame(head + tail, number))
        number += 2
        assert b"hunter2" not in theirs.data_to_send()
    theirs.receive_eof()
    assert theirs.state in (State.DONE, State.REFUSED, State.FAILED)


@given(st.binary(min_size=1, max_size=400), st.integers(0, 120))
def test_a_damaged_byte_never_logs_in_as_another(noise: bytes, at: int) -> None:
    """A login with damaged bytes ends in an error or with the proof of a known secret, never with a raise."""
    ours, theirs = server("none", verifier_of(b"right", is_final=True)), client(Secret.of(b"right"))
    theirs.receive(ours.data_to_send())
    data = theirs.data_to_send()
    ours.receive(data[:at] + noise + data[at + len(noise) :])
    event = ours.next_event()
    assert event is None or (isinstance(event, Login) and not event.password_known)


def test_what_is_sent_ahead_is_bounded() -> None:
    """A client that pours bytes in before its login was answered is cut off."""
    ours = server("socket")
    theirs = client(Secret.of(b""), "socket")
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send())
    for _ in range(40):
        ours.receive(bytes(2**16))
    assert ours.state is State.FAILED
    assert ours._reader.buffered == 0


def test_a_default_plugin_of_another_kind_is_no_empty_password() -> None:
    """A client whose own default plugin differs answers without proof: it is asked again."""
    ours = server("none", verifier_of(b"right"))
    ours.data_to_send()
    ours.receive(frame(packets.build_response(HandshakeResponse(WANTED, 45, "app", b"", plugin=NATIVE)), 1))
    assert ours.next_event() is None
    switch = packets.parse_auth_switch(ours.data_to_send()[4:])
    assert switch == packets.AuthSwitch(NATIVE, SCRAMBLE)
    proof = auth.fast_proof(NATIVE, Secret.of(b"right"), SCRAMBLE)
    assert proof is not None
    ours.receive(frame(proof, 3))
    assert isinstance(ours.next_event(), Login)


def test_a_client_without_plugins_needs_a_known_password() -> None:
    """Without CLIENT_PLUGIN_AUTH there is native authentication alone, and nothing to switch to."""
    capabilities = OLD | flags.CLIENT_SECURE_CONNECTION
    proof = auth.fast_proof(NATIVE, Secret.of(b"right"), SCRAMBLE) or b""
    response = frame(packets.build_response(HandshakeResponse(capabilities, 45, "app", proof)), 1)
    for verifier, code in ((verifier_of(b"right"), 0), (None, 1251)):
        ours = server("none", verifier)
        ours.receive(response)
        assert isinstance(ours.next_event(), Login) == (code == 0)
        assert (ours.error.code if ours.error else 0) == code


@pytest.mark.parametrize("link", ["socket", "rsa", "none"])
@pytest.mark.parametrize("known", [True, False])
@given(password=type_of_password, cuts=sizes)
def test_a_change_of_user_takes_the_same_way(
    link: Link, known: bool, password: str, cuts: Iterator[int]
) -> None:
    """COM_CHANGE_USER proves the new user as a login does."""
    secret = Secret.of(password.encode())
    ready = Ready("8.4.3", 42, WANTED, 2, Flavor.MYSQL, plugin=CACHING, scramble=SCRAMBLE[::-1])
    theirs = ClientHandshake.for_change_user(
        ready,
        user="app",
        secret=secret,
        collation=309,
        schema=None,
        attributes={},
        is_secure=link == "socket",
    )
    ours = ServerHandshake.for_change_user(
        WANTED,
        SCRAMBLE,
        verifier=lambda _: verifier_of(password.encode()) if known else None,
        rsa=KEY if link == "rsa" else None,
        is_secure=link == "socket",
    )
    talk = converse(ours, theirs, cuts)
    if password and link == "none" and not known:
        assert isinstance(talk.outcome, Refused)
        return
    assert isinstance(talk.outcome, Ready)
    assert talk.outcome == ready
    assert talk.login is not None
    assert (talk.login.user, talk.login.schema, talk.login.collation) == ("app", None, 309)


def test_what_is_offered_follows_the_servers() -> None:
    """Capabilities that a server lacks, or the router, are not offered; those of the handshake always are."""
    few = replace(MYSQL, capabilities=flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_COMPRESS)
    offered = handshake.offered_capabilities(few, tls_available=False, compression=False)
    assert offered == flags.CLIENT_DEPRECATE_EOF | handshake.OWN
    offered = handshake.offered_capabilities(MARIADB, tls_available=True, compression=True)
    assert offered & (flags.CLIENT_SSL | flags.CLIENT_COMPRESS)
    assert not offered & (flags.CLIENT_MYSQL | flags.CLIENT_ZSTD)
