"""COM_CHANGE_USER, on a stage: who is asked, what is left, and how it fails."""

import asyncio
from dataclasses import replace
from hashlib import sha1

import pytest

from rwrouter.model import Flavor, Greeting, Role, Snapshot
from rwrouter.protocol.auth import native_proof
from rwrouter.protocol.flags import (
    CLIENT_IGNORE_SPACE,
    CLIENT_MULTI_STATEMENTS,
    CLIENT_PLUGIN_AUTH,
    CLIENT_SECURE_CONNECTION,
)
from rwrouter.protocol.packets import HandshakeResponse, build_change_user
from rwrouter.proxy.client import ClientConnection
from rwrouter.proxy.dial import Refusal
from rwrouter.proxy.user_change import UserChange
from tests.unit.proxy.stage import (
    BASE,
    CAPABILITIES,
    Stage,
    by_name,
    ok,
    on_stage,
    packet,
    query,
    row,
    server,
)

SCRAMBLE = b"abcdefghijklmnopqrst"
AGREED = CAPABILITIES | CLIENT_SECURE_CONNECTION
USERS = [{"name": "front", "password": "secret"}]


def change(password: str = USERS[0]["password"]) -> bytes:
    """Build a COM_CHANGE_USER without authentication plugins: proved against the greeting's scramble."""
    proof = native_proof(sha1(password.encode()).digest(), SCRAMBLE)  # noqa: S324
    return packet(build_change_user(HandshakeResponse(AGREED, 45, "front", proof, "shop")))


async def changed(stage: Stage, command: bytes) -> bytes:
    """Send *command*; the stage's client is whoever reads after it."""
    stage.client.scramble = SCRAMBLE
    stage.client.login = replace(stage.client.login, capabilities=AGREED)
    answer = await stage.send(command)
    if isinstance(stage.transport.protocol, ClientConnection):
        stage.client = stage.transport.protocol
    return answer


def show_mariadb(stage: Stage) -> None:
    """Let the servers be MariaDB's."""
    seen = (server("db1", Role.PRIMARY), server("db2"), server("db3"))
    stage.gateway.update(Snapshot(2, seen, "db1", Greeting("10.11.19", 45, 0, Flavor.MARIADB), ""))


def test_a_new_session_on_new_connections() -> None:
    """The old connections are closed, and the next statement goes out on those of the new user."""

    async def play(stage: Stage) -> None:
        await stage.send(query("LOCK TABLES t READ"))
        old = list(stage.client.backends.values())
        assert stage.client.home is not None
        first, before = stage.client, stage.client.session.version
        assert (await changed(stage, change()))[4] == 0
        assert stage.client is not first
        assert all(backend.closed for backend in old)
        assert (stage.client.account.user, stage.client.session.schema) == ("front", b"shop")
        assert stage.client.session.version > before
        assert stage.client.home is None
        assert stage.gateway.clients == {stage.client.number: stage.client}
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}

    on_stage(play, users=USERS)


@pytest.mark.parametrize("option", [0, 1])
def test_several_statements_stay_as_they_were_set(option: int) -> None:
    """COM_SET_OPTION is of the connection, not of its user: seen on both flavors."""

    async def play(stage: Stage) -> None:
        await stage.send(packet(b"\x1b" + bytes((option, 0))))
        await changed(stage, change())
        assert bool(stage.client.account.capabilities & CLIENT_MULTI_STATEMENTS) is not bool(option)

    on_stage(play, users=USERS)


def test_what_was_written_is_still_waited_for() -> None:
    """The position of the old session's writes goes over to the new one."""
    gtid = BASE.replace("1-9", "10")
    state = b"\x03" + bytes((len(gtid) + 2, 0, len(gtid))) + gtid.encode()

    def script(name: str, command: bytes) -> bytes | None:
        return ok(2, state) if b"INSERT" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("INSERT INTO t VALUES (1)"))
        await changed(stage, change())
        await stage.send(query("SELECT 1"))
        assert set(stage.sent(b"WAIT_FOR_EXECUTED_GTID_SET")) <= {"db2", "db3"}
        assert stage.sent(b"WAIT_FOR_EXECUTED_GTID_SET")

    on_stage(play, script, users=USERS)


