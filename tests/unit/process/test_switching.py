"""Carrying a switchover out: the order of things, and that each failure is undone."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from rwrouter.cluster.probes import Row
from rwrouter.cluster.standing import Standing
from rwrouter.cluster.steps import Order, Statement
from rwrouter.model import Address, Role, Server, Snapshot, State
from rwrouter.process.hands import StepFailed
from rwrouter.process.switching import Switchover
from tests.unit.cluster.test_switchover import ORDER, three

SERVERS = tuple(
    Server(name, Address(name, 3306), Role.PRIMARY if name == "db1" else Role.REPLICA, State.UP, "")
    for name in ("db1", "db2", "db3")
)
SNAPSHOT = Snapshot(1, SERVERS, "db1", None, "")


class World:
    """Gate and hands at once: they note what is done, and fail where they are told to."""

    def __init__(self, fails: str = "", open_transactions: Sequence[int] = (0,), unseen: str = "") -> None:
        self.log: list[str] = []
        self.fails = fails
        self.open = list(open_transactions)
        self.unseen = unseen

    def hold(self, candidate: str) -> None:
        """Note."""
        self.log.append(f"hold {candidate}")

    def release(self) -> None:
        """Note."""
        self.log.append("release")

    async def drained(self, limit: float) -> int:  # noqa: ARG002
        """Tell what is left."""
        return self.open.pop(0)

    def end_transactions(self) -> None:
        """Note."""
        self.log.append("end transactions")

    async def recognised(self, name: str, limit: float) -> bool:  # noqa: ARG002
        """Tell whether it is seen."""
        self.log.append(f"look for {name}")
        return name != self.unseen

    async def run(self, server: str, statement: Statement, limit: float) -> list[Row]:  # noqa: ARG002
        """Note, and fail once where it is asked for."""
        done = f"{server}: {statement}"
        self.log.append(done)
        if self.fails and self.fails in done:
            self.fails = ""
            raise StepFailed(f"{server}: it broke")
        if "gtid_executed" in done:
            return [{"x": "a:1-9"}]
        if "WAIT_FOR" in done:
            return [{"x": 0}]
        if "STATUS" in done:
            return [
                {
                    "Source_Host": "db2",
                    "Source_Port": 3306,
                    "Source_Server_Id": 2,
                    "Replica_IO_Running": "Yes",
                    "Replica_SQL_Running": "Yes",
                    "Seconds_Behind_Source": 0,
                }
            ]
        return []

    async def look(self, server: str, limit: float) -> Standing:  # noqa: ARG002
        """Give one of three servers that are well."""
        return three()[server]

    def close(self) -> None:
        """Note."""
        self.log.append("close")


def run(world: World, order: Order = ORDER, snapshot: Snapshot = SNAPSHOT) -> dict[str, object]:
    """Carry a switchover out in *world*; return its report, which is JSON without a secret."""

    async def play() -> dict[str, object]:
        switchover = Switchover(order, snapshot, world, world)
        await switchover.run()
        return switchover.report.as_json()

    report = asyncio.run(play())
    assert "topsecret" not in json.dumps(report)
    assert "hidden" not in json.dumps(report)
    return report


def test_it_is_done() -> None:
    """Nothing is opened before the others follow, and nothing flows before it is seen."""
    world = World()
    report = run(world)
    assert report["state"] == "done"
    order = ["hold db2", "super_read_only = 1", "WAIT_FOR", "db2: STOP", "START REPLICA", "STATUS"]
    order += ["db2: SET GLOBAL read_only = 0", "look for db2", "release", "db2: RESET REPLICA ALL"]
    places = [next(i for i, line in enumerate(world.log) if part in line) for part in order]
    assert places == sorted(places)
    assert isinstance(report["held_seconds"], float)


@pytest.mark.parametrize(
    ("fails", "first_undone"),
    [
        ("super_read_only = 1", "db1: SET GLOBAL read_only = 0"),
        ("gtid_executed", "db1: SET GLOBAL read_only = 0"),
        ("WAIT_FOR", "db1: SET GLOBAL read_only = 0"),
        ("db2: STOP REPLICA", "db2: START REPLICA"),
        ("db1: CHANGE", "db1: STOP REPLICA"),
        ("db3: START REPLICA", "db3: STOP REPLICA"),
        ("STATUS", "db1: STOP REPLICA"),
        ("db2: SET GLOBAL read_only = 0", "db2: SET GLOBAL super_read_only = 1"),
    ],
)
def test_a_failure_is_undone(fails: str, first_undone: str) -> None:
    """All is taken back, last first; the old primary takes writes before they flow again."""
    world = World(fails)
    report = run(world)
    assert report["state"] == "rolled back"
    failed = next(i for i, line in enumerate(world.log) if fails in line)
    after = world.log[failed + 1 :]
    assert first_undone in after
    assert after.index("db1: SET GLOBAL read_only = 0") < after.index("look for db1") < after.index("release")
    assert "it broke" in str(report["problems"])


def test_what_a_server_has_refused_is_not_undone_there() -> None:
    """An operator without rights could not undo it either: nothing was changed, and that is the report."""

    class Refusing(World):
        async def run(self, server: str, statement: Statement, limit: float) -> list[Row]:
            if "read_only" in str(statement):
                self.log.append(f"{server}: {statement}")
                raise StepFailed("db1: Access denied (1227)", is_refusal=True)
            return await super().run(server, statement, limit)

    world = Refusing()
    report = run(world)
    assert report["state"] == "rolled back"
    assert world.log == [
        "hold db2",
        "db1: SET GLOBAL super_read_only = 1",
        "look for db1",
        "release",
        "close",
    ]


def test_a_new_primary_that_is_not_seen_is_undone() -> None:
    """The router's own look at it is a step as others are."""
    world = World(unseen="db2")
    assert run(world)["state"] == "rolled back"
    assert "db2: SET GLOBAL super_read_only = 1" in world.log


