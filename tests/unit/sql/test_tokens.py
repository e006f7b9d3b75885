"""Tokens, digests, the second witness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.sql.tokens import disagreement, render, tokenize


def _digest(text: str) -> str:
    tokens = tokenize(text)
    assert tokens is not None
    return render(tokens)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("select  a from t where id in ( ? ,? )", "SELECT a FROM t WHERE id IN (?)"),
        ("insert into t values (?),(?)", "INSERT INTO t VALUES (?)"),
        ("select -? , + ?", "SELECT - ?"),
        ("select a=-?", "SELECT a = ?"),
        ("select ??", "SELECT ?"),
        ("select x?, _utf8mb4?", "SELECT ?"),
        ("select now( ), now ()", "SELECT now(), now ()"),
        ("select a . b", "SELECT a.b"),
        ("select @@global . x", "SELECT @@global.x"),
        ("select 1 ; ;", "SELECT ?"),
        ('select "a"', "SELECT `a`"),
        ("select 1 /*:primary*/", "/*:primary*/ SELECT ?"),
        ("select ?--?", "SELECT ? - - ?"),
    ],
)
def test_a_digest_has_one_spelling(text: str, digest: str) -> None:
    """Blanks, case of keywords and lists of literals do not show; a digest is its own digest."""
    assert _digest(text) == digest
    assert _digest(digest) == digest


@pytest.mark.parametrize(
    "text", ["`a", "1.x", "1e5x", "@ a", "@@ a", "$a", "[", ":a", "\\", "'", "\x01", "?" * 20_002]
)
def test_what_is_not_understood_has_no_tokens(text: str) -> None:
    """One byte of unknown meaning is enough."""
    assert tokenize(text) is None


PIECES = [
    "select",
    "(",
    ")",
    ",",
    ";",
    ".",
    "?",
    "-",
    "+",
    "a",
    "`b`",
    "@c",
    "@@d",
    "in",
    "now",
    "x",
    ":=",
    "1",
    "é",
]


@given(st.lists(st.sampled_from(PIECES)))
def test_reading_a_digest_back_gives_the_same_digest(words: list[str]) -> None:
    """Rendering comes to rest: a digest read back and written again has the spelling of all that share it."""
    tokens = tokenize(" ".join(words))
    if tokens is not None:
        digest = render(tokens)
        again = tokenize(digest)
        assert again is not None
        second = render(again)
        assert render(tokenize(second) or []) == second


@pytest.mark.parametrize(
    ("digest", "why"),
    [
        ("SELECT a FROM t", ""),
        ("START TRANSACTION READ ONLY", ""),
        ("SHOW CREATE TABLE t", ""),
        ("SELECT a.update FROM t", ""),
        ("SELECT ? -- x", "a comment"),
        ("SELECT DELETE FROM t", "DELETE"),
        ("SELECT ? INTO x", "INTO"),
        ("CREATE TABLE t", "CREATE"),
    ],
)
def test_sqlparse_is_heard(digest: str, why: str) -> None:
    """What sqlparse takes for a write or a comment is a disagreement."""
    assert why in disagreement(digest)
    assert bool(disagreement(digest)) is bool(why)
