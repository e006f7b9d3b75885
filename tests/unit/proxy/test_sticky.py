"""Monotonic reads: a session keeps to a server, and asks for a position where it leaves it."""

from rwrouter.model import Role, State
from rwrouter.proxy.servers import Endpoint
from rwrouter.proxy.sticky import Sticky
from rwrouter.routing.balancer import RoundRobin
from rwrouter.routing.session import Session
from tests.unit.proxy.stage import BASE, Stage, by_name, on_stage, query, row, server

MONOTONIC = {"reads": {"monotonic": True, "primary_weight": 0}}


class Shared:
    """Routes of which only the readers matter."""

    def __init__(self, *members: Endpoint) -> None:
        self.show(*members)

    def show(self, *members: Endpoint) -> None:
        """Let these be all."""
        self.readers = RoundRobin([(member, 1) for member in members])


def test_it_keeps_to_one_until_that_is_gone_or_another_comes() -> None:
    """A first choice needs no position; each later one does."""
    first, second, third = (Endpoint(server(name)) for name in ("db2", "db3", "db4"))
    session, shared = Session(), Shared(first, second)
    sticky = Sticky(shared, session)  # type: ignore[arg-type]
    assert {sticky.pick() for _ in range(9)} == {first}
    assert not session.position_unknown
    shared.show(first)
    assert sticky.pick() is first
    assert not session.position_unknown
    assert sticky.pick_if({first, second}) is first
    assert sticky.peek_if({second}) is None
    shared.show(second)
    assert sticky.pick() is second
    assert session.position_unknown
    session.position_unknown = False
    shared.show(third, second)
    assert sticky.pick() is third, "there is one more: all are chosen anew"
    assert sticky.pick_if({second}) is second
    assert sticky.pick() is second
    shared.show()
    assert sticky.pick() is None


def script(name: str, command: bytes) -> bytes | None:
    """Servers of which the primary tells its position, and replicas get there."""
    if b"gtid_executed" in command:
        return row(BASE)
    return row("0") if b"WAIT_FOR" in command else by_name(name, command)


def test_a_move_waits_for_what_the_primary_has() -> None:
    """Reads stay; what was read on the primary, or elsewhere, has to be there before the next one."""

    async def play(stage: Stage) -> None:
        own = await stage.send(query("SELECT 1"))
        assert own in {row("db2"), row("db3")}
        for _ in range(4):
            assert await stage.send(query("SELECT 1")) == own
        assert not stage.sent(b"gtid_executed")
        await stage.send(query("SELECT a FROM t FOR UPDATE"))
        for _ in range(2):
            assert await stage.send(query("SELECT 1")) == own
        assert stage.sent(b"gtid_executed") == ["db1"]
        gone = "db2" if own == row("db2") else "db3"
        stage.show(
            server("db1", Role.PRIMARY),
            *(server(name, state=State.DRAINING if name == gone else State.UP) for name in ("db2", "db3")),
            generation=2,
        )
        other = row("db3" if gone == "db2" else "db2")
        assert await stage.send(query("SELECT 1")) == other
        assert stage.sent(b"gtid_executed") == ["db1", "db1"]

    on_stage(play, script, **MONOTONIC)


def test_without_a_position_the_primary_answers() -> None:
    """Where nobody tells it, no replica is asked."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SELECT 1"))
        await stage.send(query("UPDATE t SET a=1"))
        assert await stage.send(query("SELECT 2")) == row("db1")

    on_stage(
        play, lambda name, command: row("") if b"gtid" in command else script(name, command), **MONOTONIC
    )
