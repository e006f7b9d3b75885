"""Peak-EWMA latency."""

import heapq
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from rwrouter.routing.strategies.latency import FADE, Latency, LeastLatency


def shares(weights: list[int], seconds: list[float], clients: int, seed: int) -> list[float]:
    """Return each server's share of 4,000 statements; server *i* takes seconds[i] give or take a fifth."""
    random = Random(seed)
    underway = [0] * len(weights)
    known = [Latency() for _ in weights]
    now = 0.0
    balancer = LeastLatency(
        list(enumerate(weights)), lambda member: known[member].cost(now, underway[member]), random.random
    )
    counts: Counter[int] = Counter()
    ends: list[tuple[float, float, int]] = []
    for _ in range(4000):
        if len(ends) == clients:
            now, took, done = heapq.heappop(ends)
            underway[done] -= 1
            known[done].observe(took, now)
        chosen = balancer.pick()
        assert chosen is not None
        counts[chosen] += 1
        underway[chosen] += 1
        took = seconds[chosen] * random.uniform(0.8, 1.2)
        heapq.heappush(ends, (now + took, took, chosen))
    return [counts[member] / 4000 for member in range(len(weights))]


@settings(max_examples=15)
@given(st.integers(0, 1000), st.integers(2, 5))
def test_equal_servers_get_equal_shares(seed: int, count: int) -> None:
    """Under load, servers alike in weight and speed have shares within 5 % of the whole of each other's."""
    found = shares([1] * count, [0.001] * count, 20, seed)
    assert max(found) - min(found) < 0.05


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_a_slow_server_is_left_to_itself(seed: int) -> None:
    """One of three that is ten times slower gets less than a twentieth of the reads, instead of a third."""
    assert shares([1, 1, 1], [0.01, 0.001, 0.001], 10, seed)[0] < 0.05


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_weights_count_under_load(seed: int) -> None:
    """Of two equally fast servers the one with three times the weight gets two to four times the reads."""
    heavy, light = shares([3, 1], [0.001, 0.001], 40, seed)
    assert 2 < heavy / light < 4


@settings(max_examples=15)
@given(st.floats(1e-6, 10), st.floats(1e-6, 10), st.floats(0, 100))
def test_the_mean_rises_at_once_and_falls_slowly(first: float, second: float, after: float) -> None:
    """A slower reply is the mean at once; after a faster one the mean is between the two."""
    latency = Latency()
    latency.observe(first, 0)
    latency.observe(second, after)
    assert latency.mean is not None
    if second >= first:
        assert latency.mean == second
    else:
        assert second <= latency.mean * (1 + 1e-9)
        assert latency.mean <= first


def test_a_server_that_is_not_asked_becomes_cheap_again() -> None:
    """Its cost fades, so that it is tried; one not yet measured gets one statement."""
    latency = Latency()
    assert latency.cost(0, 0) == 0
    assert latency.cost(0, 2) > latency.cost(0, 1) > 0
    latency.observe(1, 0)
    assert latency.cost(0, 3) == 4
    assert latency.cost(10 * FADE, 0) < 0.001


def test_the_fit_alone_are_given() -> None:
    """None where none is fit or has a weight; the only one where it is."""
    balancer = LeastLatency([("a", 1), ("b", 1), ("c", 0)], lambda _: 1.0, Random(0).random)
    assert balancer.pick_if({"b"}) == "b"
    assert balancer.pick_if({"c"}) is None
    assert {balancer.pick() for _ in range(50)} == {"a", "b"}
