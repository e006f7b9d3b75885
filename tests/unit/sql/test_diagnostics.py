"""What statements ask of the one before, and leave."""

import pytest

from rwrouter.model import Flavor
from rwrouter.sql.classifier import Classifier
from rwrouter.sql.diagnostics import COUNT, ROWS, WARNINGS

MYSQL, MARIADB = Classifier(Flavor.MYSQL), Classifier(Flavor.MARIADB)


@pytest.mark.parametrize(
    ("sql", "asks"),
    [
        ("SELECT FOUND_ROWS()", ROWS),
        ("SELECT found_rows ( ) AS n", ROWS),
        ("SELECT ROW_COUNT(), LAST_INSERT_ID()", COUNT),
        ("SELECT ROW_COUNT() + FOUND_ROWS()", ROWS | COUNT),
        ("INSERT INTO t (a) SELECT ROW_COUNT()", COUNT),
        ("UPDATE t SET a = FOUND_ROWS()", ROWS),
        ("SET @n = FOUND_ROWS()", ROWS),
        ("SHOW WARNINGS", WARNINGS),
        ("SHOW ERRORS LIMIT 3", WARNINGS),
        ("SHOW COUNT(*) WARNINGS", WARNINGS),
        ("SELECT @@warning_count", WARNINGS),
        ("SELECT @@session.error_count, 1", WARNINGS),
        ("GET DIAGNOSTICS @n = NUMBER", WARNINGS),
        ("SELECT FOUND_ROWS(), @@warning_count", ROWS | WARNINGS),
        # names, and what only looks like it
        ("SELECT found_rows FROM t", 0),
        ("SELECT row_count FROM t", 0),
        ("SELECT shop.FOUND_ROWS()", 0),
        ("SELECT 'FOUND_ROWS()', `ROW_COUNT`", 0),
        ("SHOW TABLES LIKE 'warnings'", 0),
        ("SHOW COUNT", 0),
        ("SELECT @warning_count", 0),
        ("SELECT 1", 0),
    ],
)
def test_asks(sql: str, asks: int) -> None:
    """The same on both."""
    assert MYSQL.plan(sql.encode()).asks == asks
    assert MARIADB.plan(sql.encode()).asks == asks


BOTH = ROWS | WARNINGS


@pytest.mark.parametrize(
    ("sql", "on_mysql", "on_mariadb"),
    [
        ("SELECT a FROM t", 0, 0),
        ("SELECT 1", 0, WARNINGS),
        ("SELECT @@autocommit", 0, WARNINGS),
        ("SELECT (SELECT 1)", 0, 0),
        ("(SELECT 1) UNION (SELECT 2)", 0, 0),
        ("SELECT 1 / 0", 0, 0),
        ("SELECT f(1)", 0, 0),
        ("INSERT INTO t VALUES (1)", ROWS, ROWS),
        ("INSERT INTO t SELECT a FROM u", 0, 0),
        ("INSERT INTO t TABLE u", 0, 0),
        ("REPLACE t SELECT 1", 0, 0),
        ("UPDATE t SET a = 1", 0, ROWS),
        ("DELETE FROM t", ROWS, ROWS),
        ("DELETE FROM t WHERE a IN (SELECT 1)", 0, 0),
        ("SET NAMES utf8mb4", ROWS, BOTH),
        ("SET @a = (SELECT 1 FROM t)", 0, 0),
        ("BEGIN", ROWS, BOTH),
        ("COMMIT", ROWS, BOTH),
        ("USE shop", ROWS, BOTH),
        ("DO 1", 0, BOTH),
        ("CREATE TABLE t (a INT)", ROWS, ROWS),
        ("CREATE TABLE t SELECT 1", 0, 0),
        ("PREPARE s FROM 'SELECT 1'", ROWS, BOTH),
        ("EXECUTE s", 0, 0),
        ("CALL p()", 0, 0),
        ("SHOW WARNINGS", BOTH, BOTH),
        ("SHOW COUNT(*) WARNINGS", 0, 0),
        ("SHOW TABLES", 0, 0),
        ("SHOW CREATE TABLE t", ROWS, ROWS),
        ("GET DIAGNOSTICS @n = NUMBER", BOTH, BOTH),
        ("EXPLAIN SELECT 1", ROWS, ROWS),
        ("SET STATEMENT max_statement_time=1 FOR DELETE FROM t", 0, 0),
        ("SELECT 1; SELECT 2", 0, 0),
        ("FROBNICATE", 0, 0),
    ],
)
def test_leaves(sql: str, on_mysql: int, on_mariadb: int) -> None:
    """Only what was seen to."""
    assert MYSQL.plan(sql.encode()).leaves == on_mysql
    assert MARIADB.plan(sql.encode()).leaves == on_mariadb
