"""From the bytes of a statement to its shape: literals folded at C speed, quotes and comments respected.

Two passes, because most statements need only the first:

    shape()   one regular expression with a constant replacement: a microsecond. It folds strings and numbers
              and understands nothing else, so its result counts only if `is_clean` says that nothing else was
              there: no comment, no backslash, no quote left over. Being clean is a property of the shape, so
              it is asked once per shape, not once per statement.
    fold()    reads everything from left to right: escapes, comments of all forms, executable comments, hints.

Why a clean shape is right: a string that `shape` folds holds no quote of an identifier and no backslash.
Take the first place where a server's lexer sees something else than blanks, words, numbers and operators. A
comment or backslash there stays in the shape, which is then not clean. An identifier in quotes there ends
before any string that was folded after its start could have crossed its end. A string there is folded as
the server reads it. Then go on behind it. What a name in quotes loses are digits and strings within it; it
is then spelled with a `?`, and no name spelled so is on any list.

Sources: sql/sql_lex.cc of MySQL 8.0 to 9.x (lex_one_token, consume_comment) and of MariaDB.
Every pattern is linear: quantifiers are possessive, and what is not closed takes all the rest at once. A
group that repeats is an atomic group, `(?>(?:...)*)`: before Python 3.11.5, `(?:...)*+` fails where it should
match (python/cpython gh-106052), and Debian 12 has 3.11.2.
"""

import re
from collections.abc import Callable
from typing import Final

from rwrouter.sql import hints

# What may stand before or after the digits of a number: bytes of a name, or of its quotes.
_NAME: Final = rb"\w$.\x80-\xff"
_INT: Final = rb"[0-9]++(?![" + _NAME + rb"])"

_DIRTY: Final = re.compile(rb"""['"\\#\x00]|--|/\*|\*/|@['"`]""")
_DIRTY_ANSI: Final = re.compile(rb"""['\\#\x00]|--|/\*|\*/|@['"`]""")


def _shape_pattern(*, ansi_quotes: bool) -> re.Pattern[bytes]:
    """Return the pattern of `shape`. It starts with one set of bytes, so that the engine can skip to it."""
    stops = rb"""'"`\\""" if ansi_quotes else rb"'`\\"
    single = rb"(?<=')[^" + stops + rb"]*+'(?>(?:,[ ]?+'[^" + stops + rb"]*+')*)"
    double = rb'|(?<=")[^"`\\]*+"(?>(?:,[ ]?+"[^"`\\]*+")*)'
    number = (
        rb"(?<=[0-9])(?<!["
        + _NAME
        + rb"@`][0-9])[0-9]*+(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?(?!["
        + _NAME
        + rb"])"
        rb"(?>(?:,[ ]?+" + _INT + rb")*)"
    )
    first = rb"['0-9]" if ansi_quotes else rb"""['"0-9]"""
    return re.compile(first + rb"(?:" + single + (b"" if ansi_quotes else double) + rb"|" + number + rb")")


def _fold_pattern(*, ansi_quotes: bool, no_backslash_escapes: bool) -> re.Pattern[bytes]:
    def string(quote: bytes) -> bytes:
        plain = quote + rb"[^\\" + quote + rb"]*+" + quote + rb"(?!" + quote + rb")|"  # most need no more
        if no_backslash_escapes:
            return plain + quote + rb"(?>(?:[^" + quote + rb"]++|" + quote * 2 + rb")*)" + quote
        return plain + quote + rb"(?>(?:[^" + quote + rb"\\]++|\\.|" + quote * 2 + rb")*)" + quote

    # The body of an executable comment must end at the same place whether a server reads or skips it: strings
    # without comment marks, comments without strings.
    body = (
        rb"(?>(?:[^'\"`\\#*/\x00-]++|-(?!-)|\*(?!/)|/(?!\*)"
        rb"|'(?>(?:[^'\"`\\*/]++|\*(?!/)|/(?!\*))*)'|\"(?>(?:[^\"'`\\*/]++|\*(?!/)|/(?!\*))*)\""
        rb"|`[^`'\"\\*/]*+`|/\*(?![!+M])[^*/'\"`]*+\*/)*)"
    )
    alternatives = (
        rb"(?P<string>" + string(b"'") + (b"" if ansi_quotes else rb"|" + string(b'"')) + rb")",
        rb"(?P<name>`(?>(?:[^`\x00]++|``)*)`"
        + (rb'|"(?>(?:[^"\x00]++|"")*)"' if ansi_quotes else b"")
        + rb")",
        rb"(?P<opener>/\*M?!(?=" + body + rb"\*/)(?:[0-9]{5,6})?)",
        rb"(?P<closer>\*/)",
        rb"(?P<optimizer>/\*\+[^\x00]*?\*/)",
        (
            rb"(?P<comment>/\*(?!M?!)[^\x00]*?\*/"
            rb"|--(?=[\x00-\x20\x7f]|\Z)[^\n\x00]*+|\#[^\n\x00]*+)"
        ),
        rb"(?P<number>(?:(?<![" + _NAME + rb"@`])(?:0x[0-9a-fA-F]++|0b[01]++|[0-9]++(?:\.[0-9]*+)?"
        rb"(?:[eE][-+]?[0-9]++)?)(?![" + _NAME + rb"]))|\\N)",
        rb"""(?P<bad>['"`\\\x00].*+|/\*.*+|--(?=[\x80-\xff]).*+)""",
    )
    return re.compile(rb"|".join(alternatives), re.DOTALL)


