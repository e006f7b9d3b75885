"""Weighted least outstanding."""

import heapq
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from rwrouter.routing.strategies.outstanding import LeastOutstanding


def shares(weights: list[int], seconds: list[float], clients: int, statements: int = 3000) -> list[float]:
    """Return each server's share where *clients* ask one statement after the other, server *i* taking seconds[i]."""
    underway = [0] * len(weights)
    balancer = LeastOutstanding(list(enumerate(weights)), underway.__getitem__)
    counts: Counter[int] = Counter()
    ends: list[tuple[float, int, int]] = []
    now = 0.0
    for number in range(statements):
        if len(ends) == clients:
            now, _, done = heapq.heappop(ends)
            underway[done] -= 1
            balancer.changed(done, underway[done])
        chosen = balancer.pick()
        assert chosen is not None
        counts[chosen] += 1
        underway[chosen] += 1
        balancer.changed(chosen, underway[chosen])
        heapq.heappush(ends, (now + seconds[chosen], number, chosen))
    return [counts[member] / statements for member in range(len(weights))]


@settings(max_examples=25)
@given(st.lists(st.integers(1, 10), min_size=2, max_size=5))
def test_a_quiet_router_spreads_by_weight(weights: list[int]) -> None:
    """With one client, whose statements never overlap, ties go round: each share is that of its weight, to 2 %."""
    for share, weight in zip(shares(weights, [1.0] * len(weights), 1), weights, strict=True):
        assert abs(share - weight / sum(weights)) < 0.02


@settings(max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_under_load_statements_under_way_are_as_the_weights(weights: list[int]) -> None:
    """With many clients and equal servers, each share is that of its weight, to 4 %."""
    for share, weight in zip(shares(weights, [1.0] * len(weights), 60), weights, strict=True):
        assert abs(share - weight / sum(weights)) < 0.04


@settings(max_examples=25)
@given(st.integers(2, 20))
def test_a_slow_server_gets_less(times: int) -> None:
    """A server that takes some times as long gets that part of the other's share: to 4 % of the whole."""
    slow, fast = shares([1, 1], [float(times), 1.0], 40)
    assert abs(slow - 1 / (times + 1)) < 0.04
    assert fast > slow


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 50)), min_size=1, max_size=20))
def test_the_choice_is_the_least(servers: list[tuple[int, int]]) -> None:
    """Nobody else has fewer statements under way for its weight; of the fit ones, too."""
    loads = [outstanding / weight for weight, outstanding in servers]
    balancer = LeastOutstanding([(i, w) for i, (w, _) in enumerate(servers)], lambda i: servers[i][1])
    chosen = balancer.pick()
    assert chosen is not None
    assert loads[chosen] == min(loads)
    fit = frozenset(range(0, len(servers), 2))
    some = balancer.pick_if(fit)
    assert some in fit
    assert loads[some] == min(loads[place] for place in fit)


def test_nobody() -> None:
    """None where nobody has a weight or is fit; news of a stranger are left out."""
    balancer = LeastOutstanding([("a", 0)], lambda _: 0)
    balancer.changed("x", 3)
    assert balancer.pick() is None
    assert balancer.pick_if({"a"}) is None


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 30), st.sets(st.integers(0, 5)))
def test_a_look_tells_who_is_next_and_changes_nothing(weights: list[int], before: int, fit: set[int]) -> None:
    """However often one looks, `pick_if` gives whom `peek_if` has named."""
    balancer = LeastOutstanding(list(enumerate(weights)), lambda member: member % 2)
    for _ in range(before):
        balancer.pick()
    named = [balancer.peek_if(fit) for _ in range(3)]
    assert named == [balancer.pick_if(fit)] * 3
