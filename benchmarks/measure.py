"""Interleaved rounds: each proxy in turn under the same load, again and again, and what came of it.

A machine is never quiet and never the same for long. So no proxy is measured in one piece: a round takes
all of them in turn, and what is compared is the median over rounds of the ratio within a round.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from loads import Load, LoadFailed, Outcome
from proxies import PROXIES, Proxy, Unavailable
from servers import Servers
from usage import cpu


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: the proxy alone on one core, servers and clients on the others."""

    proxy: int
    others: frozenset[int]


def cores() -> Cores:
    """Give the proxy the last core that we may use; a machine with one core shares it."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[-1], frozenset(allowed[:-1] or allowed))


@dataclass(frozen=True, slots=True)
class Sample:
    """One proxy under one load in one round."""

    load: str
    proxy: str
    round: int
    outcome: Outcome
    cpu: float | None  # seconds that the proxy's processes used meanwhile; None for direct

    @property
    def cpu_per_statement(self) -> float | None:
        """Seconds."""
        return None if self.cpu is None else self.cpu / max(1, self.outcome.statements)


@dataclass(frozen=True, slots=True)
class Failure:
    """A proxy that could not be measured under a load, and why. *load* is empty if it did not even start."""

    load: str
    proxy: str
    reason: str


@contextmanager
def running(
    names: Sequence[str], servers: Servers, folder: Path, root: Path | None, core: int
) -> Iterator[tuple[dict[str, Proxy], list[Failure]]]:
    """Start the proxies called *names*, yield those that serve and why others don't, then end them."""
    started: dict[str, Proxy] = {}
    failures: list[Failure] = []
    try:
        for name in names:
            proxy = PROXIES[name](servers, folder, root, core)
            try:
                proxy.version(root)
                started[name] = proxy  # first, so that it is ended if its start is interrupted
                proxy.start()
            except Unavailable as error:
                started.pop(name, None)
                failures.append(Failure("", name, str(error)))
                say(f"{proxy.label}: {error}")
        yield started, failures
    finally:
        for proxy in started.values():
            proxy.stop()


def measure(
    load: Load,
    proxies: dict[str, Proxy],
    servers: Servers,
    *,
    rounds: int,
    seconds: float,
    threads: int,
    where: Cores,
) -> tuple[list[Sample], list[Failure]]:
    """Measure *load* on each of *proxies* in *rounds* rounds of *seconds* each, after a short one to warm up.

    A proxy that fails once takes no further part in this load: its failure is in the second list.
    """
    samples: list[Sample] = []
    failures: list[Failure] = []
    left = dict(proxies)
    others = set(where.others)
    for number in range(rounds + 1):  # round 0 warms up, and is thrown away
        for name, proxy in list(left.items()):
            duration = seconds if number else min(1.0, seconds)
            before = cpu(proxy.pid) if proxy.pid else None
            try:
                outcome = load.run(servers, proxy.port, duration, threads, others)
            except LoadFailed as error:
                failures.append(Failure(load.name, name, str(error)))
                say(f"{load.name}: {proxy.label} failed: {error}")
                del left[name]
                continue
            used = cpu(proxy.pid) - before if proxy.pid and before is not None else None
            if number:
                samples.append(Sample(load.name, name, number, outcome, used))
                say(describe(samples[-1], proxy.label))
    return samples, failures


def describe(sample: Sample, label: str) -> str:
    """Return a line for one watching."""
    each = sample.cpu_per_statement
    used = "" if each is None else f"  {each * 1e6:8.1f} µs CPU each"
    rate = sample.outcome.statements / sample.outcome.seconds
    return f"  {sample.load:22} round {sample.round}  {label:34} {rate:9.1f}/s{used}"


def ratios(samples: Sequence[Sample], proxy: str, base: str, what: str) -> list[float]:
    """Return *proxy*'s *what* over that of *base*, round by round, where both have it.

    *what* is cpu (per statement), rate (statements per second) or p95.
    """

    def value(sample: Sample) -> float | None:
        if what == "cpu":
            return sample.cpu_per_statement
        if what == "p95":
            return sample.outcome.p95
        return sample.outcome.statements / sample.outcome.seconds

    def by_round(name: str) -> dict[int, float]:
        values = ((sample.round, value(sample)) for sample in samples if sample.proxy == name)
        return {number: each for number, each in values if each}

    ours, theirs = by_round(proxy), by_round(base)
    return [ours[number] / theirs[number] for number in sorted(ours.keys() & theirs.keys())]


def middle(values: Sequence[float]) -> float | None:
    """Return the median, None of nothing."""
    return median(values) if values else None


def say(line: str) -> None:
    """Tell one who watches how far we are."""
    print(line, file=sys.stderr, flush=True)