_LIST: Final = re.compile(rb"\?(?>(?:[ ]*+,[ ]*+\?)+)")
_ROWS: Final = re.compile(rb"(\(\?\))(?>(?:[ ]*+,[ ]*+\(\?\))+)")


def shorten(folded: bytes) -> bytes:
    """Return *folded* with lists of literals as one: what is left to read is short whatever the data was."""
    return _ROWS.sub(rb"\1", _LIST.sub(b"?", folded))


_IN_HINT: Final = re.compile(rb"""'[^']*+'|"[^"]*+"|(?<![\w$])[0-9]++(?![\w$])""")


class _NotUnderstood(Exception):
    """Raised inside one fold: what it reads has no single meaning."""


class Digester:
    """Makes shapes for one combination of the session's sql_mode. Holds no state between statements."""

    def __init__(self, *, ansi_quotes: bool = False, no_backslash_escapes: bool = False) -> None:
        self._shape = _shape_pattern(ansi_quotes=ansi_quotes).sub
        self._dirty = (_DIRTY_ANSI if ansi_quotes else _DIRTY).search
        self._fold = _fold_pattern(ansi_quotes=ansi_quotes, no_backslash_escapes=no_backslash_escapes).sub

    @property
    def substitute(self) -> Callable[[bytes, bytes], bytes]:
        """The compiled pattern's own `sub`, for the hot path: `substitute(b"?", sql)` is `shape(sql)`."""
        return self._shape

    def shape(self, sql: bytes) -> bytes:
        """Return *sql* with its plain literals folded. Means something only if `is_clean` agrees."""
        return self._shape(b"?", sql)

    def is_clean(self, shape: bytes) -> bool:
        """Whether *shape* came from a statement that needs no second pass."""
        return self._dirty(shape) is None

    def uncommented(self, sql: bytes) -> bytes | None:
        """Return *sql* without the plain comment at its start or end, None where there is none.

        Object mappers mark each statement so; reading on behind the comment is cheaper than folding. What is
        cut off at the end is a comment only if the rest is clean: then it does not stand in a string.
        """
        if sql.startswith(b"/*"):
            end = sql.find(b"*/", 2) + 2
            comment, rest = sql[:end], sql[end:]
        elif sql.endswith(b"*/"):
            start = sql.rfind(b"/*")
            comment, rest = sql[start:], sql[:start]
        else:
            return None
        if len(comment) < 4 or comment.find(b"*/", 2) != len(comment) - 2 or b"\x00" in comment:
            return None
        if comment[2:3] in {b"!", b"+"} or comment[2:4] == b"M!" or hints.normalise(comment[2:-2]):
            return None
        return rest

    def fold(self, sql: bytes) -> bytes | None:
        """Return *sql* with literals folded, comments dropped and hints normalised.

        None where it is not understood. Executable comments stay, spelled `/*! ... */` whatever their
        version; `/*+ ... */` stays, with its literals folded; a router's hint becomes `/*: ... */`.
        """
        open_comment = False

        def replace(match: re.Match[bytes]) -> bytes:
            nonlocal open_comment
            kind = match.lastgroup
            if kind in {"string", "number"}:
                return b"?"
            text = match[0]
            if kind == "name":
                return text
            if kind == "comment":
                hint = hints.normalise(text[2:-2] if text[0] == 0x2F else text.lstrip(b"-#"))
                return b" /*:" + hint + b"*/ " if hint else b" "
            if kind == "optimizer":
                # Odd quotes: its end depends on whether the server reads strings in it.
                if any(text.count(quote) % 2 for quote in (b"'", b'"', b"`")):
                    raise _NotUnderstood
                return _IN_HINT.sub(b"?", text)
            if kind == "opener" and not open_comment:
                open_comment = True
                return b"/*! "
            if kind == "closer" and open_comment:
                open_comment = False
                return b" */"
            raise _NotUnderstood

        try:
            folded = self._fold(replace, sql)
        except _NotUnderstood:
            return None
        return None if open_comment else folded
