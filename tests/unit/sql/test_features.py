"""Features: what is found in a statement, wherever in it."""

import pytest

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.features import Features, Routines, walk
from rwrouter.sql.tokens import tokenize


def _walk(text: str, routines: Routines | None = None) -> Features:
    tokens = tokenize(text)
    assert tokens is not None
    return walk(tokens, Flavor.MYSQL, routines or Routines())


@pytest.mark.parametrize(
    ("text", "primary", "effects"),
    [
        ("select ((get_lock(?)))", "named lock", plans.NAMED_LOCK),
        ("select a for update", "FOR UPDATE", 0),
        ("select @a := ?", "assigns", plans.USER_VARIABLE),
        ("select sql_calc_found_rows a", "", plans.FOUND_ROWS),
        ("select a.get_lock, a.update", "", 0),
        ("select `for` `update`", "", 0),
    ],
)
def test_features_are_found_at_any_depth(text: str, primary: str, effects: int) -> None:
    """A feature counts wherever it stands, a name that looks like one never does."""
    found = _walk(text)
    assert primary in found.primary
    assert bool(found.primary) is bool(primary)
    assert found.effects & effects == effects


def test_a_list_of_names_is_no_call() -> None:
    """`AS t (a)` and `t (a) AS (` name columns; a word before any other parenthesis may be a function."""
    assert not _walk("with t (a) as (select ?) select ? from (select ?) as d (b)").unsure
    assert "t()" in _walk("select t (a)").unsure


def test_a_routine_is_looked_up_with_its_schema() -> None:
    """A folded name is on no list, even if a routine should be called so."""
    routines = Routines(frozenset({"db.f", "db.f?"}))
    assert not _walk("select db.f(?)", routines).unsure
    assert _walk("select db.`f?`(?)", routines).unsure
    assert _walk("select f(?)", routines).unsure
