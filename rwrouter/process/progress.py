"""How far a switchover is, or what has become of it: what the admin tells, without a secret."""

from dataclasses import dataclass, field
from typing import Any

from rwrouter.cluster.steps import Order, Step


@dataclass(slots=True)
class Progress:
    """How far one step is."""

    step: Step
    state: str = "waiting"  # then running, and done, failed or undone
    seconds: float | None = None
    error: str = ""


@dataclass(slots=True)
class Report:
    """What has become of a switchover, at any moment."""

    order: Order
    old: str
    state: str = "checking"  # refused, planned; running, rolling back; done, rolled back, failed
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    steps: list[Progress] = field(default_factory=list)
    held_seconds: float | None = None  # for how long writes were held

    @property
    def is_over(self) -> bool:
        """Nothing more will happen."""
        return self.state not in {"checking", "running", "rolling back"}

    def as_json(self) -> dict[str, Any]:
        """Return it, of types that JSON has; no secret is in it."""
        return {
            "state": self.state,
            "over": self.is_over,
            "from": self.old,
            "to": self.order.to,
            "problems": self.problems,
            "warnings": self.warnings,
            "held_seconds": self.held_seconds,
            "steps": [
                {
                    "name": one.step.name,
                    "what": one.step.what,
                    "sql": shown(one.step, undo=False),
                    "undo": shown(one.step, undo=True),
                    "state": one.state,
                    "seconds": one.seconds,
                    "error": one.error,
                }
                for one in self.steps
            ],
        }


def shown(step: Step, *, undo: bool) -> list[str]:
    """Return what *step* tells which server, or what takes it back, without a secret."""
    return [
        f"{action.server}: {statement}"
        for action in step.actions
        for statement in (action.undo if undo else action.statements)
    ]
