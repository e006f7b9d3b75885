"""Tokens of a folded statement, its canonical digest, and what sqlparse has to say about it.

`tokenize` reads what `digest` made: no comments but hints, no literals but `?`. `render` writes tokens as one
canonical text, the digest: keywords in capitals, single blanks, lists of literals folded. A plan is made from
tokens read back from the digest, so that equal digests cannot have different plans.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlparse import tokens as kinds
from sqlparse.lexer import Lexer

from rwrouter.sql.words import KEYWORDS

LIMIT: Final = 8_000  # tokens of one statement; more is not read

WORD: Final = "word"  # a keyword or a name without quotes
NAME: Final = "name"  # a name in quotes
LITERAL: Final = "literal"
USER: Final = "user"  # @name
SYSTEM: Final = "system"  # @@name (a scope and further parts follow as "." and words)
OPTIMIZER: Final = "optimizer"  # /*+ ... */
HINT: Final = "hint"  # /*: ... */, ours
OPENER: Final = "opener"  # /*!
CLOSER: Final = "closer"  # */
OPERATOR: Final = "operator"

_OTHER: Final = r"[^\x00-\x7f]"
_PATTERN: Final = re.compile(
    rf"(?P<blank>[ \t\n\v\f\r]++)"
    rf"|(?P<word>(?:[A-Za-z_]|{_OTHER})(?>(?:[\w$]|{_OTHER})*))"
    rf'|(?P<name>`(?>(?:[^`]++|``)*)`|"(?>(?:[^"]++|"")*)")'
    rf"|(?P<literal>\?|0x[0-9a-fA-F]++(?![\w$.]|{_OTHER})|0b[01]++(?![\w$.]|{_OTHER})"
    rf"|[0-9]++(?:\.[0-9]*+)?(?:[eE][-+]?[0-9]++)?(?![\w$.]|{_OTHER}))"
    rf"|(?P<digits>[0-9]++(?![eE][-+0-9])[A-Za-z_$][\w$]*+)"
    rf"|(?P<system>@@(?:[\w$]++|`[^`]++`))"
    rf"|(?P<user>@(?:(?>(?:[\w$.]|{_OTHER})+)|`(?>(?:[^`]++|``)*)`|\?))"
    rf"|(?P<optimizer>/\*\+.*?\*/)|(?P<hint>/\*:.*?\*/)|(?P<opener>/\*!)|(?P<closer>\*/)"
    r"|(?P<operator><=>|<<|>>|<=|>=|<>|!=|:=|&&|\|\||->>|->|[-+*/%&|^~!=<>(),.;{}])",
    re.ASCII | re.DOTALL,
)


class Token(NamedTuple):
    """One token. *text* as written, *lower* what it is compared by: without quotes."""

    kind: str
    text: str
    lower: str
    glued: bool  # no blank before it

    def __str__(self) -> str:
        return self.text


def tokenize(text: str) -> list[Token] | None:
    """Return the tokens of *text*, None where a byte of it is not understood or there are too many."""
    found: list[Token] = []
    position, glued, end = 0, True, len(text)
    match = _PATTERN.match
    while position < end:
        part = match(text, position)
        if part is None or len(found) > LIMIT:
            return None
        position = part.end()
        kind, value = str(part.lastgroup), part[0]
        if kind == "blank":
            glued = False
            continue
        if kind == NAME:
            lower = value[1:-1].replace(value[0] * 2, value[0]).lower()
            value = (
                "`" + value[1:-1].replace('""', '"').replace("`", "``") + "`" if value[0] == '"' else value
            )
        elif kind == LITERAL:
            value = lower = "?"
        else:
            kind = WORD if kind == "digits" else kind
            lower = value.lower().replace("`", "")
        found.append(Token(kind, value, lower, glued))
        glued = True
    return found


_SIGNED_AFTER: Final = frozenset(["(", ",", "=", "<", ">", "<=", ">=", "<>", "!="])
_INTRODUCERS: Final = frozenset("xbn")


def render(tokens: Sequence[Token]) -> str:
    """Return the canonical digest of *tokens*. Reading it back and rendering it again gives the same text."""
    out: list[Token] = []
    hints = sorted({token.text for token in tokens if token.kind == HINT})
    for token in tokens:
        if token.kind == HINT:
            continue
        if token.kind == LITERAL:
            _fold_literal(out, token)
            continue
        out.append(token)
        if token.text == ")" and _is_repeated_row(out):
            del out[-4:]
    while out and out[-1].text == ";":
        out.pop()
    parts = [*hints]
    previous: Token | None = None
    for token in out:
        parts.append(" " if parts and _needs_blank(previous, token) else "")
        parts.append(token.text.upper() if token.kind == WORD and token.lower in KEYWORDS else token.text)
        previous = token
    return "".join(parts)


def _fold_literal(out: list[Token], literal: Token) -> None:
    """Append *literal* to *out*, unless it goes on a list of literals. Drops signs and introducers."""
    if len(out) > 1 and out[-1].text in {"-", "+"} and out[-2].text in _SIGNED_AFTER:
        out.pop()
    if (
        out
        and literal.glued
        and out[-1].kind == WORD
        and (out[-1].lower in _INTRODUCERS or out[-1].text[0] == "_")
    ):
        literal = literal._replace(glued=out.pop().glued)
    if out and out[-1].kind == LITERAL:
        return
    if len(out) > 1 and out[-1].text == "," and out[-2].kind == LITERAL:
        out.pop()
        return
    out.append(literal)


def _is_repeated_row(out: list[Token]) -> bool:
    """Whether *out* ends in `(?), (?)`: the second row says nothing new."""
    return len(out) > 6 and [token.text for token in out[-7:]] == ["(", "?", ")", ",", "(", "?", ")"]


def _needs_blank(previous: Token | None, token: Token) -> bool:
    if previous is None:
        return True
    before, text = previous.text, token.text
    if text in {",", ")", ";", "."} or before in {"(", "."}:
        return False
    if text == "(":
        return not (token.glued and previous.kind in {WORD, NAME})
    return True


# Words that sqlparse takes for statements of their own kind. In a read there is no place for any but these.
_READS: Final = frozenset({"SELECT"})
_ALLOWED: Final = {
    "START TRANSACTION": frozenset({"START", "TRANSACTION", "START TRANSACTION"}),
    "SHOW CREATE": frozenset({"CREATE"}),
}
_STATEMENTS: Final = (kinds.Keyword.DML, kinds.Keyword.DDL, kinds.Keyword.DCL, kinds.Keyword.TCL)


def _lexer() -> Any:
    return Lexer.get_default_instance()  # type: ignore[no-untyped-call]


def disagreement(digest: str) -> str:
    """Return why sqlparse's lexer does not take *digest* for one read, "" where it does.

    Its lexer is flat and does not raise. It joins words ("UNION ALL"), which is no disagreement.
    """
    allowed = _READS
    for start, words in _ALLOWED.items():
        if digest.startswith(start):
            allowed = words
    for kind, value in _lexer().get_tokens(digest):
        if kind in kinds.Comment:
            if value.startswith(("/*:", "/*+", "/*!")) or value == "*/":
                continue
            return f"a comment where none should be: {value[:20]!r}"
        if kind is kinds.Error and value not in {"{", "}"}:  # ODBC's escapes: {d '2020-01-01'}
            return f"an unknown character: {value[:20]!r}"
        if any(kind is statement for statement in _STATEMENTS) and value.upper() not in allowed:
            return f"the word {value[:20].upper()}"
        if kind is kinds.Keyword and value.upper() == "INTO":
            return "the word INTO"
    return ""
