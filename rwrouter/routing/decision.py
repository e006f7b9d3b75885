"""Plan + session -> where one statement goes, and why. Made per statement; the plan behind it is cached."""

from enum import Enum
from typing import Final, NamedTuple

from rwrouter.routing.session import UNREPLICATED_SCHEMAS, Session
from rwrouter.sql.plans import (
    BEGINS,
    BEGINS_READ_ONLY,
    CALLS_FUNCTION,
    ENDS,
    LAST_INSERT_ID,
    USER_VARIABLE,
    Plan,
    Target,
)


class Where(Enum):
    """Which of the session's connections, or of the servers, answers."""

    READ = "any server that is fit for the read"
    PRIMARY = "the primary"
    HOME = "the connection that the session is tied to"
    LAST = "the connection of the statement before"
    LOCAL = "the router itself"


class Reason(Enum):
    """Why: the value is the sentence for people, the name the label of metrics."""

    PLAN = "by its text"
    TRANSACTION = "a transaction is open"
    AUTOCOMMIT_OFF = "autocommit is off: a transaction begins with the next statement"
    SERIALIZABLE = "the isolation level is SERIALIZABLE: reads lock"
    SCHEMA = "the session's schema describes one server"
    PINNED = "the session has state that can't be brought to another server"
    HINT = "a hint asks for it"
    KEPT = "the session has user variables, which this may read, on its connection to the primary"
    CONSISTENCY = "reads of this session are asked of the primary"


class Decision(NamedTuple):
    """Where one statement runs."""

    where: Where
    reason: Reason
    server: str | None = None  # asked for by a hint


_READ: Final = Decision(Where.READ, Reason.PLAN)
_PRIMARY: Final = Decision(Where.PRIMARY, Reason.PLAN)
_LAST: Final = Decision(Where.LAST, Reason.PLAN)
_LOCAL: Final = Decision(Where.LOCAL, Reason.PLAN)

_PRIMARY_KEEPS: Final = LAST_INSERT_ID | BEGINS
"""What the connection of the statement before is not asked: COMMIT AND CHAIN begins a transaction that may write."""

_NO_CHAIN: Final = b"NO_CHAIN"  # as the tracker tells the default


def tie(session: Session) -> Reason:
    """Return what ties *session*, which is not free, to its connection."""
    if session.in_transaction:
        return Reason.TRANSACTION
    if session.pins:
        return Reason.PINNED
    if session.schema in UNREPLICATED_SCHEMAS:
        return Reason.SCHEMA
    return Reason.SERIALIZABLE if session.serializable else Reason.AUTOCOMMIT_OFF


def decide(plan: Plan, session: Session, consistency: str) -> Decision:
    """Decide where a statement with *plan* goes for *session*, whose reads have the level *consistency*."""
    target = plan.target
    if target is Target.LOCAL:
        return _LOCAL
    if not session.free:
        return Decision(Where.HOME, tie(session))
    hint = plan.hint
    if target is Target.REPLICA:
        if (session.keeps and plan.effects & BEGINS_READ_ONLY) or (
            session.keeps & USER_VARIABLE and plan.effects & CALLS_FUNCTION
        ):
            return Decision(Where.PRIMARY, Reason.KEPT)
        if hint is not None:
            if hint.server is not None:
                return Decision(Where.READ, Reason.HINT, hint.server)
            consistency = hint.consistency or consistency
        if consistency == "primary":
            return Decision(Where.PRIMARY, Reason.CONSISTENCY)
        return _READ
    if target is Target.SAME and not plan.effects & _PRIMARY_KEEPS and not _chains(plan, session):
        return _LAST
    return _PRIMARY


def _chains(plan: Plan, session: Session) -> bool:
    """Tell whether a COMMIT or ROLLBACK begins a transaction by `completion_type`."""
    return bool(plan.effects & ENDS) and session.variables.get(b"completion_type", _NO_CHAIN) != _NO_CHAIN
