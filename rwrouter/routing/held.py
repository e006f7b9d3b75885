"""What a session holds on one connection, by name: temporary tables, prepared names, HANDLERs; named locks by number.

A pin ends when the last of its kind is gone, and only if that is certain: what may hold more than is known here keeps
it until the session is reset.
"""

from collections.abc import Iterable
from typing import Final

from rwrouter.sql import plans
from rwrouter.sql.names import UNKNOWN

MAKES: Final = {
    plans.TEMPORARY_TABLE: plans.DROPS_TABLE,
    plans.PREPARES: plans.DEALLOCATES,
    plans.HANDLER_OPENS: plans.HANDLER_CLOSES,
}
"""Effect that makes something with a name -> effect that ends it."""

NAMED: Final = plans.TEMPORARY_TABLE | plans.PREPARES | plans.HANDLER_OPENS
ENDS: Final = plans.DROPS_TABLE | plans.DEALLOCATES | plans.HANDLER_CLOSES
LOCKS: Final = plans.NAMED_LOCK | plans.RELEASES_LOCK


class Held:
    """Names and numbers behind the pins of one session."""

    __slots__ = ("_locks", "_locks_are_certain", "_names")

    def __init__(self) -> None:
        self._names: dict[int, set[str]] = {}
        self._locks = 0
        self._locks_are_certain = True

    def follow(self, effects: int, names: Iterable[str], schema: str) -> int:
        """Take a statement with *effects* that ended well; return those of its kinds of which nothing is left.

        *names* without a schema are of the current *schema*.
        """
        gone = 0
        for makes, ends in MAKES.items():
            if not effects & (makes | ends):
                continue
            known = self._names.setdefault(makes, set())
            own = {name for name in names if not name.startswith("@")} or {UNKNOWN}
            if makes == plans.TEMPORARY_TABLE:
                own = {name if "." in name or name == UNKNOWN else f"{schema}.{name}" for name in own}
            if effects & makes:
                known |= own
            elif UNKNOWN not in own:
                known -= own
            if not known:
                gone |= makes
        if effects & plans.RENAMES_TABLE and self._names.get(plans.TEMPORARY_TABLE):
            self._names[plans.TEMPORARY_TABLE].add(UNKNOWN)
        return gone

    def lock(self, effects: int, value: int | None) -> int:
        """Take a statement that spoke of named locks; return NAMED_LOCK if none is held any more.

        *value*: what the call gave, where it was the only one in its statement and gave a number; -1 for NULL, and
        None where that is not known.
        """
        if effects & plans.RELEASES_ALL:
            self._locks, self._locks_are_certain = 0, True
        elif not effects & plans.ONE_LOCK_CALL or value is None:
            if effects & plans.NAMED_LOCK:
                self._locks_are_certain = False
        elif value == 1:
            self._locks += 1 if effects & plans.NAMED_LOCK else -1
        return 0 if self._locks > 0 or not self._locks_are_certain else plans.NAMED_LOCK
