"""The table of docs/drivers.md: one row for each driver, one column for each feature of the steps."""

from collections.abc import Iterable
from typing import Final

from tests.drivers.catalogue import REPOSITORY, Driver
from tests.drivers.steps import STEPS
from tests.drivers.transcript import Transcript

PAGE: Final = REPOSITORY / "docs/drivers.md"
FEATURES: Final = list(dict.fromkeys(step.feature for step in STEPS))
EQUAL: Final = "✓"  # every step gave the same
PARTLY: Final = "(✓)"  # those steps that the driver has
NONE: Final = "-"  # the driver has no such thing


def header() -> list[str]:
    """Return the head of the table."""
    names = ["Driver", "Language", "Tested with", *FEATURES]
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def cells(absent: Iterable[str]) -> list[str]:
    """Return a row's marks, where the driver lacks the steps *absent*."""
    lacking = set(absent)
    marks = []
    for feature in FEATURES:
        names = {step.name for step in STEPS if step.feature == feature}
        marks.append(EQUAL if not names & lacking else NONE if names <= lacking else PARTLY)
    return marks


def row(driver: Driver, version: str, absent: Iterable[str]) -> str:
    """Return the row of *driver*."""
    return "| " + " | ".join([driver.title, driver.language, version, *cells(absent)]) + " |"


def rows() -> dict[str, list[str]]:
    """Return the cells of each row that the page has, by the driver's title and language."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and line.endswith(" |"):
            fields = [field.strip() for field in line.strip("|").split("|")]
            if len(fields) == len(FEATURES) + 3:
                found[f"{fields[0]} {fields[1]}"] = fields[3:]
    return found


def write(driver: Driver, transcript: Transcript) -> None:
    """Put the row of *driver*, as it was seen, into the page."""
    new = row(driver, transcript.version, transcript.absent)
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = f"| {driver.title} | {driver.language} |"
    if any(line.startswith(start) for line in lines):
        lines = [new if line.startswith(start) else line for line in lines]
    else:
        last = max(
            n
            for n, line in enumerate(lines)
            if line.startswith(("| Driver |", "|---", "| ")) and line.count("|") > 10
        )
        lines.insert(last + 1, new)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def steps() -> list[str]:
    """Return the table of the steps."""
    lines = ["| Step | Feature | What it does | Ends with |", "|---|---|---|---|"]
    for step in STEPS:
        end = f"error {step.error}, {step.sqlstate}" if step.error is not None else ""
        lines.append(f"| `{step.name}` | {step.feature} | {step.does} | {end} |")
    return lines
