"""Plan and session give a decision."""

import pytest

from rwrouter.routing.decision import Reason, Where, decide
from rwrouter.routing.session import Session
from rwrouter.sql import plans
from rwrouter.sql.plans import Hint, Plan, Target

READ = Plan(Target.REPLICA, "reads")
WRITE = Plan(Target.PRIMARY, "writes")
SAME = Plan(Target.SAME, "of the statement before")
INSERT_ID = Plan(Target.SAME, "insert id", effects=plans.LAST_INSERT_ID)
LOCAL = Plan(Target.LOCAL, "the router's")
COMMIT = Plan(Target.SAME, "ends", effects=plans.ENDS)
CHAIN = Plan(Target.SAME, "ends and begins", effects=plans.ENDS | plans.BEGINS)


def session(*, status: int = 2, effects: int = 0) -> Session:
    """Build a session after one statement."""
    made = Session()
    made.on_reply(effects, status, ())
    return made


FREE = session()
TRANSACTION = session(status=3)
PINNED = session(effects=plans.TEMPORARY_TABLE)
NO_AUTOCOMMIT = session(status=0)
CHAINING = session()
CHAINING.variables[b"completion_type"] = b"CHAIN"


@pytest.mark.parametrize(
    ("case", "plan", "state", "level", "where", "reason"),
    [
        ("a read", READ, FREE, "session", Where.READ, Reason.PLAN),
        ("a write", WRITE, FREE, "session", Where.PRIMARY, Reason.PLAN),
        ("a read in a transaction", READ, TRANSACTION, "session", Where.HOME, Reason.TRANSACTION),
        ("a write in a transaction", WRITE, TRANSACTION, "session", Where.HOME, Reason.TRANSACTION),
        ("a read with autocommit off", READ, NO_AUTOCOMMIT, "session", Where.HOME, Reason.AUTOCOMMIT_OFF),
        ("a read with a temporary table", READ, PINNED, "session", Where.HOME, Reason.PINNED),
        ("warnings", SAME, FREE, "session", Where.LAST, Reason.PLAN),
        ("the insert id", INSERT_ID, FREE, "session", Where.PRIMARY, Reason.PLAN),
        ("a COMMIT of reads", COMMIT, FREE, "session", Where.LAST, Reason.PLAN),
        ("a COMMIT that begins anew", CHAIN, FREE, "session", Where.PRIMARY, Reason.PLAN),
        ("a COMMIT by completion_type", COMMIT, CHAINING, "session", Where.PRIMARY, Reason.PLAN),
        ("a kill in a transaction", LOCAL, TRANSACTION, "session", Where.LOCAL, Reason.PLAN),
        ("a read at level primary", READ, FREE, "primary", Where.PRIMARY, Reason.CONSISTENCY),
        (
            "a hint for a server",
            Plan(Target.REPLICA, "reads", hint=Hint(server="db3")),
            FREE,
            "session",
            Where.READ,
            Reason.HINT,
        ),
        (
            "a hint for a server, in a transaction",
            Plan(Target.REPLICA, "reads", hint=Hint(server="db3")),
            TRANSACTION,
            "session",
            Where.HOME,
            Reason.TRANSACTION,
        ),
        (
            "a hint for a level",
            Plan(Target.REPLICA, "reads", hint=Hint(consistency="primary")),
            FREE,
            "session",
            Where.PRIMARY,
            Reason.CONSISTENCY,
        ),
    ],
)
def test_decisions(case: str, plan: Plan, state: Session, level: str, where: Where, reason: Reason) -> None:
    """A transaction and a pin come before the text; a hint never splits a transaction."""
    decision = decide(plan, state, level)
    assert (decision.where, decision.reason) == (where, reason), case
