"""Weighted least outstanding: the server with the fewest statements under way, for its weight.

The loads stand in one list that is kept up to date, so that a choice is a `min` in C: some µs for 100 servers.
"""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Final, Generic, TypeVar

from rwrouter.routing.balancer import lay_out

T = TypeVar("T")

TURNS: Final = 4
"""How many turns are tried to break a tie by weight; then the next in the list has it."""


class LeastOutstanding(Generic[T]):
    """Gives the member with the least statements under way divided by weight; ties go round by weight.

    *outstanding* says how many a member has now; after that, `changed` is told. An idle member has load 0 whatever
    its weight, so that a quiet router spreads by the weights, as round robin does.
    """

    __slots__ = ("_loads", "_members", "_places", "_round", "_turn", "_weights", "laid_out")

    def __init__(self, members: Sequence[tuple[T, int]], outstanding: Callable[[T], int]) -> None:
        self.laid_out = list(members)
        weighty = [(member, weight) for member, weight in members if weight > 0]
        self._members = [member for member, _ in weighty]
        self._weights = [weight for _, weight in weighty]
        self._places = {member: place for place, member in enumerate(self._members)}
        self._loads = [outstanding(member) / weight for member, weight in weighty]
        turns = lay_out(self._weights) or [0]
        self._round = len(turns)
        self._turn = cycle(turns).__next__

    def changed(self, member: T, outstanding: int) -> None:
        """Take that *member* has *outstanding* statements under way now; one that is no member is left out."""
        place = self._places.get(member)
        if place is not None:
            self._loads[place] = outstanding / self._weights[place]

    def pick(self) -> T | None:
        """Return the member to ask next; None where there is none."""
        loads = self._loads
        if not loads:
            return None
        least = min(loads)
        place = self._turn()
        for _ in range(TURNS):
            if loads[place] == least:
                return self._members[place]
            place = self._turn()
        try:
            return self._members[loads.index(least, place)]
        except ValueError:
            return self._members[loads.index(least)]

    def pick_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return the least loaded member that is in *fit*; None where there is none."""
        places = [place for place, member in enumerate(self._members) if member in fit]
        if not places:
            return None
        least = min(self._loads[place] for place in places)
        tied = [place for place in places if self._loads[place] == least]
        after = self._turn()
        return self._members[next((place for place in tied if place >= after), tied[0])]

    def peek_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return who `pick_if` would give now. Goes round once, so that the turn is where it was."""
        found = self.pick_if(fit)
        if found is not None:
            for _ in range(self._round - 1):
                self._turn()
        return found
