"""Which servers have transactions that the primary lacks: written past it, or lost by it in a crash.

A replica is a moment ahead of what the primary said last, and a member of a group may apply what the primary is still
committing: only what the primary has not SETTLED seconds later counts. MariaDB numbers the transactions of a domain, so
that there it is seen only while the primary has not got to the same number.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from rwrouter.cluster.gtid import GtidSet

SETTLED: Final = 5.0  # seconds


class Divergence:
    """What each server had that the primary lacked, and since when."""

    def __init__(self) -> None:
        self._ahead: dict[str, tuple[float, GtidSet]] = {}
        self._astray: dict[str, str] = {}  # name of a server -> the first of the transactions

    def look(self, now: float, primary: GtidSet, others: Mapping[str, GtidSet]) -> None:
        """Take in what the *primary* says at *now*, and what the *others* have said before."""
        astray: dict[str, str] = {}
        ahead: dict[str, tuple[float, GtidSet]] = {}
        for name, executed in others.items():
            since, had = self._ahead.get(name, (now, executed))
            if primary.contains(had) or not executed.contains(had):
                since, had = now, executed  # of then; what it has now may be new, or it was rebuilt
            if not primary or primary.contains(had):
                continue
            ahead[name] = since, had
            if now - since >= SETTLED:
                astray[name] = _first(had, primary)
        self._ahead, self._astray = ahead, astray

    def alarms(self, primary: str) -> Iterator[str]:
        """Yield a sentence for each server that is astray, beside the one called *primary*."""
        for name, which in self._astray.items():
            yield (
                f"{name} has transactions that the primary {primary} lacks ({which}): it was written to past the "
                "primary, or the primary has lost them; compare their data, then rebuild one of them"
            )


def _first(had: GtidSet, primary: GtidSet) -> str:
    """Return the first source of *had* that *primary* lacks a part of, as a GTID set's text."""
    return next(
        text
        for source, intervals in had.sources.items()
        if not primary.contains(GtidSet({source: intervals}))
        for text in [str(GtidSet({source: intervals}))]
    )
