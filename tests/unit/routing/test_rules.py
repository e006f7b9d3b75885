"""Rules: for whom, for what, and what they make of it."""

from typing import Any

import pytest

from rwrouter.config.model import RuleSettings
from rwrouter.model import Flavor
from rwrouter.routing.rules import RuleBook, RuledPlans, wishes
from rwrouter.routing.terms import Wish
from rwrouter.sql import plans
from rwrouter.sql.classifier import Classifier
from rwrouter.sql.plans import Hint, Plan, Target


def book(*tables: dict[str, Any]) -> RuleBook:
    """Return the rules of *tables*, as the file would have them."""
    return RuleBook.of([RuleSettings.model_validate(table) for table in tables])


def planned(sql: str, *tables: dict[str, Any]) -> Plan:
    """Return what the rules of *tables* make of *sql*, asked twice."""
    ruled = RuledPlans(Classifier(Flavor.MYSQL).plan, book(*tables).rules)
    plan = ruled.plan(sql.encode())
    assert ruled.plan(sql.encode()) is plan
    return plan


@pytest.mark.parametrize(
    ("table", "host", "fits"),
    [
        ({}, "192.0.2.1", True),
        ({"user": "app"}, "192.0.2.1", True),
        ({"user": "root"}, "192.0.2.1", False),
        ({"database": "shop"}, "192.0.2.1", True),
        ({"database": "other"}, "192.0.2.1", False),
        ({"clients": ["192.0.2.0/24"]}, "192.0.2.1", True),
        ({"clients": ["192.0.2.0/24"]}, "::ffff:192.0.2.1", True),
        ({"clients": ["198.51.100.0/24", "2001:db8::/32"]}, "192.0.2.1", False),
        ({"clients": ["198.51.100.0/24", "2001:db8::/32"]}, "2001:db8::7", True),
        ({"clients": ["192.0.2.0/24"]}, "unix", False),
        ({"clients": ["unix"]}, "unix", True),
        ({"clients": ["unix"]}, "192.0.2.1", False),
        ({"user": "app", "clients": ["198.51.100.1"]}, "192.0.2.1", False),
    ],
)
def test_for_whom_a_rule_is(table: dict[str, Any], host: str, fits: bool) -> None:
    """Everything that it names must fit."""
    assert bool(book(table).of_session("app", "shop", host)) is fits


def test_a_rule_without_statements_speaks_for_the_session() -> None:
    """Level and lag are wishes; one that has to see the statement is none."""
    rules = book(
        {"name": "reports", "user": "app", "consistency": "eventual"},
        {"regex": "x", "consistency": "global"},
        {"max_lag": "2s"},
    ).rules
    assert wishes(rules) == [
        ('the rule "reports"', Wish("eventual", None)),
        ('the rule "rule 3"', Wish(None, 2.0)),
    ]


@pytest.mark.parametrize(
    ("sql", "table", "target"),
    [
        ("SELECT a FROM t", {"target": "primary"}, Target.PRIMARY),
        (
            "SELECT a FROM t WHERE b = 7",
            {"digest": "SELECT a FROM t WHERE b = ?", "target": "primary"},
            Target.PRIMARY,
        ),
        ("SELECT a FROM t", {"digest": "SELECT a FROM u", "target": "primary"}, Target.REPLICA),
        ("SELECT a FROM orders", {"regex": r"\bORDERS\b", "target": "primary"}, Target.PRIMARY),
        ("SELECT 'orders' FROM t", {"regex": "orders", "target": "primary"}, Target.REPLICA),  # a value
        ("SELECT price(7)", {"regex": r"price\(", "target": "replica"}, Target.REPLICA),
        ("SELECT price(7) FROM t FOR UPDATE", {"target": "replica"}, Target.PRIMARY),
        ("UPDATE t SET a = 1", {"target": "replica"}, Target.PRIMARY),
        ("/* rwrouter: replica */ SELECT a FROM t", {"target": "primary"}, Target.PRIMARY),
        ("RWROUTER HELP", {"target": "primary", "deny": ""}, Target.LOCAL),
    ],
)
def test_targets(sql: str, table: dict[str, Any], target: Target) -> None:
    """A rule may send a read to the primary, and settle a function; never make a read of a write or a lock."""
    assert planned(sql, table).target is target


def test_what_a_hint_leaves_open_a_rule_fills() -> None:
    """Field by field: the hint, then the first rule that says something."""
    rules = [{"max_lag": "1s"}, {"name": "b", "server": "db3", "max_lag": "2s", "consistency": "global"}]
    plan = planned("/* rwrouter: consistency=eventual */ SELECT a FROM t", *rules)
    assert plan.hint == Hint(server="db3", consistency="eventual", max_lag=1.0)
    assert plan.rule == "rule 1"
    assert planned("UPDATE t SET a = 1", *rules).hint is None


def test_deny() -> None:
    """The statement is answered by the router, which knows why; what follows the first rule does not count."""
    plan = planned(
        "DROP TABLE t", {"name": "no", "regex": "^DROP", "deny": "not here"}, {"target": "primary"}
    )
    assert plan.effects == plans.DENIED
    assert plan.target is Target.LOCAL
    assert plan.reason == 'the rule "no" denies it: not here'
    assert planned("RWROUTER EXPLAIN DROP TABLE t", {"deny": "nothing"}).effects == plans.ASKS_ROUTER


def test_memory_is_bounded() -> None:
    """Plans that are made anew each time do not pile up."""
    fresh = RuledPlans(lambda _sql: Plan(Target.PRIMARY, "unclear"), book({"target": "primary"}).rules)
    for _ in range(20_001):
        fresh.plan(b"x")
    assert len(fresh._ruled) <= 10_000
