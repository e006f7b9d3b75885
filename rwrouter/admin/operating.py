"""What a person may change through the HTTP side: state and weight of a server."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from rwrouter.model import Server, State

STATES: Final[Mapping[str, State | None]] = {
    "drain": State.DRAINING,
    "disable": State.DISABLED,
    "enable": None,
}
"""Path -> what the server is made; None: what the monitor finds it to be."""

HEAVIEST: Final = 10_000


class Operator(Protocol):
    """Who carries decisions out."""

    def set_state(self, server: str, state: State | None) -> Server:
        """Make *server* DRAINING or DISABLED, or neither; return it as it then is. Raises KeyError."""

    def set_weight(self, server: str, weight: int) -> Server:
        """Give *server* a share of the reads; return it as it then is. Raises KeyError."""


def read_weight(body: Any) -> int:
    """Return the weight in a request's JSON. Raises ValueError with what to write."""
    weight = body.get("weight") if isinstance(body, dict) else None
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= HEAVIEST:
        raise ValueError(f'write {{"weight": N}}, N from 0 to {HEAVIEST}')
    return weight
