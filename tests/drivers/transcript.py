"""What a program saw: read from its output, freed of what can't be equal, and compared."""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.drivers.steps import STEPS


@dataclass(frozen=True, slots=True)
class Transcript:
    """The lines of one run: *saw* and *absent* by step."""

    driver: str
    version: str
    saw: dict[str, Any]
    absent: dict[str, str]


def read(output: str, names: Mapping[str, str]) -> Transcript:
    """Read what a program printed. *names* are words of this run and what stands for them: schemas, mostly.

    AssertionError where a step is missing, stands twice, or in another order than the common list's.
    """
    for word in sorted(names, key=len, reverse=True):
        output = output.replace(word, names[word])
    output = re.sub(
        r"\(\d+\.\d+ sec\)", "(… sec)", output
    )  # the command line tells how long a statement took
    head, *lines = [json.loads(line) for line in output.splitlines()]
    taken = [line["step"] for line in lines]
    assert taken == [step.name for step in STEPS], _difference(taken, [step.name for step in STEPS])
    for line in lines:
        # SLEEP() that was interrupted is 1, or an error where the KILL came before it slept: the servers' own race.
        if line["step"] == "session.cancel" and "saw" in line:
            text = json.dumps(line["saw"])
            line["saw"] = "cancelled" if "1317" in text or text.strip('[]"') == "1" else line["saw"]
    return Transcript(
        head["driver"],
        head["version"],
        {line["step"]: line["saw"] for line in lines if "saw" in line},
        {line["step"]: line["absent"] for line in lines if "absent" in line},
    )


def check(transcript: Transcript) -> None:
    """Check the steps whose end is known: an error that did not come would be equal on both sides."""
    for step in STEPS:
        if step.name not in transcript.saw:
            continue
        saw = transcript.saw[step.name]
        assert "unexpected" not in json.dumps(saw), f"{step.name}: {saw}"
        if step.error is not None:
            error = saw[0] if isinstance(saw, list) else saw
            assert error["number"] == step.error, f"{step.name}: {saw}"
            # Not each driver tells it; some say HY000 for what happened before there was a session.
            known = {step.sqlstate, None, "HY000"} if step.feature == "connect" else {step.sqlstate, None}
            assert error["sqlstate"] in known, f"{step.name}: {saw}"


def differences(direct: Transcript, through: Transcript) -> str:
    """Return the steps in which two runs differ, as a diff; empty where there are none."""
    return _difference(_lines(direct), _lines(through))


def _lines(transcript: Transcript) -> list[str]:
    lines = [f"{transcript.driver} {transcript.version}"]
    for step in STEPS:
        told = transcript.saw.get(step.name, transcript.absent.get(step.name))
        lines.append(f"{step.name}: {json.dumps(told, ensure_ascii=False)}")
    return lines


def _difference(one: list[str], other: list[str]) -> str:
    return "\n".join(difflib.unified_diff(one, other, "direct", "through the router", lineterm="", n=0))
