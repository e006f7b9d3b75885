"""What one server is, by what is known of it."""

from dataclasses import replace

import pytest

from rwrouter.cluster.health import Health
from rwrouter.cluster.judging import PRIMARY_LAG, View, judge
from rwrouter.cluster.lag import Positions
from rwrouter.cluster.probes import NEEDED, Answer
from rwrouter.cluster.watched import Watched
from rwrouter.config.model import ReadSettings, ServerSettings
from rwrouter.model import Address, Lag, Role, State
from tests.unit.cluster.test_monitor import REFUSED, FakeServer

VIEW = View("db1", None, None, (), (), Positions(), ReadSettings(max_lag=10.0))


def answered(behind: int | None = 0, *, read_only: bool = True) -> Watched:
    """Return db2 as it is when it has just answered, at 1.0."""
    one = Watched("db2", Address("db2", 3306), ServerSettings(address="db2", weight=7), Health(2, 2))
    answer = FakeServer(2, behind=behind, read_only=read_only).answer(NEEDED, 1.0)
    assert isinstance(answer, Answer)
    one.take(1.0, answer)
    return one


@pytest.mark.parametrize(
    ("behind", "state", "reason"),
    [
        (0, State.UP, ""),
        (10, State.UP, ""),
        (11, State.LAGGING, "is 11.0 s behind (limit 10 s; Seconds_Behind_Source)"),
        (None, State.LAGGING, "applier stopped: by hand"),
    ],
)
def test_a_replica_by_its_lag(behind: int | None, state: State, reason: str) -> None:
    """One that is too far behind, or does not tell, gets no reads, and says why."""
    one = answered(behind)
    if behind is None:
        assert one.seen is not None
        channel = replace(one.seen.channels[0], is_applying=False)
        one.seen = replace(one.seen, channels=(channel,))
    server = judge(one, 1.0, VIEW)
    assert (server.role, server.state, server.reason) == (Role.REPLICA, state, reason)
    assert (server.weight, server.uuid) == (7, "u2")


def test_the_primary_has_no_lag() -> None:
    """Nor one that was measured when it was a replica; it has none of that time when it is one again."""
    one = answered(99, read_only=False)
    judge(one, 1.0, VIEW)
    server = judge(one, 1.0, replace(VIEW, primary="db2"))
    assert (server.role, server.state, server.lag) == (Role.PRIMARY, State.UP, PRIMARY_LAG)
    assert judge(one, 2.0, VIEW).lag == Lag(None, "not probed since it was the primary")


def test_a_persons_word_stands_over_health() -> None:
    """And a server that is listed twice is used once."""
    one = answered()
    one.decreed = State.DRAINING
    assert (judge(one, 1.0, VIEW).state, judge(one, 1.0, VIEW).reason) == (
        State.DRAINING,
        "draining by a person",
    )
    one.twin = "db1"
    assert judge(one, 1.0, VIEW).state is State.DOWN


def test_a_dead_server_says_why() -> None:
    """By its last failure."""
    one = answered()
    for now in (2.0, 3.0):
        one.fail(now, REFUSED)
    server = judge(one, 3.0, VIEW)
    assert (server.state, server.reason) == (State.DOWN, "connection refused")
