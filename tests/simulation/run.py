"""Run many seeds, or one with a trace: `python -m tests.simulation.run --seeds 1000`, `--seed 7 --trace`."""

import argparse
import gc
import multiprocessing
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.history import History, quiet

PORTION = 250
"""Seeds that a process runs before it reports."""

PROGRESS = 10_000
"""Seeds between two lines that tell how far it is."""


@dataclass
class Tally:
    """What some histories came to."""

    histories: int = 0
    replies: int = 0
    held: int = 0
    errors: Counter[int] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)  # a sentence for each

    def add(self, other: "Tally") -> None:
        """Add *other*."""
        self.histories += other.histories
        self.replies += other.replies
        self.held += other.held
        self.errors.update(other.errors)
        self.failed += other.failed


def portion(seeds: range) -> Tally:
    """Run *seeds*."""
    quiet()
    gc.disable()  # histories are short; what they leave is collected between them
    tally = Tally(len(seeds))
    for seed in seeds:
        history = History(seed)
        found = history.run()
        tally.replies += history.replies
        tally.held += history.gateway.counters.held
        tally.errors.update(history.errors)
        if found:
            tally.failed.append(
                f"seed {seed}: {found[0]} (and {len(found) - 1} more)\n"
                f"  replay: python -m tests.simulation.run --seed {seed} --trace"
            )
        if seed % 50 == 0:
            gc.collect()
    return tally


def main() -> int:
    """Run what the command line says; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="tell what happens")
    options = parser.parse_args()
    if options.seed is not None:
        quiet()
        history = History(options.seed, print if options.trace else None)
        for what in history.run():
            print(what)  # noqa: T201
        return bool(history.violations)
    end = options.start + options.seeds
    portions = [range(at, min(at + PORTION, end)) for at in range(options.start, end, PORTION)]
    tally = Tally()
    began = time.monotonic()
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        for one in pool.imap_unordered(portion, portions):
            before = tally.histories
            tally.add(one)
            for failure in one.failed:
                print(failure, flush=True)  # noqa: T201
            if tally.histories // PROGRESS != before // PROGRESS and tally.histories < options.seeds:
                say(tally, time.monotonic() - began)
    say(tally, time.monotonic() - began)
    return bool(tally.failed)


def say(tally: Tally, took: float) -> None:
    """Tell what has been run in *took* seconds."""
    print(  # noqa: T201
        f"{tally.histories} histories, {tally.replies} replies, {tally.held} statements held, "
        f"{len(tally.failed)} failed; {took:.1f} s, {tally.histories / took * 60:.0f} a minute; "
        f"errors that clients got: {dict(sorted(tally.errors.items()))}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
