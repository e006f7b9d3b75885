"""Random programs for as long as asked: `make soak MINUTES=60 SEED=0`.

A seed decides one program and how both sessions log in. Each seed whose program shows a difference is printed with the
smallest part of the program that still does, ready for regressions.py; `SEED=N MINUTES=0` runs that one again.
`SOAK='--delayed 1'`: one replica is a second behind, so that whatever a session has not waited for is missing there.
"""

import argparse
import sys
import time
from random import Random
from typing import Final

import pymysql

from rwrouter.model import Flavor
from tests.differential.grammar import programs
from tests.differential.sessions import Bench, Difference, Greeted, bench, login, shrink
from tests.differential.steps import Step

LENGTH: Final = 120
"""Steps of a program: enough to be worth the schema that it is given."""


SHRINKING: Final = 60.0
"""Seconds that the search for the smallest part of a program may take: the whole one tells the same."""


def run_seed(on: Bench, seed: int) -> str:
    """Run the program of *seed*; return the smallest part that shows its difference, "" where there is none."""
    random = Random(f"{on.cluster.flavor} {seed}")
    greeted = login(on.cluster.flavor, random)
    program = programs(on.cluster.flavor, random, LENGTH)
    found = _difference(on, greeted, program)
    if found is None:
        return ""
    told = [found]
    whole = "\n".join(repr(step)[:200] for step in found.program[-12:])
    end = time.monotonic() + SHRINKING

    def differs(part: list[Step]) -> bool:
        if time.monotonic() > end:
            return False
        again = _difference(on, greeted, part)
        if again is None or repr(again.program[-1]) != repr(told[0].program[-1]):
            return False
        told.append(again)
        return True

    shrink(list(found.program), differs)
    return f"{told[-1]}\nThe last of the whole program:\n{whole}"


def _difference(on: Bench, greeted: Greeted, program: list[Step]) -> Difference | None:
    with on.pair(greeted, exact=False) as sessions:
        try:
            sessions.play(program)
        except Difference as found:
            return found
    return None


def main() -> int:
    """Run; return 1 where a difference was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--statements", type=int, default=0, help="end after so many; 0: the time alone decides"
    )
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--flavor", type=Flavor, choices=list(Flavor), action="append", help="default: both")
    parser.add_argument(
        "--delayed", type=int, default=0, metavar="SECONDS", help="let one replica be so far behind"
    )
    arguments = parser.parse_args()
    failed: list[str] = []
    flavors = arguments.flavor or list(Flavor)
    began = time.monotonic()
    total = 0
    for number, flavor in enumerate(flavors, 1):
        end = began + arguments.minutes * 60 * number / len(flavors)
        goal = arguments.statements // len(flavors)
        seed, run, is_over = arguments.seed, 0, False
        while not is_over:
            with bench(flavor, arguments.delayed) as on:
                seed, is_over = _programs(on, seed, end, goal - run if goal else 0, failed)
                run += on.statements
        total += run
        _say(f"{flavor}: {run} statements on both sides, seeds {arguments.seed} to {seed - 1}")
    _say(
        f"{total} statements in {time.monotonic() - began:.0f} s; seeds that failed: {', '.join(failed) or 'none'}"
    )
    return bool(failed)


def _programs(on: Bench, seed: int, end: float, goal: int, failed: list[str]) -> tuple[int, bool]:
    """Run programs from *seed* on; return the next seed, and whether time or *goal* has ended it.

    A program that ends the server itself (MySQL 9.7 does at times) is no difference: others need new servers.
    """
    flavor = on.cluster.flavor
    told = time.monotonic()
    while True:
        try:
            found = run_seed(on, seed)
        except (pymysql.MySQLError, OSError) as error:
            tail = "\n".join(on.cluster.primary.log().splitlines()[-12:])
            _say(f"{flavor} seed {seed}: the servers are gone ({error}); the primary's log ends with\n{tail}")
            return seed + 1, time.monotonic() >= end
        seed += 1
        if found:
            failed.append(f"{flavor} {seed - 1}")
            _say(f"{flavor} seed {seed - 1}: a difference\n{found}")
        if time.monotonic() - told > 60:
            told = time.monotonic()
            _say(f"{flavor}: {on.statements} statements, up to seed {seed - 1}")
        if time.monotonic() >= end or (goal and on.statements >= goal):
            return seed, True


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
