"""System variables."""

from rwrouter.sql import variables


def test_a_variable_has_one_meaning() -> None:
    """The lists by which a read of a variable is judged do not overlap."""
    lists = [variables.IDENTITY, variables.OF_LAST_STATEMENT, variables.OF_LAST_INSERT, variables.SESSION]
    assert sum(map(len, lists)) == len(frozenset().union(*lists))
