"""What a switchover is made of, as people see it."""

from rwrouter.cluster.steps import Forbidden, Statement
from tests.unit.cluster.test_switchover import ORDER


def test_secrets_are_not_shown() -> None:
    """Neither of an order nor of a statement."""
    assert "topsecret" not in repr(ORDER)
    assert (
        str(Statement("A = %s, B = %s, C = %s", ("x", "y", 3), frozenset({1}))) == "A = 'x', B = '***', C = 3"
    )


def test_all_that_forbids_it_is_told_at_once() -> None:
    """One line, of all problems."""
    assert str(Forbidden(["db1 is down", "db2 has no GTIDs"])) == "db1 is down; db2 has no GTIDs"
