"""Offsets of clocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.cluster.clock import SAMPLES, Clock


def test_nothing_is_known_at_first() -> None:
    """And nothing is taken out of any lag then."""
    assert Clock().offset == 0.0


@given(st.floats(-1e6, 1e6), st.lists(st.floats(0, 5), min_size=1, max_size=SAMPLES))
def test_the_answer_that_came_soonest_counts(ahead: float, delays: list[float]) -> None:
    """What a busy machine adds to the others is left out."""
    clock = Clock()
    for number, delay in enumerate(delays):
        clock.note(number + delay, number + ahead)
    assert clock.offset == pytest.approx(ahead - min(delays), abs=1e-6)


def test_a_clock_that_is_set_is_followed() -> None:
    """Forward at once, back after some answers."""
    clock = Clock()
    for theirs in (100.0, 3700.0):
        clock.note(0.0, theirs)
        assert clock.offset == theirs
    for _ in range(SAMPLES):
        clock.note(0.0, 100.0)
    assert clock.offset == 100.0
