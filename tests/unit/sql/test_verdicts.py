"""Verdicts, and which of two is the safe one."""

from rwrouter.sql import plans
from rwrouter.sql.plans import Target
from rwrouter.sql.verdicts import EMPTY, Verdict, most_careful


def test_the_more_careful_verdict_wins() -> None:
    """Primary before same before local before replica, with the effects of all."""
    read = Verdict(Target.REPLICA, "reads", plans.FOUND_ROWS)
    write = Verdict(Target.PRIMARY, "writes", plans.WRITES)
    assert most_careful([read, write]) == Verdict(Target.PRIMARY, "writes", plans.WRITES | plans.FOUND_ROWS)
    assert most_careful([read, Verdict(Target.LOCAL, "kills")]).target is Target.PRIMARY


def test_an_empty_statement_has_no_say() -> None:
    """Beside another; alone it is the verdict."""
    read = Verdict(Target.REPLICA, "reads")
    assert most_careful([EMPTY, read]) == read
    assert most_careful([EMPTY]) == EMPTY


def test_a_hint_may_settle_only_what_all_readings_leave_open() -> None:
    """A reading that writes for certain wins over one that calls a function that is not known."""
    sure, unsure = Verdict(Target.PRIMARY, "writes"), Verdict(Target.PRIMARY, "calls f", unsure=True)
    assert most_careful([unsure, sure]) == sure
