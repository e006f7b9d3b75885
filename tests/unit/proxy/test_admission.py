"""With which account servers are logged in to for a client, and which is asked first."""

import pytest

from rwrouter.errors import AccessDenied, NoServer
from rwrouter.model import Role
from rwrouter.protocol.auth import Secret
from rwrouter.protocol.flags import CLIENT_CONNECT_WITH_DB, CLIENT_SESSION_TRACK, CLIENT_SSL
from rwrouter.protocol.handshake import Login
from rwrouter.proxy.admission import account_of, first_connection
from rwrouter.proxy.dial import Refusal
from tests.unit.proxy.stage import CAPABILITIES, Stage, on_stage, server

USERS = [{"name": "front", "password": "secret", "backend_user": "back", "backend_password": "hidden"}]


def login(user: str, password: bytes, *, known: bool = True, capabilities: int = CAPABILITIES) -> Login:
    """Build what a handshake gives."""
    secret = Secret.of(password) if known else Secret(sha256=Secret.of(password).sha256)
    return Login(user, None, capabilities, 45, {b"program_name": b"x"}, 1 << 24, "", secret, known)


def test_a_user_of_the_servers() -> None:
    """It is logged in with what it has proved; the router adds who it is."""

    async def play(stage: Stage) -> None:
        wanted = CAPABILITIES & ~CLIENT_SESSION_TRACK | CLIENT_SSL | CLIENT_CONNECT_WITH_DB
        account = account_of(stage.gateway, login("app", b"x", capabilities=wanted), "192.0.2.7:5")
        assert (account.user, account.secret) == ("app", Secret.of(b"x"))
        assert account.capabilities == CAPABILITIES
        assert not account.client_tracks
        assert account.attributes == {b"program_name": b"x", b"rwrouter_client": b"192.0.2.7:5"}
        stage.gateway.learn("app", Secret.of(b"x"))
        assert account_of(stage.gateway, login("app", b"x", known=False), "").secret == Secret.of(b"x")

    on_stage(play)


def test_a_configured_user() -> None:
    """It is mapped to its account; a wrong password that was given in the clear is refused here."""

    async def play(stage: Stage) -> None:
        account = account_of(stage.gateway, login("front", b"secret"), "")
        assert (account.user, account.secret) == ("back", Secret.of(b"hidden"))
        with pytest.raises(AccessDenied):
            account_of(stage.gateway, login("front", b"wrong"), "")

    on_stage(play, users=USERS)


def test_the_primary_first_then_whoever_answers() -> None:
    """A refusal is final; a server that can't be reached is passed over."""

    async def play(stage: Stage) -> None:
        account = stage.client.account
        assert (await first_connection(stage.gateway, account, b"")).endpoint.server.name == "db1"
        stage.refuse = {"db1": OSError("unplugged"), "db2": OSError("unplugged")}
        assert (await first_connection(stage.gateway, account, b"")).endpoint.server.name == "db3"
        stage.refuse["db3"] = Refusal(1045, "28000", "Access denied")
        with pytest.raises(Refusal):
            await first_connection(stage.gateway, account, b"")
        stage.show(server("db1", Role.PRIMARY))
        with pytest.raises(NoServer, match="db1"):
            await first_connection(stage.gateway, account, b"")

    on_stage(play, limits={"primary_wait": 0})


def test_a_login_waits_while_every_server_is_gone() -> None:
    """The first that comes back takes it."""

    async def play(stage: Stage) -> None:
        stage.show(primary=None)
        stage.refuse = dict.fromkeys(("db1", "db2", "db3"), OSError("refused"))
        login = stage.gateway.spawn(first_connection(stage.gateway, stage.client.account, b""))
        await stage.settle()
        assert not login.done()
        stage.refuse = {}
        stage.show(server("db1", Role.PRIMARY), server("db2"), server("db3"), generation=2)
        await stage.settle()
        assert login.result().endpoint.server.name == "db1"

    on_stage(play)
