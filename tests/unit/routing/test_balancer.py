"""Smooth weighted round robin."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rwrouter.routing.balancer import RoundRobin, lay_out

weights = st.lists(st.integers(0, 1000), min_size=1, max_size=8)


@given(weights)
def test_shares_are_those_of_the_weights(values: list[int]) -> None:
    """Over one cycle each member's share is that of its weight, to within half a percent of the whole."""
    turns = lay_out(values)
    if not sum(values):
        assert turns == []
        return
    counts = Counter(turns)
    for index, value in enumerate(values):
        assert abs(counts[index] / len(turns) - value / sum(values)) < 0.005
        assert value or not counts[index]


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_turns_are_spread(values: list[int]) -> None:
    """Between two turns of a member lie never more than twice the turns that its share gives."""
    turns = lay_out(values) * 2
    for index, value in enumerate(values):
        at = [number for number, turn in enumerate(turns) if turn == index]
        longest = max(b - a for a, b in pairwise(at))
        assert longest <= 2 * sum(values) / value


def test_pick_goes_round_and_round() -> None:
    """The cycle begins again at its end; a member without weight has no turn."""
    balancer = RoundRobin([("a", 2), ("b", 1), ("c", 0)])
    assert Counter(balancer.pick() for _ in range(300)) == {"a": 200, "b": 100}
    assert RoundRobin[str]().pick() is None


def test_pick_if_passes_over_the_unfit() -> None:
    """Only fit members are given; none, where none is fit."""
    balancer = RoundRobin([("a", 1), ("b", 1)])
    assert {balancer.pick_if({"b"}) for _ in range(5)} == {"b"}
    assert balancer.pick_if({"x"}) is None


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 30), st.sets(st.integers(0, 5)))
def test_a_look_tells_who_is_next_and_changes_nothing(weights: list[int], before: int, fit: set[int]) -> None:
    """However often one looks, `pick_if` gives whom `peek_if` has named."""
    balancer = RoundRobin(list(enumerate(weights)))
    for _ in range(before):
        balancer.pick()
    named = [balancer.peek_if(fit) for _ in range(3)]
    assert named == [balancer.pick_if(fit)] * 3