def test_what_can_not_be_undone_is_told() -> None:
    """With the statements to run by hand; the other steps are undone all the same."""

    class Stubborn(World):
        async def run(self, server: str, statement: Statement, limit: float) -> list[Row]:
            if str(statement) == "SET GLOBAL read_only = 0" and server == "db1":
                raise StepFailed("db1: gone")
            return await super().run(server, statement, limit)

    world = Stubborn("db2: STOP REPLICA")
    report = run(world)
    assert report["state"] == "failed"
    assert "fence is not undone: db1: gone; by hand: ['db1: SET GLOBAL read_only = 0']" in str(
        report["problems"]
    )
    assert "db2: START REPLICA" in world.log
    assert world.log[-2:] == ["release", "close"]


def test_a_clean_up_that_fails_is_a_warning() -> None:
    """Writes flow already."""
    report = run(World("RESET REPLICA ALL"))
    assert report["state"] == "done"
    assert "do it by hand: ['db2: RESET REPLICA ALL']" in str(report["warnings"])


def test_transactions_that_do_not_end() -> None:
    """Refused by default, with nothing changed; ended where that is asked for."""
    world = World(open_transactions=(2,))
    report = run(world)
    assert report["state"] == "rolled back"
    assert "2 transaction(s) still open on db1" in str(report["problems"])
    assert world.log == ["hold db2", "look for db1", "release", "close"]
    world = World(open_transactions=(2, 0))
    assert run(world, Order("db2", "admin", kills=True))["state"] == "done"
    assert world.log[1] == "end transactions"


@pytest.mark.parametrize(
    ("to", "primary", "why"),
    [
        ("db9", "db1", "there is no server 'db9'"),
        ("db1", "db1", "db1 is the primary already"),
        ("db2", None, "no primary"),
    ],
)
def test_what_is_refused(to: str, primary: str | None, why: str) -> None:
    """Nothing is held."""
    world = World()
    report = run(world, Order(to, "admin"), Snapshot(1, SERVERS, primary, None, "no primary: db1 is down"))
    assert report["state"] == "refused"
    assert why in str(report["problems"])
    assert world.log == ["close"]


def test_a_dry_run_changes_nothing() -> None:
    """It has the steps with their SQL."""
    world = World()
    report = run(world, Order("db2", "admin", dry_run=True))
    assert report["state"] == "planned"
    assert "SET GLOBAL super_read_only = 1" in str(report["steps"])
    assert world.log == ["close"]
