"""Shapes and folds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.sql.digest import Digester, shorten
from rwrouter.sql.tokens import render, tokenize

PLAIN = Digester()
ANSI = Digester(ansi_quotes=True)
NO_BACKSLASH = Digester(no_backslash_escapes=True)


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        (b"SELECT c FROM sbtest1 WHERE id=12345", b"SELECT c FROM sbtest1 WHERE id=?"),
        (b"IN (1, 2,3)", b"IN (?)"),
        (b"IN ('a', 'b','c')", b"IN (?)"),
        (b"'it''s'", b"??"),
        (b"1.5 1e5 1.5E-3", b"? ? ?"),
        (b"a1 a$1 @1 `1` 1a 1.a", b"a1 a$1 @1 `1` 1a 1.a"),
        (b"1,2x", b"?,2x"),
        (b'"a" \'b"c\'', b"? ?"),
    ],
)
def test_a_shape_keeps_all_but_literals(sql: bytes, shape: bytes) -> None:
    """Strings, numbers and lists of them become one mark; digits in names stay."""
    assert PLAIN.shape(sql) == shape
    assert PLAIN.is_clean(shape)


@pytest.mark.parametrize(
    "sql",
    [
        b"SELECT '",
        b"/* a */",
        b"-- a",
        b"# a",
        b"'a\\'",
        b"`a'b`",
        b"\x00",
        b"@'a",
        b"SELECT 'a`b'",
        b"a -- 'b'",
    ],
)
def test_what_the_fast_pass_does_not_understand_is_not_clean(sql: bytes) -> None:
    """Comments, backslashes, open quotes and quotes within names ask for the second pass."""
    assert not PLAIN.is_clean(PLAIN.shape(sql))


@pytest.mark.parametrize(
    ("digester", "sql", "folded"),
    [
        (PLAIN, b"'a\\'b' /* x */ 1", b"?   ?"),
        (NO_BACKSLASH, b"'a\\' 1", b"? ?"),
        (ANSI, b"\"a'b\" 'c'", b'"a\'b" ?'),
        (PLAIN, b"`a'b` 'c`d'", b"`a'b` ?"),
        (PLAIN, b"/*!50001 SELECT 1 */", b"/*!  SELECT ?  */"),
        (PLAIN, b"/*+ A(1) */", b"/*+ A(?) */"),
        (PLAIN, b"/* rwrouter: primary */ x", b" /*:primary*/  x"),
        (PLAIN, b"0x41 0b1 \\N 1.", b"? ? ? ?"),
        (PLAIN, b"/*", None),
        (PLAIN, b"*/", None),
        (PLAIN, b"'", None),
        (PLAIN, b"\x00", None),
        (PLAIN, b"/*! '*/' */", None),
    ],
)
def test_the_second_pass_reads_everything(digester: Digester, sql: bytes, folded: bytes | None) -> None:
    """Quotes by the session's mode, comments of all forms; None where there is no single meaning."""
    assert digester.fold(sql) == folded


@pytest.mark.parametrize(
    ("sql", "rest"),
    [
        (b"/* a */ SELECT 1", b" SELECT 1"),
        (b"SELECT 1 /*traceparent='0-1'*/", b"SELECT 1 "),
        (b"/**/SELECT 1", b"SELECT 1"),
        (b"/*/ SELECT 1", None),
        (b"SELECT 1 /*/", None),
        (b"/*! SELECT 1 */", None),
        (b"/*M! SELECT 1 */", None),
        (b"SELECT 1 /*+ a */", None),
        (b"/* rwrouter: primary */ SELECT 1", None),
        (b"SELECT 1 /* \x00 */", None),
        (b"SELECT 1", None),
        (b"*/", None),
    ],
)
def test_a_plain_comment_at_either_end_is_cut_off(sql: bytes, rest: bytes | None) -> None:
    """Hints, executable comments and what does not end stay for the second pass."""
    assert PLAIN.uncommented(sql) == rest


def test_lists_become_short() -> None:
    """Lists and rows of literals are read as one."""
    assert shorten(b"IN (?, ?,?)") == b"IN (?)"
    assert shorten(b"VALUES (?,?), (?,?),(?)") == b"VALUES (?)"


def _digest(folded: bytes) -> str | None:
    tokens = tokenize(folded.decode("utf-8", "surrogateescape"))
    return None if tokens is None else render(tokens)


PIECES = [
    "'",
    '"',
    "''",
    "a",
    " ",
    ",",
    "1",
    "1.5",
    "'a'",
    "1,2",
    "'a', 'b'",
    "(",
    ")",
    "1e5",
    "x'1'",
    "-",
    "é",
]


@given(
    st.binary(max_size=60) | st.lists(st.sampled_from(PIECES)).map(lambda pieces: "".join(pieces).encode())
)
def test_a_clean_shape_says_what_the_second_pass_says(sql: bytes) -> None:
    """Where the fast pass claims to have understood, the slow one reads the same, up to literals."""
    for digester in (PLAIN, ANSI, NO_BACKSLASH):
        shape = digester.shape(sql)
        if digester.is_clean(shape):
            folded = digester.fold(sql)
            # Names in quotes may hold what looks like a literal; there the texts differ, harmlessly.
            if folded is not None and not set(shape) & set(b'`"'):
                assert _digest(shape) == _digest(folded)
