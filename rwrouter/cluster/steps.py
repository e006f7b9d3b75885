"""What a switchover is made of: the order, its steps, and what each of them tells a server. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rwrouter.cluster.standing import Standing

MARGIN: Final = 1.0
"""Seconds that the router waits longer for a statement than it tells the server to."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator asks for. Times in seconds. Secrets are never printed."""

    to: str
    user: str = ""
    password: str = ""
    replication_user: str = ""
    replication_password: str = ""
    dry_run: bool = False
    kills: bool = False  # end transactions that are still open after *drain*; else nothing is changed
    drain: float = 5.0  # for open transactions to end
    catch_up: float = 10.0  # for the candidate to get everything, and for each statement
    max_lag: float = 10.0  # a candidate further behind is refused

    def __repr__(self) -> str:
        return f"<Order to {self.to}>"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement for a server. *arguments* take the place of %s; those in *secrets* are never shown."""

    sql: str
    arguments: tuple[str | int | float, ...] = ()
    secrets: frozenset[int] = frozenset()  # indexes of arguments

    def __str__(self) -> str:
        shown = (
            "'***'" if index in self.secrets else f"'{value}'" if isinstance(value, str) else f"{value:g}"
            for index, value in enumerate(self.arguments)
        )
        return self.sql % tuple(shown) if self.arguments else self.sql


class Kind(StrEnum):
    """How a step is carried out."""

    HOLD = "hold"
    DRAIN = "drain"
    RUN = "run"
    CATCH_UP = "catch up"
    VERIFY = "verify"
    RECOGNISE = "recognise"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Action:
    """What a step does on one server, and what takes it back, should it have been done in part or whole."""

    server: str
    statements: tuple[Statement, ...]
    undo: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Its *actions* are for different servers, and done at the same time. *timeout*: seconds."""

    name: str
    kind: Kind
    what: str  # a sentence for people
    actions: tuple[Action, ...] = ()
    timeout: float = 10.0
    is_cleanup: bool = False  # writes flow already: what fails is told, and not undone


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps, in their order; *warnings* are what a person should know, though it does not forbid anything."""

    old: Standing
    new: Standing
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()


class Forbidden(Exception):
    """It can't be done: *problems* says why, all of it, each with what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
