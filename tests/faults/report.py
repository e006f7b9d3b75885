"""What the lab has seen, as a line for who waits and as a page of the docs."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rwrouter.model import Flavor
from tests.faults.lab import Outcome, Scenario

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"
ROW: Final = re.compile(r"^\| `(\w+)` \| ([^|]+?) \|.*\|$", re.MULTILINE)
BEGIN: Final = "<!-- Written by `make faultlab`: what follows is replaced. -->"

COLUMNS: Final = (
    "Scenario",
    "Router, servers",
    "Errors of reads",
    "Errors of writes",
    "Stale",
    "Wrong, lost, doubled",
    "Longest wait",
    "Recovered after",
)


def line(target: str, one: Outcome) -> str:
    """Return one outcome for a terminal."""
    return (
        f"{target:17} {one.scenario:29} {one.statements:6} statements; errors: reads {dict(one.reads)}, "
        f"writes {dict(one.writes)}; stale {one.stale}; {_harm(one) or 'nothing wrong or lost'}; "
        f"longest {one.longest:.1f} s, recovery {one.recovery:.1f} s"
        + "".join(f"; {note}" for note in one.notes)
    )


def _harm(one: Outcome) -> str:
    counts = {
        "wrong": len(one.wrong),
        "lost": len(one.lost),
        "lost by the servers": one.rolled_back,
        "doubled": len(one.doubled),
        "refused, but done": len(one.ghosts),
        "half done": len(one.torn),
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def write(
    outcomes: Sequence[Outcome],
    scenarios: Mapping[str, Scenario],
    modes: Mapping[str, str],
    absent: Mapping[tuple[str, str], str],
) -> None:
    """Replace the tables of the page; rows of scenarios that were not run stay.

    *modes*: row label -> how that router was set up. *absent*: scenario and row label -> why there is no figure.
    """
    head, _, before = PAGE.read_text().partition(BEGIN)
    rows = {(found[1], found[2]): found[0] for found in ROW.finditer(before)}
    rows |= {(one.scenario, label(one.target, one.flavor)): row(one) for one in outcomes}
    PAGE.write_text(f"{head}{BEGIN}\n\n{tables(rows, scenarios, modes, absent)}")


def label(target: str, flavor: Flavor) -> str:
    """Return what a row calls the router and its servers."""
    return f"{target}, {'MariaDB' if flavor is Flavor.MARIADB else 'MySQL'}"


def row(one: Outcome) -> str:
    """Return one row of the table."""
    return (
        f"| `{one.scenario}` | {label(one.target, one.flavor)} | {_errors(one.reads)} | {_errors(one.writes)} "
        f"| {one.stale} | {_harm(one) or '0'} | {_seconds(one.longest)} | {_recovered(one)} |"
    )


def tables(
    rows: Mapping[tuple[str, str], str],
    scenarios: Mapping[str, Scenario],
    modes: Mapping[str, str],
    absent: Mapping[tuple[str, str], str],
) -> str:
    """Return the part of the page that is made of outcomes. *rows*: by scenario and label."""
    text = ["## What was compared", ""]
    text += [f"- **{name}**: {mode}." for name, mode in modes.items()]
    text += [
        "",
        "## What clients saw",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|" + "---|" * len(COLUMNS),
    ]
    for name in scenarios:
        for which in modes:
            if (name, which) in absent:
                text.append(f"| `{name}` | {which} | {absent[name, which]} | | | | | |")
            elif (name, which) in rows:
                text.append(rows[name, which])
    text += ["", "## The scenarios", ""]
    text += [f"- `{one.name}`: {one.title}" for one in scenarios.values()]
    return "\n".join(text) + "\n"


def _errors(errors: Counter[int]) -> str:
    return ", ".join(f"{count} of {code}" for code, count in sorted(errors.items())) or "0"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value else "under 1 s"


def _recovered(one: Outcome) -> str:
    if one.settled and one.recovery < 0.05:
        return "at once"
    return f"{one.recovery:.1f} s" if one.settled else f"not within {one.recovery:.0f} s"
