"""The two machines, connected to each other in every combination."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from rwrouter.errors import AccessDenied, NotSupported
from rwrouter.model import Flavor, Greeting
from rwrouter.protocol import auth, flags
from rwrouter.protocol.auth import CACHING, CLEAR, NATIVE, SHA256, Secret, Verifier, verifier_of
from rwrouter.protocol.handshake import (
    ClientHandshake,
    Login,
    Ready,
    Refused,
    ServerHandshake,
    State,
)
from tests.unit.protocol.conversation import (
    KEY,
    MARIADB,
    MYSQL,
    SCRAMBLE,
    WANTED,
    Conversation,
    Link,
    client,
    converse,
    server,
    sizes,
    type_of_password,
)


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


def test_a_password_too_long_for_the_key_is_no_fault_of_the_server() -> None:
    """It fails with a sentence that says to use TLS."""
    talk = converse(server("rsa"), client(Secret.of(b"x" * 86)))
    assert isinstance(talk.client.error, NotSupported)
    assert "use TLS" in str(talk.client.error)


def test_a_client_without_tls_where_it_is_required() -> None:
    """It gets the server's own number, before its password is looked at."""
    talk = converse(server("rsa", tls_required=True), client(Secret.of(b"x")))
    assert isinstance(talk.outcome, Refused)
    assert talk.outcome.code == 3159
    theirs = client(Secret.of(b"x"), "tls")
    theirs._tls = "required"
    converse(server(), theirs)
    assert "no TLS" in str(theirs.error)


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
