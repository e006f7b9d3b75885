"""One server, and what its answers teach."""

import pytest

from rwrouter.cluster.health import Health
from rwrouter.cluster.probes import NEEDED, Answer, Failure, Greeted, Refusal, Row, Topic
from rwrouter.cluster.watched import FIND, SLOW_TOPICS, Watched
from rwrouter.config.model import ServerSettings
from rwrouter.model import Address
from tests.unit.cluster.test_monitor import FakeServer

NEVER = {Topic.REPLICAS, Topic.DUMPS, Topic.HEARTBEAT}  # unless the settings ask for them


def unknown() -> Watched:
    """Return a server that was not asked yet."""
    return Watched("db1", Address("db1", 3306), ServerSettings(address="db1"), Health(2, 2))


def test_what_is_asked_when() -> None:
    """All at first; what seldom changes after a while; who replicates from it more often; the needed always."""
    one, there = unknown(), FakeServer(1)
    asked = []
    for now in (0.0, 1.0, FIND, SLOW_TOPICS):
        topics = one.topics(now, discovers=True, has_heartbeat=False)
        answer = there.answer(topics, now)
        assert isinstance(answer, Answer)
        one.take(now, answer)
        asked.append(topics)
    everything = frozenset(Topic) - {Topic.HEARTBEAT}
    assert asked == [everything, NEEDED, NEEDED | {Topic.REPLICAS, Topic.DUMPS}, everything]
    assert not unknown().topics(0.0, discovers=False, has_heartbeat=False) & NEVER
    assert Topic.HEARTBEAT in unknown().topics(0.0, discovers=False, has_heartbeat=True)


@pytest.mark.parametrize(
    ("version", "right"), [("9.7.4", "REPLICATION CLIENT"), ("5.5.5-10.11.19-MariaDB", "SLAVE MONITOR")]
)
def test_the_needed_right_is_named(version: str, right: str) -> None:
    """One right is all that is needed, and without it nothing is known."""
    answers: dict[Topic, list[Row] | Refusal] = {Topic.FACTS: [{}]}
    answers[Topic.REPLICATION] = Refusal(1227, "Access denied; you need SUPER")
    one = unknown()
    with pytest.raises(ValueError, match=rf"its replication: .*SUPER \(1227\): grant {right} to the monitor"):
        one.take(0.1, Answer(Greeted(version, 0, 255), answers))
    assert (one.seen, one.health.is_up) == (None, False)


def test_what_an_account_may_not_see_is_missed_and_not_asked_again_soon() -> None:
    """The rights that would tell it are named."""
    one, there = unknown(), FakeServer(1, rights=())
    there.replicas = Refusal(1227, "Access denied")
    topics = one.topics(0.0, discovers=True, has_heartbeat=False)
    answer = there.answer(topics, 0.0)
    assert isinstance(answer, Answer)
    one.take(0.0, answer)
    assert one.missing == {"PROCESS on *.*", "SELECT on performance_schema.*", "SHOW_ROUTINE on *.*"}
    assert one.refused == {Topic.REPLICAS, Topic.APPLIER, Topic.GROUP}
    assert one.topics(FIND, discovers=True, has_heartbeat=False) == NEEDED | {Topic.DUMPS}
    assert one.routines == {"shop.price"}


@pytest.mark.parametrize(
    ("failure", "is_up", "trouble"),
    [
        (Failure("Too many connections", 1040), True, "Too many connections"),
        (Failure("Access denied", 1045), True, "refuses the monitor's account: Access denied"),
        (Failure("connection refused", 2003), False, ""),
    ],
)
def test_a_server_that_answers_with_an_error_lives(failure: Failure, is_up: bool, trouble: str) -> None:
    """That it does not let the monitor look ends nothing; silence does."""
    one, there = unknown(), FakeServer(1)
    answer = there.answer(NEEDED, 0.0)
    assert isinstance(answer, Answer)
    one.take(0.0, answer)
    for now in (1.0, 2.0, 3.0):
        one.fail(now, failure)
    assert one.health.is_up is is_up
    assert one.trouble.startswith(trouble)
    assert bool(one.trouble) == bool(trouble)
