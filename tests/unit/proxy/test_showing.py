"""RWROUTER SHOW."""

from rwrouter.model import Role, State
from tests.unit.proxy.reading import items_of, rows_of
from tests.unit.proxy.stage import BASE, CAPABILITIES, Stage, by_name, ok, on_stage, query, server


def test_a_session_says_what_it_is_and_what_ties_it() -> None:
    """Free, then tied by name to a server."""

    def script(name: str, command: bytes) -> bytes | None:
        return ok(3) if b"BEGIN" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        found = items_of(await stage.send(query("RWROUTER SHOW SESSION")), CAPABILITIES)
        assert found["id"] == str(stage.client.number)
        assert found["user"] == "app"
        assert found["tied"].startswith("no")
        assert found["consistency"] == "session, by reads.consistency"
        assert "connection db1" in found
        await stage.send(query("BEGIN"))
        await stage.send(query("RWROUTER SET consistency = 'global', max_lag = '50ms'"))
        found = items_of(await stage.send(query("RWROUTER SHOW SESSION")), CAPABILITIES)
        assert found["tied"] == "to db1: transaction"
        assert found["consistency"] == "global, by RWROUTER SET"
        assert found["max_lag"] == "0.05 s, by RWROUTER SET"

    on_stage(play, script)


def test_servers_are_shown_as_the_worker_sees_them() -> None:
    """Role, state and lag, and what was sent there."""

    async def play(stage: Stage) -> None:
        down = server("db3", state=State.DOWN)
        stage.show(server("db1", Role.PRIMARY), server("db2"), down, generation=2)
        for _ in range(3):
            await stage.send(query("SELECT 1"))
        rows = rows_of(await stage.send(query("RWROUTER SHOW SERVERS")), CAPABILITIES)
        assert [row[0:4] for row in rows] == [
            ("db1", "db1:3306", "primary", "up"),
            ("db2", "db2:3306", "replica", "up"),
            ("db3", "db3:3306", "replica", "down"),
        ]
        assert rows[1][5] == "0"
        assert rows[1][12] == "3"
        assert rows[1][14] == BASE

    on_stage(play)
