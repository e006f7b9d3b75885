"""RWROUTER EXPLAIN."""

import pytest

from rwrouter.model import Role, State
from tests.unit.proxy.reading import items_of
from tests.unit.proxy.stage import CAPABILITIES, Stage, by_name, ok, on_stage, query, row, server

GTID = "00000000-0000-0000-0000-000000000001:10"
WROTE = bytes((3, len(GTID) + 2, 0, len(GTID))) + GTID.encode()


async def explained(stage: Stage, sql: str) -> dict[str, str]:
    """Ask."""
    return items_of(await stage.send(query(f"RWROUTER EXPLAIN {sql}")), CAPABILITIES)


@pytest.mark.parametrize("strategy", ["round_robin", "least_outstanding", "client_hash"])
def test_who_is_named_does_answer(strategy: str) -> None:
    """Asked as often as one likes, the turn does not move; then the named server gets the read."""

    async def play(stage: Stage) -> None:
        for _ in range(5):
            named = {(await explained(stage, "SELECT 1"))["server"].partition(":")[0] for _ in range(3)}
            assert len(named) == 1
            assert await stage.send(query("SELECT 1")) == row(named.pop())

    on_stage(play, reads={"strategy": strategy})


@pytest.mark.parametrize("strategy", ["latency", "random"])
def test_where_chance_decides_all_are_named(strategy: str) -> None:
    """No server is promised."""

    async def play(stage: Stage) -> None:
        found = await explained(stage, "SELECT 1")
        assert found["server"] == f"one of db2, db3: by chance, strategy {strategy}"

    on_stage(play, reads={"strategy": strategy, "primary_weight": 0})


def test_each_server_has_its_reason() -> None:
    """Down, weight, role: each candidate says why not."""

    async def play(stage: Stage) -> None:
        stage.show(server("db1", Role.PRIMARY), server("db2"), server("db3", state=State.DOWN), generation=2)
        found = await explained(stage, "SELECT a FROM t WHERE a = 5")
        assert found["target"] == "replica"
        assert found["digest"] == "SELECT a FROM t WHERE a = ?"
        assert found["goes to"] == "any server that is fit for the read: by its text"
        assert found["candidate db1"].startswith("no: the primary: it takes no reads")
        assert found["candidate db2"] == "chosen; replica, weight 100, lag 0 ms"
        assert found["candidate db3"].startswith("no: is down")
        found = await explained(stage, "UPDATE t SET a = 1")
        assert (found["target"], found["server"]) == ("primary", "db1")

    on_stage(play)


def test_waits_are_told() -> None:
    """After a write a replica that is not known to have it would be waited for; one that has it would not."""

    def script(name: str, command: bytes) -> bytes | None:
        return ok(state=WROTE) if b"INSERT" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("INSERT INTO t VALUES (1)"))
        assert (await explained(stage, "SELECT 1"))["waits"] == "up to 0.5 s for the session's writes"
        ahead = GTID.replace(":10", ":1-10")
        stage.show(server("db1", Role.PRIMARY), server("db2", executed=ahead), generation=2)
        found = await explained(stage, "SELECT 1")
        assert (found["server"], found["waits"]) == ("db2: its turn, by round_robin", "for nothing")

    on_stage(play, script)


def test_a_session_that_is_tied() -> None:
    """The connection that it is tied to answers, and what ties it is named."""

    def script(name: str, command: bytes) -> bytes | None:
        return ok(3) if b"BEGIN" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("BEGIN"))
        found = await explained(stage, "SELECT 1")
        assert found["session"] == "tied: transaction"
        assert found["goes to"] == "the connection that the session is tied to: a transaction is open"
        assert found["server"] == "db1"

    on_stage(play, script)


def test_nobody_is_fit() -> None:
    """What the settings then do is said."""

    async def play(stage: Stage) -> None:
        stage.show(server("db1", Role.PRIMARY), server("db2", state=State.LAGGING), generation=2)
        found = await explained(stage, "SELECT 1")
        assert found["server"] == "none of the readers: it fails (reads.fallback)"

    on_stage(play, reads={"fallback": "error"})
