"""What the lab has seen, as a line for who waits and as a page of the docs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rwrouter.model import Flavor
from tests.faults.lab import Outcome, Scenario

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"
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
    """Replace the tables of the page. *modes*: row label -> how that router was set up.

    *absent*: scenario and row label -> why there is no figure.
    """
    head = PAGE.read_text().partition(BEGIN)[0]
    PAGE.write_text(f"{head}{BEGIN}\n\n{tables(outcomes, scenarios, modes, absent)}")


def label(target: str, flavor: Flavor) -> str:
    """Return what a row calls the router and its servers."""
    return f"{target}, {'MariaDB' if flavor is Flavor.MARIADB else 'MySQL'}"


def tables(
    outcomes: Sequence[Outcome],
    scenarios: Mapping[str, Scenario],
    modes: Mapping[str, str],
    absent: Mapping[tuple[str, str], str],
) -> str:
    """Return the part of the page that is made of outcomes."""
    rows = {(one.scenario, label(one.target, one.flavor)): one for one in outcomes}
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
            one = rows.get((name, which))
            if one is None:
                if (name, which) in absent:
                    text.append(f"| `{name}` | {which} | {absent[name, which]} | | | | | |")
                continue
            text.append(
                f"| `{name}` | {which} | {_errors(one.reads)} | {_errors(one.writes)} | {one.stale} "
                f"| {_harm(one) or '0'} | {_seconds(one.longest)} | {_recovered(one)} |"
            )
    text += ["", "## The scenarios", ""]
    text += [f"- `{one.name}`: {one.title}" for one in scenarios.values()]
    return "\n".join(text) + "\n"


def _errors(errors: Counter[int]) -> str:
    return ", ".join(f"{count} of {code}" for code, count in sorted(errors.items())) or "0"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value else "under 1 s"


def _recovered(one: Outcome) -> str:
    return _seconds(one.recovery) if one.settled else f"not within {one.recovery:.0f} s"
