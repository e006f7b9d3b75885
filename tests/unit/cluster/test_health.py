"""Rise, fall and the circuit of one server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.cluster.health import Health, ramp


@pytest.mark.parametrize(
    ("case", "events", "is_up"),
    [
        ("the first answer brings it up", "+", True),
        ("one failure is forgiven", "+-", True),
        ("two in a row are not", "+--", False),
        ("an answer between forgives", "+-+-", True),
        ("one answer is not enough to come back", "+--+", False),
        ("two in a row are", "+--++", True),
        ("a failure between starts again", "+--+-+", False),
        ("what a worker saw alone takes nobody out", "+!", True),
        ("the probe that it brings about does, if it fails too", "+!-", False),
        ("and ends the doubt if it is answered", "+!+-", True),
        ("a server never seen is down", "---", False),
        ("and comes with its first answer", "---+", True),
        ("a worker's word says nothing of an unseen server", "!+", True),
    ],
)
def test_rise_and_fall(case: str, events: str, is_up: bool) -> None:
    """With rise = fall = 2: + is an answered probe, - a failed one, ! a worker's failure."""
    health = Health(rise=2, fall=2)
    for event in events:
        apply(health, event)
    assert health.is_up is is_up, case
    assert health.is_up or health.why


@given(st.text("+-!", max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_enough_in_a_row_always_decides(events: str, rise: int, fall: int) -> None:
    """After any past *fall* failures take a server out, *rise* answers bring it back; each change is told."""
    health = Health(rise=rise, fall=fall)
    for event in events:
        before = health.is_up
        assert apply(health, event) == (health.is_up is not before)
    for _ in range(fall):
        health.on_failure("gone")
    assert not health.is_up
    assert health.why == "gone"
    for _ in range(rise):
        health.on_answer()
    assert health.is_up
    assert not health.why


def apply(health: Health, event: str) -> bool:
    """Play one *event*; return whether the health says that it changed."""
    if event == "+":
        return health.on_answer()
    if event == "-":
        return health.on_failure("no answer")
    health.on_passive_failure()
    return False


def test_a_server_that_comes_back_starts_slowly() -> None:
    """A tenth at once, the whole after the whole time, and in steps that never fall."""
    steps = [ramp(second / 10, 10.0) for second in range(120)]
    assert (steps[0], steps[50], steps[99], steps[100]) == (0.1, 0.5, 0.9, 1.0)
    assert steps == sorted(steps)
    assert ramp(0.0, 0.0) == 1.0
