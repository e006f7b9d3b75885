"""The lag that each state of a replica has, and the limits."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.cluster.gtid import GtidSet
from rwrouter.cluster.lag import Evidence, LagMeter, Positions, behind_heartbeat, is_near
from rwrouter.cluster.probes import Applier, Channel, Receiver
from rwrouter.model import Lag

GOOD = Channel("", "db1", 3306, "", 1, Receiver.YES, is_applying=True, behind=0.0, error="")
LOST = replace(GOOD, receiver=Receiver.CONNECTING, behind=None, error="connection refused")
A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


def upto(number: int) -> GtidSet:
    return GtidSet.parse(f"{A}:1-{number}") if number else GtidSet()


@pytest.mark.parametrize(
    ("case", "evidence", "lag"),
    [
        ("caught up", Evidence((GOOD,)), Lag(0.0, "Seconds_Behind_Source")),
        ("behind", Evidence((replace(GOOD, behind=7.0),)), Lag(7.0, "Seconds_Behind_Source")),
        (
            "the worst of several sources counts",
            Evidence((GOOD, replace(GOOD, name="two", behind=3.0))),
            Lag(3.0, "Seconds_Behind_Source"),
        ),
        ("no replica", Evidence(()), Lag(None, "is not a replica")),
        (
            "another set's replica",
            Evidence((GOOD,), stray_source="db9:3306"),
            Lag(None, "replicates from db9:3306, which is none of these servers"),
        ),
        (
            "applier stopped by hand",
            Evidence((replace(GOOD, is_applying=False, behind=None),)),
            Lag(None, "applier stopped: by hand"),
        ),
        (
            "applier failed",
            Evidence(
                (
                    replace(
                        GOOD,
                        is_applying=False,
                        behind=None,
                        error="Duplicate entry",
                        applier_error="Duplicate entry",
                    ),
                )
            ),
            Lag(None, "applier stopped: Duplicate entry"),
        ),
        (
            "receiver stopped by hand",
            Evidence((replace(GOOD, receiver=Receiver.NO, behind=None),)),
            Lag(None, "receiver stopped: by hand"),
        ),
        (
            "never connected",
            Evidence((LOST,)),
            Lag(None, "receiver has lost its source: connection refused"),
        ),
        (
            "both threads run, no number",
            Evidence((replace(GOOD, behind=None),)),
            Lag(None, "neither Seconds_Behind_Source nor GTIDs tell it"),
        ),
        (
            "what was not fetched is not hidden",
            Evidence((GOOD,), missing_since=96.0, has_positions=True),
            Lag(4.0, "GTID positions"),
        ),
        (
            "a group member has GTIDs alone",
            Evidence((), has_positions=True, is_member=True),
            Lag(0.0, "GTID positions"),
        ),
        (
            "to the millisecond, with the clocks' difference taken out",
            Evidence((GOOD,), applier=(Applier("", 1100.0, 1049.750, is_exact=True),), skew=50.0),
            Lag(0.25, "commit timestamps"),
        ),
        (
            "all that was received is applied",
            Evidence((GOOD,), applier=(Applier("", 1100.0, None, is_exact=True),)),
            Lag(0.0, "commit timestamps"),
        ),
        (
            "waiting: the newest that was received is a lower bound",
            Evidence((replace(GOOD, behind=2.0),), applier=(Applier("", 1100.0, 1099.0, is_exact=False),)),
            Lag(2.0, "Seconds_Behind_Source"),
        ),
        (
            "and the status is one too",
            Evidence((replace(GOOD, behind=2.0),), applier=(Applier("", 1100.0, 1097.5, is_exact=False),)),
            Lag(2.5, "commit timestamps"),
        ),
    ],
)
def test_each_state_has_one_reading(case: str, evidence: Evidence, lag: Lag) -> None:
    """Unknown is never 0, and says why; what is known says where from."""
    assert LagMeter().measure(100.0, evidence) == lag, case


def test_a_receiver_without_source_lets_the_lag_grow() -> None:
    """The last lag plus the time since is an upper bound, until the receiver is back."""
    meter = LagMeter()
    meter.measure(100.0, Evidence((replace(GOOD, behind=1.0),)))
    assert meter.measure(104.0, Evidence((LOST,))).seconds == 5.0
    assert meter.measure(109.0, Evidence((LOST,))).seconds == 10.0
    assert meter.measure(110.0, Evidence((GOOD,))).seconds == 0.0


def test_nothing_grows_while_the_primary_is_gone() -> None:
    """Nobody writes, so reads go on: the lag stays as it was when the primary was last seen."""
    meter = LagMeter()
    meter.measure(100.0, Evidence((GOOD,)))
    gave_up = replace(LOST, receiver=Receiver.NO)
    for now in (105.0, 500.0):
        assert meter.measure(now, Evidence((LOST,)), source_lost=100.5).seconds == 0.5
    assert meter.measure(600.0, Evidence((gave_up,)), source_lost=100.5).seconds == 0.5
    stopped = replace(GOOD, receiver=Receiver.NO)
    assert meter.measure(601.0, Evidence((stopped,)), source_lost=100.5).seconds is None


def test_a_stopped_applier_forgets_the_past() -> None:
    """After an applier was stopped, a lost source has no last lag to grow from."""
    meter = LagMeter()
    meter.measure(100.0, Evidence((GOOD,)))
    meter.measure(101.0, Evidence((replace(GOOD, is_applying=False),)))
    assert meter.measure(102.0, Evidence((LOST,))).seconds is None
    assert meter.grown(103.0, "no answer").seconds is None


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 250))
def test_positions_tell_since_when_something_is_missing(steps: list[int], applied: int) -> None:
    """A primary that commits *steps* transactions a second: the age is that of the first one not applied."""
    positions, seen, executed = Positions(), [], 0
    for second, step in enumerate(steps):
        executed += step
        positions.note(float(second), upto(executed))
        seen.append(executed)
    expected = next((float(second) for second, had in enumerate(seen) if had > applied), None)
    assert positions.missing_since(upto(applied)) == expected
    assert bool(positions) == (executed > 0)


def test_positions_of_another_history_are_dropped() -> None:
    """After RESET, or on another primary, nothing of the past is held against a replica."""
    positions = Positions()
    positions.note(1.0, upto(9))
    positions.note(2.0, GtidSet.parse(f"{A.replace('3', '4')}:1"))
    assert positions.missing_since(upto(9)) == 2.0
    assert positions.missing_since(GtidSet.parse(f"{A.replace('3', '4')}:1-2")) is None
    positions.forget()
    assert not positions
    assert positions.missing_since(GtidSet()) is None


def test_positions_are_bounded() -> None:
    """A day of a busy primary takes no more memory than a quarter of an hour."""
    positions = Positions()
    for second in range(3000):
        positions.note(float(second), upto(second + 1))
    assert positions.missing_since(upto(1)) == 3000.0 - 1024


@pytest.mark.parametrize(
    ("seconds", "was_near", "near"),
    [
        (0.0, True, True),
        (10.0, True, True),
        (10.1, True, False),
        (None, True, False),
        (9.0, False, False),
        (5.0, False, True),
        (None, False, False),
    ],
)
def test_two_limits_keep_a_replica_from_flapping(seconds: float | None, was_near: bool, near: bool) -> None:
    """It leaves above 10 seconds, and comes back at 5."""
    assert is_near(Lag(seconds), was_near=was_near, leave=10.0, resume=5.0) is near


def test_a_member_that_sees_no_majority_grows_old() -> None:
    """It had all a moment ago; one that recovers, or was expelled, has nothing that could be relied on."""
    meter = LagMeter()
    well = Evidence((), is_member=True, has_positions=True)
    assert meter.measure(10.0, well).seconds == 0.0
    lost = replace(well, group_trouble="has lost the majority of its group")
    assert meter.measure(13.0, lost, source_lost=10.0) == Lag(3.0, "has lost the majority of its group")
    assert meter.measure(14.0, replace(lost, is_member=False)).seconds is None


@pytest.mark.parametrize(
    ("case", "own", "primary", "since", "behind"),
    [
        ("the same beat", {1: 50.0}, {1: 50.0}, 0.7, 0.0),
        ("read after the primary: a newer one", {1: 51.0}, {1: 50.0}, 0.7, 0.0),
        ("an older one, and the primary had it a while ago", {1: 47.0}, {1: 50.0}, 0.7, 3.7),
        ("read before the primary", {1: 47.0}, {1: 50.0}, -0.4, 3.0),
        ("the row of an earlier primary does not count", {1: 50.0, 9: 7.0}, {1: 50.0, 9: 90.0}, 0.0, 0.0),
        ("written by somebody else", {9: 47.0}, {9: 50.0}, 0.0, 3.0),
        ("not arrived yet", {9: 7.0}, {1: 50.0}, 0.0, None),
        ("no heartbeat at all", {}, {}, 0.0, None),
    ],
)
def test_a_heartbeat_is_compared_with_the_primarys(
    case: str, own: dict[int, float], primary: dict[int, float], since: float, behind: float | None
) -> None:
    """By what the primary has of it: neither clocks nor time zones matter, and a frozen one is no lag."""
    found = behind_heartbeat(own, primary, 1, since)
    assert found == (None if behind is None else pytest.approx(behind)), case


def test_the_heartbeat_is_asked_where_commit_times_are_not_exact() -> None:
    """It is finer than whole seconds, and coarser than commit times."""
    behind = replace(GOOD, behind=1.0)
    assert LagMeter().measure(10.0, Evidence((behind,), heartbeat=1.25)) == Lag(1.25, "heartbeat table")
    exact = Applier("", now=100.0, oldest=99.4, is_exact=True)
    assert LagMeter().measure(10.0, Evidence((behind,), (exact,), heartbeat=1.25)) == Lag(
        0.6, "commit timestamps"
    )
