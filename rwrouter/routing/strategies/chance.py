"""Weighted random choice."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from rwrouter.routing.balancer import lay_out

T = TypeVar("T")


class Chance(Generic[T]):
    """Gives a member by chance, with the probability that its weight says. *random*: floats from 0 up to below 1."""

    __slots__ = ("_random", "_turns", "laid_out")

    def __init__(self, members: Sequence[tuple[T, int]], random: Callable[[], float]) -> None:
        self.laid_out = list(members)
        self._random = random
        self._turns = [members[index][0] for index in lay_out([weight for _, weight in members])]

    def pick(self) -> T | None:
        """Return a member; None where there is none."""
        turns = self._turns
        return turns[int(self._random() * len(turns))] if turns else None

    def pick_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return a member that is in *fit*; None where there is none."""
        left = [(member, weight) for member, weight in self.laid_out if weight and member in fit]
        if not left:
            return None
        point = self._random() * sum(weight for _, weight in left)
        for (member, _), end in zip(left, accumulate(weight for _, weight in left), strict=True):
            if point < end:
                return member
        return left[-1][0]  # the product was rounded up to the sum

    def peek_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return the only one of *fit*; of several, chance decides."""
        left = [member for member, weight in self.laid_out if weight and member in fit]
        return left[0] if len(left) == 1 else None
