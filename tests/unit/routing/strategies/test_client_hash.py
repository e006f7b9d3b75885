"""Client-address hash."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from rwrouter.routing.strategies.client_hash import ClientHash

CLIENTS = [f"10.{n >> 8}.{n & 255}.7".encode() for n in range(2000)]


def homes(weights: dict[str, int]) -> dict[bytes, str | None]:
    """Return each client's server."""
    balancer = ClientHash(list(weights.items()), str.encode)
    return {client: balancer.of(client).pick() for client in CLIENTS}


@settings(max_examples=15)
@given(st.lists(st.integers(1, 10), min_size=2, max_size=6))
def test_shares_of_clients_are_those_of_the_weights(weights: list[int]) -> None:
    """Of 2,000 addresses each server has its weight's share, within 5 % of the whole."""
    counts = Counter(homes({f"db{n}": weight for n, weight in enumerate(weights)}).values())
    for number, weight in enumerate(weights):
        assert abs(counts[f"db{number}"] / len(CLIENTS) - weight / sum(weights)) < 0.05


@settings(max_examples=15)
@given(st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), st.integers(1, 9), min_size=2))
def test_a_server_that_goes_moves_its_own_clients_only(weights: dict[str, int]) -> None:
    """All others stay where they are; its own go to their second choice, and come back with it."""
    before = homes(weights)
    gone = min(weights)
    after = homes({name: weight for name, weight in weights.items() if name != gone})
    balancer = ClientHash(list(weights.items()), str.encode)
    for client, home in before.items():
        if home != gone:
            assert after[client] == home
        else:
            assert after[client] == balancer.of(client).pick_if(set(weights) - {gone})
    assert homes(dict(reversed(weights.items()))) == before, "the order of the servers does not count"


def test_a_client_stays_and_nobody_is_nobody() -> None:
    """The same server each time; none where none has a weight, or none is fit; turns where no client is known."""
    balancer = ClientHash([("a", 1), ("b", 1)], str.encode)
    ranking = balancer.of(b"192.0.2.1")
    assert len({ranking.pick() for _ in range(5)}) == 1
    assert ranking.laid_out == balancer.laid_out
    assert ranking.pick_if({"x"}) is None
    assert ClientHash([("a", 0)], str.encode).of(b"192.0.2.1").pick() is None
    assert {balancer.pick(), balancer.pick()} == {"a", "b"}
