"""What a choice of each strategy costs, with 2 to 100 servers, and how each shares reads: a table and a picture.

    PYTHONPATH=. python benchmarks/strategies.py [--out benchmarks/results]

The cost is the best of five rounds on one core; news of statements under way are part of it where a strategy needs
them. The shares are simulated: 64 clients, four servers with weights 1, 1, 1 and 2, of which the third is three
times slower.
"""

import argparse
import heapq
import json
from collections import Counter
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rwrouter.routing.balancer import RoundRobin
from rwrouter.routing.strategies.chance import Chance
from rwrouter.routing.strategies.client_hash import ClientHash
from rwrouter.routing.strategies.latency import Latency, LeastLatency
from rwrouter.routing.strategies.outstanding import LeastOutstanding

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTS = (2, 5, 10, 20, 50, 100)
CHOICES = 20_000
ROUNDS = 5
CLIENTS = 64
STATEMENTS = 40_000
WEIGHTS = (1, 1, 1, 2)
SECONDS = (0.001, 0.001, 0.003, 0.001)
STRATEGIES = ("round_robin", "least_outstanding", "latency", "client_hash", "random")


class World:
    """Servers by number, and a strategy over them."""

    def __init__(self, strategy: str, weights: tuple[int, ...]) -> None:
        self.now = 0.0
        self.underway = [0] * len(weights)
        self.latencies = [Latency() for _ in weights]
        self.tell: Callable[[int, int], None] = lambda _member, _outstanding: None
        members = list(enumerate(weights))
        random = Random(7)
        self.balancer: Any
        match strategy:
            case "least_outstanding":
                self.balancer = LeastOutstanding(members, self.underway.__getitem__)
                self.tell = self.balancer.changed
            case "latency":
                self.balancer = LeastLatency(members, self._cost, random.random)
            case "client_hash":
                self.balancer = ClientHash(members, b"db%d".__mod__)
            case "random":
                self.balancer = Chance(members, random.random)
            case _:
                self.balancer = RoundRobin(members)

    def _cost(self, member: int) -> float:
        return self.latencies[member].cost(self.now, self.underway[member])


def cost(strategy: str, servers: int) -> float:
    """Return the µs of one choice."""
    world = World(strategy, (100,) * servers)
    for latency in world.latencies:
        latency.observe(0.001, 0.0)
    picker = world.balancer.of(b"192.0.2.1") if strategy == "client_hash" else world.balancer
    is_told = strategy == "least_outstanding"
    best = float("inf")
    for _ in range(ROUNDS):
        start = perf_counter()
        for _ in range(CHOICES):
            member = picker.pick()
            if is_told:
                world.tell(member, 1)
                world.tell(member, 0)
        best = min(best, perf_counter() - start)
    return best / CHOICES * 1e6


def shares(strategy: str) -> list[float]:
    """Return each server's share of the statements of CLIENTS clients that ask one after the other."""
    world = World(strategy, WEIGHTS)
    random = Random(11)
    pickers = [
        world.balancer.of(b"10.0.0.%d" % client) if strategy == "client_hash" else world.balancer
        for client in range(CLIENTS)
    ]
    counts: Counter[int] = Counter()
    ends: list[tuple[float, int, int, float]] = []
    client = 0
    for _ in range(STATEMENTS):
        if len(ends) == CLIENTS:
            world.now, client, done, took = heapq.heappop(ends)
            world.underway[done] -= 1
            world.tell(done, world.underway[done])
            world.latencies[done].observe(took, world.now)
        else:
            client = len(ends)
        member = pickers[client].pick()
        counts[member] += 1
        world.underway[member] += 1
        world.tell(member, world.underway[member])
        took = SECONDS[member] * random.uniform(0.8, 1.2)
        heapq.heappush(ends, (world.now + took, client, member, took))
    return [counts[member] / STATEMENTS for member in range(len(WEIGHTS))]


def draw(costs: dict[str, list[float]], found: dict[str, list[float]], path: Path) -> None:
    """Write the picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    for strategy, values in costs.items():
        left.plot(COUNTS, values, marker="o", markersize=3, label=strategy)
    left.set(xlabel="servers", ylabel="µs per choice", title="Cost of a choice", ylim=(0, None))
    left.legend(fontsize=7)
    width = 0.8 / len(found)
    for number, (strategy, values) in enumerate(found.items()):
        right.bar([place + number * width for place in range(len(values))], values, width, label=strategy)
    labels = [
        f"weight {weight}, {seconds * 1000:g} ms" for weight, seconds in zip(WEIGHTS, SECONDS, strict=True)
    ]
    right.set_xticks([place + 0.4 - width / 2 for place in range(len(labels))], labels, fontsize=7)
    right.set(ylabel="share of reads", title=f"Shares, {CLIENTS} clients (simulated)")
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    costs = {strategy: [cost(strategy, count) for count in COUNTS] for strategy in STRATEGIES}
    found = {strategy: shares(strategy) for strategy in STRATEGIES}
    print(f"{'µs per choice':<20}" + "".join(f"{count:>8}" for count in COUNTS))
    for strategy, values in costs.items():
        print(f"{strategy:<20}" + "".join(f"{value:>8.2f}" for value in values))
    print(f"\n{'shares':<20}" + "".join(f"{share:>8}" for share in WEIGHTS) + "   (weights)")
    for strategy, values in found.items():
        print(f"{strategy:<20}" + "".join(f"{value:>8.3f}" for value in values))
    body = {
        "servers": COUNTS,
        "us_per_choice": costs,
        "weights": WEIGHTS,
        "seconds": SECONDS,
        "shares": found,
    }
    (out / "strategies.json").write_text(json.dumps(body, indent=1) + "\n")
    draw(costs, found, out / "strategies.png")


if __name__ == "__main__":
    main()
