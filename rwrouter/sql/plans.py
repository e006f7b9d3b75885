"""What is known of a statement before it runs: a Plan, made once per digest and kept in a bounded LRU."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Target(StrEnum):
    """Where a statement may run when the session is free (no transaction, nothing pinned)."""

    PRIMARY = "primary"
    REPLICA = "replica"
    SAME = "same"  # the connection of the statement before
    LOCAL = "local"  # the router answers or translates it


# Effects on the session: plain int bits, because they are read once per statement.
BEGINS: Final = 1 << 0  # BEGIN, START TRANSACTION
BEGINS_READ_ONLY: Final = 1 << 1  # START TRANSACTION READ ONLY (BEGINS is not set)
ENDS: Final = 1 << 2  # COMMIT, ROLLBACK (not ROLLBACK TO)
SETS_VARIABLE: Final = 1 << 3  # session system variables: remembered and brought to every server
USER_VARIABLE: Final = 1 << 4  # a user variable whose value can't be replayed: pins
USER_VARIABLE_LITERAL: Final = 1 << 5  # SET @a = literal: can be replayed elsewhere
TEMPORARY_TABLE: Final = 1 << 6  # CREATE TEMPORARY TABLE: pins
DROPS_TABLE: Final = 1 << 7  # DROP [TEMPORARY] TABLE: may end TEMPORARY_TABLE
LOCKS_TABLES: Final = 1 << 8  # LOCK TABLES, FLUSH TABLES WITH READ LOCK, LOCK INSTANCE, BACKUP STAGE: pins
UNLOCKS_TABLES: Final = 1 << 9
NAMED_LOCK: Final = 1 << 10  # GET_LOCK and its family: pins
RELEASES_LOCK: Final = 1 << 11  # RELEASE_LOCK, RELEASE_ALL_LOCKS
PREPARES: Final = 1 << 12  # text PREPARE: pins
DEALLOCATES: Final = 1 << 13  # DEALLOCATE PREPARE, DROP PREPARE
XA_BEGINS: Final = 1 << 14
XA_ENDS: Final = 1 << 15  # XA PREPARE, COMMIT, ROLLBACK: unpins
HANDLER_OPENS: Final = 1 << 16
HANDLER_CLOSES: Final = 1 << 17
SCHEMA: Final = 1 << 18  # USE: the schema tracker tells which
ROLE: Final = 1 << 19  # SET ROLE: replayed on each connection
NEXT_TRANSACTION: Final = 1 << 20  # SET TRANSACTION without SESSION: holds for the next one only
NEXT_STATEMENT: Final = 1 << 21  # SET timestamp, insert_id, ...: pins
CONNECTION_STATE: Final = 1 << 22  # state that no tracker tells and nothing ends but a reset: pins
SEVERAL_RESULTS: Final = 1 << 23  # CALL, several statements in one packet
SEVERAL_STATEMENTS: Final = 1 << 24
FOUND_ROWS: Final = 1 << 25  # SQL_CALC_FOUND_ROWS
ACCOUNTS: Final = 1 << 26  # GRANT, ALTER USER, SET PASSWORD ...: forget cached credentials
WRITES: Final = 1 << 27  # a write or DDL for certain: what reads after it may have to wait
KILLS: Final = 1 << 28  # KILL: its id is translated
CONNECTION_ID: Final = 1 << 29  # mentions CONNECTION_ID(): its id is translated
LAST_INSERT_ID: Final = (
    1 << 30
)  # reads LAST_INSERT_ID(), @@identity, LASTVAL(): memory of the primary's connection
SETS_INSERT_ID: Final = 1 << 31  # SELECT LAST_INSERT_ID(5): a value that no OK packet tells: pins
MAY_WRITE: Final = 1 << 32  # CALL, EXECUTE, an unknown function: only the server can tell
READS_USER_VARIABLE: Final = 1 << 33  # SELECT @a: the value must be on the connection
TRACKERS: Final = 1 << 34  # SET session_track_*: the router owns these towards the servers

EFFECT_NAMES: Final = {
    value: name.lower()
    for name, value in globals().copy().items()
    if name.isupper() and isinstance(value, int)
}

# What ties the session to its connection until something ends it. An open transaction is no member: whether
# there is one is in the status flags of each reply, never in the text.
PINS: Final = (
    USER_VARIABLE
    | TEMPORARY_TABLE
    | LOCKS_TABLES
    | NAMED_LOCK
    | PREPARES
    | XA_BEGINS
    | HANDLER_OPENS
    | NEXT_STATEMENT
    | CONNECTION_STATE
    | SETS_INSERT_ID
)


def names(effects: int) -> list[str]:
    """Return the names of the bits in *effects*, lowest first."""
    return [name for value, name in EFFECT_NAMES.items() if effects & value]


@dataclass(frozen=True, slots=True)
class Hint:
    """What the comments of a statement ask of the router. A field is None where they ask nothing."""

    target: str | None = None  # "primary" or "replica"
    server: str | None = None
    max_lag: float | None = None  # seconds
    consistency: str | None = None  # eventual, session, global, primary
    session: str | None = None  # name of a causal session to join


class Plan:
    """Where a statement may go, what it leaves behind, and why. Shared by sessions: never changed."""

    __slots__ = ("digest", "effects", "hint", "is_plain_read", "reason", "target")

    def __init__(
        self, target: Target, reason: str, *, digest: str = "", effects: int = 0, hint: Hint | None = None
    ) -> None:
        self.target = target
        self.reason = reason
        self.digest = digest
        self.effects = effects
        self.hint = hint
        self.is_plain_read = target is Target.REPLICA and hint is None  # asked once per statement
