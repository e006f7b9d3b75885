"""What is known of a statement before it runs: a Plan, made once per digest and kept in a bounded LRU."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


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
USER_VARIABLE: Final = 1 << 4  # sets a user variable: kept
CALLS_FUNCTION: Final = 1 << 5  # a stored function, which may read user variables
TEMPORARY_TABLE: Final = 1 << 6  # CREATE TEMPORARY TABLE: pins
DROPS_TABLE: Final = 1 << 7  # DROP [TEMPORARY] TABLE: may end TEMPORARY_TABLE
LOCKS_TABLES: Final = 1 << 8  # LOCK TABLES, FLUSH TABLES WITH READ LOCK: pins
UNLOCKS_TABLES: Final = 1 << 9
NAMED_LOCK: Final = 1 << 10  # GET_LOCK and its family: pins
RELEASES_LOCK: Final = 1 << 11  # RELEASE_LOCK, RELEASE_ALL_LOCKS
PREPARES: Final = 1 << 12  # text PREPARE: kept
DEALLOCATES: Final = 1 << 13  # DEALLOCATE PREPARE, DROP PREPARE
XA_BEGINS: Final = 1 << 14
XA_ENDS: Final = 1 << 15  # XA PREPARE, COMMIT, ROLLBACK: unpins
HANDLER_OPENS: Final = 1 << 16  # kept
HANDLER_CLOSES: Final = 1 << 17
SCHEMA: Final = 1 << 18  # USE: the schema tracker tells which
ROLE: Final = 1 << 19  # SET ROLE: replayed on each connection
NEXT_TRANSACTION: Final = 1 << 20  # SET TRANSACTION without SESSION: holds for the next one only
NEXT_STATEMENT: Final = 1 << 21  # SET timestamp, insert_id: pins
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
SETS_INSERT_ID: Final = 1 << 31  # LAST_INSERT_ID(5): the value is on the primary's connection
MAY_WRITE: Final = 1 << 32  # CALL, EXECUTE, an unknown function: only the server can tell
READS_USER_VARIABLE: Final = 1 << 33  # SELECT @a: the value must be on the connection
TRACKERS: Final = 1 << 34  # SET session_track_*: the router has values of its own there
LOCKS_INSTANCE: Final = 1 << 35  # LOCK INSTANCE FOR BACKUP, BACKUP LOCK: pins
UNLOCKS_INSTANCE: Final = 1 << 36
BACKUP_STAGE: Final = 1 << 37  # MariaDB's BACKUP STAGE START and further: pins
ENDS_BACKUP: Final = 1 << 38
SYSTEM_TIME: Final = 1 << 39  # SET timestamp = DEFAULT: ends NEXT_STATEMENT
RENAMES_TABLE: Final = 1 << 40  # a temporary table may have another name now
ONE_LOCK_CALL: Final = (
    1 << 41
)  # SELECT GET_LOCK(…) or RELEASE_LOCK(…) and nothing else: its row says how it went
RELEASES_ALL: Final = 1 << 42  # RELEASE_ALL_LOCKS() and nothing else
HIDDEN_STATE: Final = (
    1 << 43
)  # a routine, or EXECUTE, changed what the session carries, and nobody tells what: pins
RUNS_UNSEEN: Final = (
    1 << 45
)  # CALL, EXECUTE, a compound statement: what it does to the session is not in its text
USES_TABLES: Final = 1 << 44  # set by the session's owner where it matters: ends what SET TRANSACTION began
DENIED: Final = 1 << 47  # a rule denies it: the client gets its message
OWN_VARIABLES: Final = 1 << 48  # MariaDB's SET STATEMENT: what it sets holds for itself alone
ASKS_ROUTER: Final = 1 << 46  # RWROUTER ...: answered by the router, whatever it says
READS_TRACKERS: Final = (
    1 << 49
)  # SELECT @@session_track_schema, SHOW VARIABLES: the client has values of its own

EFFECT_NAMES: Final = {
    value: name.lower()
    for name, value in globals().copy().items()
    if name.isupper() and isinstance(value, int)
}

# What ties the session to its connection until something ends it. An open transaction is no member: whether
# there is one is in the status flags of each reply, never in the text.
PINS: Final = (
    TEMPORARY_TABLE
    | LOCKS_TABLES
    | LOCKS_INSTANCE
    | BACKUP_STAGE
    | NAMED_LOCK
    | XA_BEGINS
    | NEXT_STATEMENT
    | CONNECTION_STATE
    | HIDDEN_STATE
)

OF_TRACKERS: Final = TRACKERS | READS_TRACKERS

# What lives on the session's connection to the primary and ties nothing else there: a statement that asks for it goes
# to the primary by its text.
KEEPS: Final = USER_VARIABLE | PREPARES | HANDLER_OPENS


def describe(plan: "Plan") -> dict[str, Any]:
    """Return *plan* as plain values. `pins` names what ties the session to its connection."""
    hint = plan.hint
    return {
        "target": plan.target.value,
        "reason": plan.reason,
        "digest": plan.digest,
        "effects": names(plan.effects),
        "pins": names(plan.effects & (PINS | KEEPS | BEGINS | BEGINS_READ_ONLY)),
        "hint": {
            name: value for name in hint.__dataclass_fields__ if (value := getattr(hint, name)) is not None
        }
        if hint is not None
        else None,
    } | ({"rule": plan.rule} if plan.rule else {})


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

    __slots__ = (
        "asks",
        "digest",
        "effects",
        "hint",
        "is_of_trackers",
        "is_plain_read",
        "is_quick",
        "is_special",
        "leaves",
        "names",
        "reason",
        "rule",
        "target",
    )

    def __init__(
        self,
        target: Target,
        reason: str,
        *,
        digest: str = "",
        effects: int = 0,
        hint: Hint | None = None,
        names: tuple[str, ...] = (),
        rule: str = "",
        asks: int = 0,
        leaves: int = 0,
    ) -> None:
        self.asks = asks  # of the statement before, and
        self.leaves = leaves  # what it leaves of that: see `sql/diagnostics.py`
        self.rule = rule  # the name of the rule that has changed it, "" where none has
        self.target = target
        self.reason = reason
        self.digest = digest
        self.effects = effects
        self.hint = hint
        self.names = names  # of what its effects make or end, and of user variables: see `sql/names.py`
        # Asked once per statement: a read that needs no look at what the session keeps.
        self.is_plain_read = (
            target is Target.REPLICA and hint is None and not effects & (CALLS_FUNCTION | BEGINS_READ_ONLY)
        )
        self.is_quick = self.is_plain_read and not leaves  # and what it changes needs no look either
        self.is_of_trackers = bool(
            effects & OF_TRACKERS
        )  # it needs the client's own: see `proxy/trackers.py`
        # It can't just be sent to where the session is tied to.
        self.is_special = target is Target.LOCAL or self.is_of_trackers or bool(asks)
