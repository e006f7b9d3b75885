"""The kinds of statements. The table of all that users write is tests/routing_cases.py."""

import pytest

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.features import Routines
from rwrouter.sql.kinds import judge_one
from rwrouter.sql.plans import Target
from rwrouter.sql.tokens import tokenize
from rwrouter.sql.verdicts import ASKS, Verdict


def judged(text: str, flavor: Flavor = Flavor.MYSQL) -> Verdict:
    """Return the verdict on *text*."""
    return judge_one(tokenize(text) or [], flavor, Routines())


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("select ?", Verdict(Target.REPLICA, "reads")),
        ("( select ? )", Verdict(Target.REPLICA, "reads")),
        ("insert into t values (?)", Verdict(Target.PRIMARY, "writes", plans.WRITES)),
        ("rename table a to b", Verdict(Target.PRIMARY, "defines data", plans.WRITES | plans.RENAMES_TABLE)),
        ("explain delete from t", Verdict(Target.PRIMARY, "explains what is no read")),
        ("explain select ?", Verdict(Target.REPLICA, "explains a read")),
        ("begin", Verdict(Target.PRIMARY, "begins a transaction", plans.BEGINS)),
        ("savepoint a", Verdict(Target.SAME, "belongs to the open transaction")),
        ("kill ?", Verdict(Target.LOCAL, "KILL takes the router's ids", plans.KILLS)),
        ("rwrouter help", ASKS),
        ("?", Verdict(Target.PRIMARY, "does not begin with a word", unknown=True)),
        ("selekt ?", Verdict(Target.PRIMARY, "begins with SELEKT, an unknown word", unknown=True)),
        (
            "( insert into t values (?) )",
            Verdict(Target.PRIMARY, "begins with INSERT, an unknown word", unknown=True),
        ),
    ],
)
def test_each_kind_is_judged_by_its_first_word(text: str, verdict: Verdict) -> None:
    """In parentheses there can only be a query; what is on no list goes to the primary, and says so."""
    assert judged(text) == verdict


@pytest.mark.parametrize(
    ("text", "mysql", "mariadb"),
    [
        ("analyze select ?", Target.PRIMARY, Target.REPLICA),
        ("set statement a = ? for select ?", Target.PRIMARY, Target.REPLICA),
        ("set statement a = ? for delete from t", Target.PRIMARY, Target.PRIMARY),
    ],
)
def test_mariadb_has_kinds_of_its_own(text: str, mysql: Target, mariadb: Target) -> None:
    """A statement around another: the inner one decides."""
    assert judged(text).target is mysql
    assert judged(text, Flavor.MARIADB).target is mariadb
