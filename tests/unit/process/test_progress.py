"""How far a switchover is."""

import json

import pytest

from rwrouter.cluster.steps import Action, Kind, Statement, Step
from rwrouter.process.progress import Progress, Report, shown
from tests.unit.cluster.test_switchover import ORDER

STEP = Step(
    "repoint",
    Kind.RUN,
    "db1 follows db2",
    (Action("db1", (Statement("CHANGE %s", ("hidden",), frozenset({0})),), (Statement("RESET"),)),),
)


def test_a_report_is_json_without_a_secret() -> None:
    """Each step has its statements, and those that take it back."""
    report = Report(ORDER, "db1", steps=[Progress(STEP, "done", 0.5)])
    text = json.dumps(report.as_json())
    assert "hidden" not in text
    assert "topsecret" not in text
    (step,) = report.as_json()["steps"]
    assert (step["sql"], step["undo"]) == (["db1: CHANGE '***'"], ["db1: RESET"])
    assert shown(STEP, undo=True) == ["db1: RESET"]


@pytest.mark.parametrize(
    ("state", "is_over"),
    [
        ("checking", False),
        ("running", False),
        ("rolling back", False),
        ("refused", True),
        ("planned", True),
        ("done", True),
        ("rolled back", True),
        ("failed", True),
    ],
)
def test_whoever_asks_knows_when_to_stop(state: str, is_over: bool) -> None:
    """It is over when nothing more will happen."""
    assert Report(ORDER, "db1", state).is_over is is_over
