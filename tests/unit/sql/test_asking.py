"""Statements for the router itself."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.errors import BadRequest
from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.asking import ASKS, STATEMENTS, Explain, Request, Set, Show, read
from rwrouter.sql.classifier import Classifier
from rwrouter.sql.plans import Target

BEFORE = [
    b"",
    b"  \n",
    b"/* a * b */ ",
    b"-- x\n",
    b"#y\n",
    b"--\n/**/",
    b"/*Mine*/",
    b"/* rwrouter: primary */",
]


@pytest.mark.parametrize(
    ("sql", "request_"),
    [
        (b"RWROUTER HELP", Show("help")),
        (b"rwrouter show session ; ", Show("session")),
        (b"RWRouter /* which */ SHOW -- x\n SERVERS;;", Show("servers")),
        (b"RWROUTER EXPLAIN SELECT 'a''b' ;", Explain(b"SELECT 'a''b' ;")),
        (b"RWROUTER EXPLAIN /* rwrouter: primary */ SELECT 1", Explain(b"SELECT 1")),
        (b"RWROUTER SET consistency='Global'", Set({"consistency": "global"})),
        (
            b'RWROUTER SET consistency = "eventual", max_lag = 500ms',
            Set({"consistency": "eventual", "max_lag": 0.5}),
        ),
        (b"RWROUTER SET max_lag='2s';", Set({"max_lag": 2.0})),
        (b"RWROUTER SET consistency=DEFAULT, max_lag=default", Set({"consistency": None, "max_lag": None})),
    ],
)
def test_each_form_is_read(sql: bytes, request_: Request) -> None:
    """Case, blanks, comments and the last semicolon do not count."""
    for before in BEFORE:
        assert read(before + sql) == request_


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (b"RWROUTER", "There is: RWROUTER EXPLAIN"),
        (b"RWROUTER SHOW", "RWROUTER SHOW SESSION"),
        (b"RWROUTER SHOW TABLES", "is not known"),
        (b"RWROUTER HELP ME", "is not known"),
        (b"RWROUTER 'HELP'", "is not known"),
        (b"RWROUTER EXPLAIN", "needs a statement"),
        (b"RWROUTER EXPLAIN ; ", "needs a statement"),
        (b"RWROUTER SET", "takes consistency and max_lag, and nothing is"),
        (b"RWROUTER SET mode = 1", 'takes consistency and max_lag, and "mode" is'),
        (b"RWROUTER SET consistency", "needs a value: write consistency = 'eventual'"),
        (b"RWROUTER SET consistency = ", "write a value"),
        (b"RWROUTER SET consistency = 'default'", '"default" is no level'),
        (
            b"RWROUTER SET consistency = 'sesion'",
            "is no level: write 'eventual', 'session', 'global' or 'primary'",
        ),
        (b"RWROUTER SET max_lag = 0", "is no time above 0"),
        (b"RWROUTER SET max_lag = 'soon'", "is no time above 0"),
        (b"RWROUTER SET max_lag = 1s DEFAULT", "is not known"),
        (b"RWROUTER SHOW SESSION; SELECT 1", "stands alone"),
        (b"SELECT 1; RWROUTER HELP", "stands alone"),
    ],
)
def test_what_is_wrong_is_said_with_what_there_is(sql: bytes, said: str) -> None:
    """The error tells what to write."""
    with pytest.raises(BadRequest) as caught:
        read(sql)
    assert said in str(caught.value)


def test_the_list_of_all_fits_into_an_error() -> None:
    """A client sees it whole: 512 bytes is what a server's message has."""
    with pytest.raises(BadRequest) as caught:
        read(b"RWROUTER " + b"x" * 200)
    assert all(statement in str(caught.value) for statement in STATEMENTS)
    assert len(str(caught.value).encode()) < 512


@pytest.mark.parametrize(
    "sql",
    [
        b"SELECT rwrouter",
        b"rwrouterx",
        b"`rwrouter` HELP",
        b"'RWROUTER HELP'",
        b"rwrouter: BEGIN NOT ATOMIC END",
    ],
)
def test_sql_is_not_taken_for_one(sql: bytes) -> None:
    """Only the bare word at the beginning asks the router."""
    assert ASKS.match(sql) is None
    assert not Classifier(Flavor.MARIADB).plan(sql).effects & plans.ASKS_ROUTER


@pytest.mark.parametrize("multibyte", [False, True])
@given(rest=st.binary(max_size=80), before=st.sampled_from(BEFORE))
def test_no_server_sees_what_begins_so(rest: bytes, before: bytes, multibyte: bool) -> None:
    """Whatever follows, also what nobody understands, in any character set, is the router's to answer."""
    sql = before + b"RWROUTER " + rest
    classifier = Classifier(Flavor.MYSQL, multibyte_unsafe=multibyte)
    for _ in range(2):
        plan = classifier.plan(sql)
        assert plan.target is Target.LOCAL
        assert plan.effects & plans.ASKS_ROUTER
    with contextlib.suppress(BadRequest):
        read(sql)


def test_a_long_one_and_one_among_others_are_the_routers_too() -> None:
    """A head that is cut off, a text past every limit, and the second of two statements."""
    classifier = Classifier(Flavor.MYSQL, limit=100_000)
    for plan in (
        classifier.plan_head(b"RWROUTER EXPLAIN SELECT ", 1 << 25),
        classifier.plan(b"RWROUTER EXPLAIN SELECT '" + b"x" * 200_000 + b"'"),
        classifier.plan(b"SELECT 1; rwrouter show session"),
        classifier.plan(b"/*! RWROUTER HELP */"),
        classifier.plan(b"RWROUTER EXPLAIN SELECT " + b"/*!80000 1 + */ " * 5 + b"1"),
        classifier.plan(b"RWROUTER EXPLAIN SELECT " + b"1 + a, " * 9_000 + b"1"),
    ):
        assert plan.effects & plans.ASKS_ROUTER
        assert plan.target is Target.LOCAL
