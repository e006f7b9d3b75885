"""Verdicts on all that one packet holds."""

import pytest

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.features import Routines
from rwrouter.sql.plans import Target
from rwrouter.sql.statements import is_connection_id, judge
from rwrouter.sql.tokens import tokenize
from rwrouter.sql.verdicts import Verdict


def _judge(text: str) -> Verdict:
    return judge(tokenize(text) or [], Flavor.MYSQL, Routines())


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("select /*! ? , */ ?", Target.REPLICA),
        ("select /*! f(?) , */ ?", Target.PRIMARY),
        ("/*! delete from t */ select ?", Target.PRIMARY),
        ("/*! kill ? */ select ?", Target.PRIMARY),
        ("/*! select ? */", Target.REPLICA),
        ("/*! a */ /*! b */ /*! c */ /*! d */ select ?", Target.PRIMARY),
    ],
)
def test_executable_comments_are_read_both_ways(text: str, target: Target) -> None:
    """Whether a server runs the body depends on its version: no reading may be unsafe."""
    assert _judge(text).target is target


def test_several_statements_keep_what_is_left_at_their_end() -> None:
    """A transaction that ends in the same packet is not open; all other effects add up."""
    assert _judge("begin; commit").effects & (plans.BEGINS | plans.ENDS) == plans.ENDS
    assert _judge("commit; begin").effects & plans.BEGINS
    assert _judge("select ?; select ?").effects & plans.SEVERAL_STATEMENTS


def test_connection_id_alone() -> None:
    """Only the bare form is answered by the router."""
    assert is_connection_id(tokenize("select connection_id() as a;") or [])
    assert not is_connection_id(tokenize("select connection_id() + ?") or [])
    assert not is_connection_id(tokenize("select `connection_id`()") or [])
