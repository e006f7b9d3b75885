"""Names in digests: of temporary tables, prepared statements, HANDLERs, user variables; and calls of named locks."""

import pytest

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.classifier import Classifier
from rwrouter.sql.names import lock_call
from rwrouter.sql.tokens import tokenize

PLANNER = Classifier(Flavor.MYSQL)


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("CREATE TEMPORARY TABLE Tmp (a INT)", ("Tmp",)),
        ("CREATE TEMPORARY TABLE IF NOT EXISTS shop.`my tmp` (a INT)", ("shop.my tmp",)),
        ("CREATE OR REPLACE TEMPORARY TABLE x SELECT 1", ("x",)),
        ("DROP TEMPORARY TABLE IF EXISTS a, `b`, shop.c", ("a", "b", "shop.c")),
        ("DROP TABLE a, b RESTRICT", ("a", "b")),
        ("CREATE TEMPORARY TABLE x (a INT); DROP TABLE x", ("?",)),
        ("CREATE /*!50000 TEMPORARY */ TABLE x (a INT)", ("?",)),
        ("PREPARE Stmt FROM 'SELECT 1'", ("stmt",)),
        ("PREPARE s FROM @sql", ("@sql", "s")),
        ("DEALLOCATE PREPARE `S`", ("s",)),
        ("DROP PREPARE s", ("s",)),
        ("HANDLER t OPEN", ("t",)),
        ("HANDLER shop.t OPEN", ("t",)),
        ("HANDLER t OPEN AS h", ("h",)),
        ("HANDLER t OPEN h", ("h",)),
        ("HANDLER h CLOSE", ("h",)),
        ("SELECT @A := 1, @`b c`", ("@a", "@b c")),
        ("SELECT 1 INTO @'folded'", ("?",)),
        ("CALL p(@out)", ("@out",)),
        ("SELECT a FROM t", ()),
    ],
)
def test_names_are_read_from_the_text(sql: str, names: tuple[str, ...]) -> None:
    """Each form of each statement; what is hidden is unknown."""
    assert PLANNER.plan(sql.encode()).names == names


@pytest.mark.parametrize(
    ("sql", "effects"),
    [
        ("SELECT GET_LOCK(?)", plans.ONE_LOCK_CALL),
        ("SELECT GET_LOCK(CONCAT(?, f(a)), ?) AS got", plans.ONE_LOCK_CALL),
        ("select release_lock(?) x;", plans.ONE_LOCK_CALL),
        ("SELECT RELEASE_ALL_LOCKS()", plans.RELEASES_ALL),
        ("DO RELEASE_ALL_LOCKS()", plans.RELEASES_ALL),
        ("DO GET_LOCK(?)", 0),
        ("SELECT GET_LOCK(?) = ?", 0),
        ("SELECT GET_LOCK(?), ?", 0),
        ("SELECT GET_LOCK(RELEASE_LOCK(?))", 0),
        ("SELECT GET_LOCK(?) FROM t", 0),
        ("SELECT IF(?, RELEASE_ALL_LOCKS(), ?)", 0),
        ("SELECT RELEASE_ALL_LOCKS(); SELECT GET_LOCK(?)", 0),
    ],
)
def test_only_a_call_alone_says_how_it_went(sql: str, effects: int) -> None:
    """Its one row has one number; in anything else that number may mean something else, or not be there."""
    tokens = tokenize(sql)
    assert tokens is not None
    assert lock_call(tokens) == effects