def test_a_wrong_password_ends_the_connection() -> None:
    """As MySQL does; what the session had on servers is gone at once."""

    async def play(stage: Stage) -> None:
        old = list(stage.client.backends.values())
        answer = await changed(stage, change("wrong"))
        assert b"Access denied for user 'front'" in answer
        assert stage.transport.closed
        assert all(backend.closed for backend in old)

    on_stage(play, users=USERS)


def test_mariadb_goes_on_with_the_old_user_three_times() -> None:
    """After three failures the command is not known any more; the session is fresh and works."""

    async def play(stage: Stage) -> None:
        show_mariadb(stage)
        stage.refuse = {}
        for _ in range(3):
            assert b"Access denied" in await changed(stage, change("wrong"))
            assert not stage.transport.closed
        assert stage.client.account.user == "app"
        assert b"Unknown command" in await changed(stage, change())
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}

    on_stage(play, users=USERS)


@pytest.mark.parametrize("refused", [True, False])
def test_what_the_servers_say_is_passed_on(refused: bool) -> None:
    """A server's refusal word for word; that nobody answers, in the router's."""

    async def play(stage: Stage) -> None:
        error = Refusal(1049, "42000", "Unknown database 'shop'") if refused else OSError("unplugged")
        stage.refuse = {"db1": error, "db2": error, "db3": error}
        answer = await changed(stage, change())
        assert (b"Unknown database 'shop'" if refused else b"unplugged") in answer
        assert stage.transport.closed

    on_stage(play, users=USERS, limits={"primary_wait": 0})


def test_a_client_that_goes_away_in_it() -> None:
    """Nobody is logged in, and nothing is left of it."""

    async def play(stage: Stage) -> None:
        stage.client.scramble = SCRAMBLE
        stage.client.login = replace(stage.client.login, capabilities=AGREED)
        stage.client.data_received(change())
        protocol = stage.transport.protocol
        assert isinstance(protocol, asyncio.Protocol)
        stage.transport.close()
        protocol.connection_lost(None)
        await stage.settle()
        assert stage.gateway.clients == {}
        assert all(backend.closed for backend in stage.opened.values())

    on_stage(play, users=USERS)


@pytest.mark.parametrize("cut", range(1, 28, 3))
def test_a_command_that_is_cut_short_ends_it(cut: int) -> None:
    """What can't be read gets an error, and the connection ends: on MariaDB too."""

    async def play(stage: Stage) -> None:
        show_mariadb(stage)
        answer = await changed(stage, packet(change()[4 : 4 + cut]))
        assert answer[4] == 0xFF
        assert stage.transport.closed or b"Access denied" in answer

    on_stage(play, users=USERS)


def test_nobody_waits_for_ever() -> None:
    """A client that begins, and says nothing more, is hung up on after limits.handshake_timeout."""

    async def play(stage: Stage) -> None:
        stage.client.login = replace(stage.client.login, capabilities=AGREED | CLIENT_PLUGIN_AUTH)
        asked = await stage.send(packet(b"\x11front\0\0shop\0\x2d\0mysql_native_password\0"))
        assert asked[4] == 0xFE  # an auth switch, that nobody answers
        protocol = stage.transport.protocol
        assert isinstance(protocol, UserChange)
        protocol._too_late()
        assert stage.transport.closed

    on_stage(play, users=USERS)


@pytest.mark.parametrize("is_mariadb", [True, False])
@pytest.mark.parametrize("password", [USERS[0]["password"], "wrong"])
def test_mariadb_forgets_that_blanks_are_ignored(is_mariadb: bool, password: str) -> None:
    """COM_CHANGE_USER resets sql_mode there, and looks at the capability in a login alone."""

    async def play(stage: Stage) -> None:
        if is_mariadb:
            show_mariadb(stage)
        first = stage.client
        first.account = first.account._replace(capabilities=AGREED | CLIENT_IGNORE_SPACE)
        stage.client.scramble = SCRAMBLE
        stage.client.login = replace(first.login, capabilities=AGREED | CLIENT_IGNORE_SPACE)
        await stage.send(change(password))
        second = stage.transport.protocol
        if isinstance(second, ClientConnection):
            assert bool(second.account.capabilities & CLIENT_IGNORE_SPACE) != is_mariadb
        assert isinstance(second, ClientConnection) == (is_mariadb or password != "wrong")

    on_stage(play, users=USERS)
