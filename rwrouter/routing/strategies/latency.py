"""Peak-EWMA latency, and the better of two servers chosen at random.

A server's cost is its mean time to the first byte of a reply, times the statements that it would then have under
way. The mean is quick to rise and slow to fall: a slower reply than the mean becomes the mean at once, a faster one
moves it by how long ago the last one was. While a server is not asked its cost decays, so that it is tried again.
Comparing two random ones keeps all routers, and all workers, from running to the same server at the same moment.
"""

from collections.abc import Callable, Sequence
from math import exp
from typing import Final, Generic, TypeVar

T = TypeVar("T")

FADE: Final = 10.0
"""Seconds in which a measurement loses 63 % of what it counts."""

UNKNOWN: Final = 1.0
"""Seconds that are assumed of a server not yet measured, for each statement that it has under way: it gets one."""


class Latency:
    """Mean time of one server until the first byte of a reply, in seconds."""

    __slots__ = ("at", "mean")

    def __init__(self) -> None:
        self.mean: float | None = None  # None: not measured yet
        self.at = 0.0  # of the last measurement

    def observe(self, seconds: float, now: float) -> None:
        """Take a measurement."""
        mean = self.mean
        if mean is None or seconds >= mean:
            self.mean = seconds
        else:
            kept = exp((self.at - now) / FADE)
            self.mean = mean * kept + seconds * (1 - kept)
        self.at = now

    def cost(self, now: float, outstanding: int) -> float:
        """Return what one more statement would cost, with *outstanding* of them under way."""
        if self.mean is None:
            return outstanding * UNKNOWN
        return self.mean * exp((self.at - now) / FADE) * (outstanding + 1)


class LeastLatency(Generic[T]):
    """Gives the better of two different members chosen at random: the lower of *cost* divided by weight."""

    __slots__ = ("_all", "_cost", "_members", "_random", "_weights", "laid_out")

    def __init__(
        self, members: Sequence[tuple[T, int]], cost: Callable[[T], float], random: Callable[[], float]
    ) -> None:
        self.laid_out = list(members)
        self._members = [member for member, weight in members if weight > 0]
        self._weights = [weight for _, weight in members if weight > 0]
        self._cost = cost
        self._random = random
        self._all = range(len(self._members))

    def pick(self) -> T | None:
        """Return a member; None where there is none."""
        return self._pick(self._all)

    def pick_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return a member that is in *fit*; None where there is none."""
        return self._pick([place for place in self._all if self._members[place] in fit])

    def peek_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return the only one of *fit*; of several, chance decides."""
        left = [member for member, weight in self.laid_out if weight and member in fit]
        return left[0] if len(left) == 1 else None

    def _pick(self, places: Sequence[int]) -> T | None:
        count = len(places)
        members = self._members
        if count < 2:
            return members[places[0]] if count else None
        one = int(self._random() * count)
        other = int(self._random() * (count - 1))
        if other >= one:
            other += 1
        one, other = places[one], places[other]
        a, b = members[one], members[other]
        return a if self._cost(a) * self._weights[other] <= self._cost(b) * self._weights[one] else b
