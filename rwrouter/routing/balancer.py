"""Which of several fit servers answers a read: smooth weighted round robin.

The cycle is laid out once for each set of weights, so that a choice costs the same for two servers as for a
hundred. "Smooth" spreads the turns of a server over the cycle instead of giving them in a row: each step adds every
weight to its server's credit, and the one with the most credit pays the sum of all.
"""

from collections.abc import Callable, Sequence
from itertools import cycle
from math import gcd
from typing import Final, Generic, Protocol, TypeVar

T = TypeVar("T")

CYCLE_LIMIT: Final = 1 << 12
"""Longest cycle: weights whose turns would need more are rounded; 4,096 turns are within 0.03 % of any share."""


def lay_out(weights: Sequence[int]) -> list[int]:
    """Return one cycle of turns, as indexes into *weights*. Empty where no weight is above 0."""
    divisor = gcd(*weights) if weights else 0
    if not divisor:
        return []
    parts = [weight // divisor for weight in weights]
    total = sum(parts)
    if total > CYCLE_LIMIT:
        parts = [max(1, round(part * CYCLE_LIMIT / total)) if part else 0 for part in parts]
        total = sum(parts)
    credit = [0] * len(parts)
    turns = []
    for _ in range(total):
        for index, part in enumerate(parts):
            credit[index] += part
        best = max(range(len(parts)), key=credit.__getitem__)
        credit[best] -= total
        turns.append(best)
    return turns


class Balancer(Protocol[T]):
    """What all strategies can do: this one, and those in `routing/strategies/`."""

    laid_out: list[tuple[T, int]]
    """Members and weights that it was made for."""

    @property
    def pick(self) -> Callable[[], T | None]:
        """Return the next member; None where there is none."""

    def pick_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return the next member that is in *fit*; None where there is none."""

    def peek_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return who `pick_if` would give now, and leave it as it is; None where chance decides, or there is none."""


class RoundRobin(Generic[T]):
    """Gives its members in turn, each as often as its weight says."""

    __slots__ = ("_turns", "laid_out", "pick")

    def __init__(self, members: Sequence[tuple[T, int]] = ()) -> None:
        self.laid_out = list(members)
        self._turns = [members[index][0] for index in lay_out([weight for _, weight in members])]
        # A bound method of an iterator in C: this runs once per read.
        self.pick: Callable[[], T | None] = cycle(self._turns or [None]).__next__
        """Return the next member; None where there is none."""

    def pick_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return the next member that is in *fit*; None where there is none."""
        for _ in self._turns:
            member = self.pick()
            if member in fit:
                return member
        return None

    def peek_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return who `pick_if` would give now. Goes round once, so that the turn is where it was."""
        found = [member for member in (self.pick() for _ in self._turns) if member in fit]
        return found[0] if found else None
