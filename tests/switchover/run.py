"""Switchovers and a killed primary at full size, as a table: `python -m tests.switchover.run --times 10`."""

import argparse
import sys

from rwrouter.model import Flavor
from rwrouter.sandbox import Topology
from tests.switchover.scenarios import ASYNCHRONOUS, Outcome, back_and_forth, killed_in_a_group, sandbox_of

HEADINGS = (
    "scenario",
    "clients",
    "times",
    "writes",
    "reads",
    "write errors",
    "read errors",
    "stale",
    "lost",
    "doubled",
    "longest pause",
    "reads in it",
    "longest hold",
)


def row(outcome: Outcome) -> list[str]:
    """Return what the table says of it."""
    verdict = outcome.verdict
    numbers = (
        verdict.clients,
        len(outcome.held) or 1,
        verdict.writes,
        verdict.reads,
        len(verdict.write_errors),
        len(verdict.read_errors),
        verdict.stale,
        verdict.lost,
        verdict.doubled + verdict.unasked,
    )
    held = f"{max(outcome.held):.2f} s" if outcome.held else "-"
    return [outcome.name, *map(str, numbers), f"{verdict.pause:.2f} s", str(verdict.reads_in_pause), held]


def main() -> int:
    """Run all; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="switchovers of each kind of servers")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--only", default="", help="scenarios with this in their name")
    options = parser.parse_args()
    is_whole = True
    print("| " + " | ".join(HEADINGS) + " |")  # noqa: T201
    print("|---" * len(HEADINGS) + "|", flush=True)  # noqa: T201
    for name, start in ASYNCHRONOUS.items():
        if options.only.lower() in name.lower():
            with start() as sandbox:
                outcome = back_and_forth(sandbox, options.times, options.clients, name)
            is_whole &= outcome.verdict.is_clean
            _tell(outcome)
    name = "MySQL, Group Replication, kill -9 of the primary"
    if options.only.lower() in name.lower():
        with sandbox_of(Flavor.MYSQL, Topology.GROUP) as sandbox:
            outcome = killed_in_a_group(sandbox, options.clients, name)
        is_whole &= outcome.verdict.keeps_promises and not outcome.verdict.read_errors
        is_whole &= len(outcome.verdict.write_errors) <= options.clients
        _tell(outcome)
    return not is_whole


def _tell(outcome: Outcome) -> None:
    print("| " + " | ".join(row(outcome)) + " |", flush=True)  # noqa: T201
    for error in (*outcome.verdict.read_errors, *outcome.verdict.write_errors)[:5]:
        print(f"  {error}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
