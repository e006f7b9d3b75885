"""Which writes a read must see: the causal position of a session, and how a server is made to reach it."""

from typing import Final

from rwrouter.cluster.gtid import GtidSet, parsed
from rwrouter.model import Flavor

INTERVALS_LIMIT: Final = 64
"""A position with more gaps than this is widened: waiting for more than was written is slower, never wrong."""


class Position:
    """The GTIDs that a session has written, as one set."""

    __slots__ = ("_pending", "_set")

    def __init__(self) -> None:
        self._set: GtidSet | None = None
        self._pending: list[bytes] = []  # not yet merged: most writes are followed by more writes

    def __bool__(self) -> bool:
        return bool(self._pending) or self._set is not None

    def add(self, gtid: bytes) -> None:
        """Add what the tracker of a write's OK packet reported."""
        self._pending.append(gtid)
        if len(self._pending) > INTERVALS_LIMIT:
            self._merge()

    def _merge(self) -> GtidSet:
        merged = self._set
        for gtid in self._pending:
            part = GtidSet.parse(gtid.decode("ascii", "replace"))
            merged = part if merged is None else merged.union(part)
        self._pending.clear()
        self._set = merged
        if merged is None:
            raise ValueError("an empty position")
        return merged

    def covered_by(self, executed: str) -> bool:
        """Tell whether a server that has *executed*, a GTID set's text, has all of it."""
        return bool(executed) and parsed(executed).contains(self._merge())

    def __str__(self) -> str:
        return str(self._merge()) if self else ""


def wait_statement(flavor: Flavor, position: Position, seconds: float) -> bytes:
    """Return the query that gives 0 once the server has *position*, and something else after *seconds*.

    With 0 seconds it only looks. (To MySQL's function, 0 means to wait for ever.) It has a LIMIT, as all questions on a
    session's connections: `sql_select_limit` may be 0 there.
    """
    text = str(position).replace("\n", "").encode()
    if flavor is Flavor.MARIADB:
        return b"SELECT MASTER_GTID_WAIT('" + text + b"', " + f"{seconds:g}".encode() + b") LIMIT 1"
    if not seconds:
        return b"SELECT 1 - GTID_SUBSET('" + text + b"', @@GLOBAL.gtid_executed) LIMIT 1"
    return b"SELECT WAIT_FOR_EXECUTED_GTID_SET('" + text + b"', " + f"{seconds:g}".encode() + b") LIMIT 1"


def executed_statement(flavor: Flavor) -> bytes:
    """Return the query that gives all that a primary has committed, as a GTID set's text.

    A commit is in it before its client is told. As bytes, so that a session's character set does not change it.
    MariaDB: `gtid_current_pos` has what the server wrote itself, and what it had applied before it became primary.
    """
    if flavor is Flavor.MARIADB:
        return b"SELECT CAST(@@GLOBAL.gtid_current_pos AS BINARY) LIMIT 1"
    return b"SELECT CAST(@@GLOBAL.gtid_executed AS BINARY) LIMIT 1"
