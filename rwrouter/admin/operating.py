"""What a person may change through the HTTP side: state and weight of a server, who is the primary, sessions."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from rwrouter.cluster.steps import Order
from rwrouter.model import Server, State

STATES: Final[Mapping[str, State | None]] = {
    "drain": State.DRAINING,
    "disable": State.DISABLED,
    "enable": None,
}
"""Path -> what the server is made; None: what the monitor finds it to be."""

HEAVIEST: Final = 10_000

LONGEST: Final = 3600.0
"""Seconds that a step of a switchover may take at most."""


class Operator(Protocol):
    """Who carries decisions out."""

    def set_state(self, server: str, state: State | None) -> Server:
        """Make *server* DRAINING or DISABLED, or neither; return it as it then is. Raises KeyError."""

    def set_weight(self, server: str, weight: int) -> Server:
        """Give *server* a share of the reads; return it as it then is. Raises KeyError."""

    def switch_over(self, order: Order) -> None:
        """Begin a switchover. Raises Busy."""

    def switchover_report(self) -> dict[str, Any]:
        """Return how far the last switchover is, of types that JSON has."""

    async def sessions(self) -> tuple[list[dict[str, Any]], int]:
        """Return all sessions, and how many workers did not tell theirs in time."""

    async def end_session(self, number: int) -> bool:
        """End the session of this connection id; False where there is none."""


class Busy(Exception):
    """What is asked for is under way already."""


_TEXTS: Final = ("to", "user", "password", "replication_user", "replication_password")
_SECONDS: Final = ("drain", "catch_up", "max_lag")


def read_order(body: Any) -> Order:
    """Return the switchover that a request's JSON asks for. Raises ValueError with what to write; quotes no secret."""
    if not isinstance(body, dict):
        raise ValueError('write {"to": "SERVER", "user": "...", "password": "..."}')  # noqa: TRY004  HTTP 400
    unknown = sorted(set(body) - {*_TEXTS, *_SECONDS, "dry_run", "transactions"})
    if unknown:
        raise ValueError(f"unknown: {', '.join(map(str, unknown))}")
    for name in _TEXTS:
        if not isinstance(body.get(name, ""), str):
            raise ValueError(f"{name}: write a text")  # noqa: TRY004  HTTP 400
    for name in ("to", "user"):
        if not body.get(name):
            raise ValueError(f"{name}: it is missing")
    for name in _SECONDS:
        value = body.get(name, 1)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LONGEST:
            raise ValueError(f"{name}: write a number of seconds, above 0 and at most {LONGEST:g}")
    if body.get("transactions", "refuse") not in {"refuse", "kill"}:
        raise ValueError('transactions: write "refuse" or "kill"')
    if not isinstance(body.get("dry_run", False), bool):
        raise ValueError("dry_run: write true or false")  # noqa: TRY004  HTTP 400
    given = {name: body[name] for name in (*_TEXTS, *_SECONDS, "dry_run") if name in body}
    return Order(**given, kills=body.get("transactions") == "kill")


def read_weight(body: Any) -> int:
    """Return the weight in a request's JSON. Raises ValueError with what to write."""
    weight = body.get("weight") if isinstance(body, dict) else None
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= HEAVIEST:
        raise ValueError(f'write {{"weight": N}}, N from 0 to {HEAVIEST}')
    return weight
