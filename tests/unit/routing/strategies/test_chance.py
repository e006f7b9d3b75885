"""Weighted random choice."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from rwrouter.routing.strategies.chance import Chance


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.integers())
def test_shares_are_those_of_the_weights(weights: list[int], seed: int) -> None:
    """Over 2,000 choices each share is within 6 % of the whole of what its weight says; no weight, no choice."""
    balancer = Chance(list(enumerate(weights)), Random(seed).random)
    counts = Counter(balancer.pick() for _ in range(2000))
    if not sum(weights):
        assert counts == {None: 2000}
        return
    for member, weight in enumerate(weights):
        assert abs(counts[member] / 2000 - weight / sum(weights)) < 0.06
        assert weight or not counts[member]


def test_the_unfit_are_passed_over() -> None:
    """Their share falls to the others by weight; none, where none is fit."""
    balancer = Chance([("a", 1), ("b", 3), ("c", 6)], Random(1).random)
    counts = Counter(balancer.pick_if({"a", "b"}) for _ in range(4000))
    assert abs(counts["b"] / 4000 - 0.75) < 0.03
    assert counts["c"] == 0
    assert balancer.pick_if({"x"}) is None
    assert Chance([("a", 1)], lambda: 1.0 - 2**-53).pick_if({"a"}) == "a"
