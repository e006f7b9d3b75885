"""User variables that were set elsewhere are brought to the primary before its next statement."""

from rwrouter.protocol.resultset import build_text_result
from tests.unit.proxy.stage import CAPABILITIES, Stage, by_name, error, ok, on_stage, query, row

OPEN = 2 | 1 | 0x2000


def script(name: str, command: bytes) -> bytes | None:
    """Servers in which a transaction begins and ends, and @x is 5."""
    if b"START TRANSACTION" in command:
        return ok(OPEN)
    if b"INTO @x" in command:
        return ok(OPEN)
    if b"COMMIT" in command:
        return ok(2)
    if b"COLLATION" in command:
        return build_text_result(["@x", "digits", "collation"], [[5, "35", "binary"]], CAPABILITIES)
    return by_name(name, command)


async def _set_on_a_replica(stage: Stage) -> str:
    await stage.send(query("START TRANSACTION READ ONLY"))
    home = stage.client.home
    assert home is not None
    await stage.send(query("SELECT a FROM t INTO @x"))
    await stage.send(query("COMMIT"))
    return home.endpoint.server.name


def test_they_are_read_there_and_set_here() -> None:
    """Once: after that the primary has them."""

    async def play(stage: Stage) -> None:
        replica = await _set_on_a_replica(stage)
        for _ in range(2):
            assert await stage.send(query("SELECT @x")) == row("db1")
        assert stage.sent(b"COLLATION") == [replica]
        assert stage.sent(b"SET @`x` = CAST(5 AS SIGNED)") == ["db1"]

    on_stage(play, script)


def test_a_session_whose_variables_can_not_be_read_ends() -> None:
    """Rather than go on without them."""

    async def play(stage: Stage) -> None:
        await _set_on_a_replica(stage)
        stage.script = lambda name, command: error(1064) if b"COLLATION" in command else script(name, command)
        assert b"user variables" in await stage.send(query("SELECT @x"))
        assert stage.transport.closed

    on_stage(play, script)


def test_a_reset_is_done_where_the_session_comes_next() -> None:
    """COM_RESET_CONNECTION keeps the other connections, and resets each before its next statement."""

    async def play(stage: Stage) -> None:
        for _ in range(2):
            await stage.send(query("SELECT 1"))
        await stage.send(query("SET @x = 1"))
        opened = dict(stage.opened)
        await stage.send(b"\x01\x00\x00\x00\x1f")
        assert not stage.client.session.keeps
        for _ in range(4):
            await stage.send(query("SELECT 1"))
        resets = [name for name, data in stage.log if data == b"\x01\x00\x00\x00\x1f"]
        assert sorted(resets) == ["db1", "db2", "db3"]
        assert stage.opened == opened

    on_stage(play, script)
