"""What a statement asks of the one before it on its connection, and what of that it leaves as it is for the next.

Servers keep three things of the statements before, each for itself: the rows that FOUND_ROWS() tells, the count that
ROW_COUNT() tells, the conditions that SHOW WARNINGS, GET DIAGNOSTICS and their variables tell. What leaves which as it
is was seen on MySQL 9.7 and MariaDB 10.11; what is on no list is taken to change all three.
"""

from collections.abc import Sequence
from typing import Final

from rwrouter.model import Flavor
from rwrouter.sql.tokens import LITERAL, SYSTEM, USER, WORD, Token
from rwrouter.sql.variables import OF_LAST_STATEMENT
from rwrouter.sql.words import words_of

ROWS: Final = 1 << 0
"""FOUND_ROWS()."""

COUNT: Final = 1 << 1
"""ROW_COUNT(): of the very statement before. Every statement sets it; commands that are none may leave it."""

WARNINGS: Final = 1 << 2
"""The conditions of SHOW WARNINGS, SHOW ERRORS, GET DIAGNOSTICS, @@warning_count and @@error_count."""

_FUNCTIONS: Final = {"found_rows": ROWS, "row_count": COUNT}

_LEAVE_ROWS: Final = words_of(
    """
    alter analyze begin check checksum commit create deallocate delete desc describe drop flush get grant handler help
    insert kill load lock optimize prepare release rename repair replace revoke rollback savepoint set signal start
    truncate unlock use xa
    """
)
"""Unless there is a query within: an INSERT … SELECT counts its rows, and others may."""

_LEAVE_ROWS_ON_MARIADB: Final = _LEAVE_ROWS | {"do", "update"}

_LEAVE_WARNINGS_ON_MARIADB: Final = words_of(
    """
    begin commit deallocate do prepare release rollback savepoint set start unlock use xa
    """
)
"""They name no table. What of them warns has taken the place of the warnings before: its OK tells."""


def asked(tokens: Sequence[Token]) -> int:
    """Return what one statement asks of the one before: bits of ROWS, COUNT and WARNINGS."""
    found = 0
    words = [token.lower for token in tokens[:6]]
    if words[:1] == ["get"] or _shows_conditions(words):
        found |= WARNINGS
    for index, token in enumerate(tokens):
        if token.kind == WORD and token.lower in _FUNCTIONS:
            called = index + 1 < len(tokens) and tokens[index + 1].text == "("
            if called and (index == 0 or tokens[index - 1].text != "."):
                found |= _FUNCTIONS[token.lower]
        elif token.kind == SYSTEM:
            path = [name.lower.lstrip("@") for name in tokens[index : index + 3]]
            if path[0] in OF_LAST_STATEMENT or (path[1:2] == ["."] and path[-1] in OF_LAST_STATEMENT):
                found |= WARNINGS
    return found


def left(tokens: Sequence[Token], flavor: Flavor) -> int:
    """Return what one statement leaves as the one before has set it: bits of ROWS and WARNINGS."""
    words = [token.lower for token in tokens if token.text != "("]
    if not words or ";" in words[:-1] or words[:2] == ["set", "statement"]:
        return 0
    first = words[0]
    if first == "get" or (_shows_conditions(words) and words[1] != "count"):
        return ROWS | WARNINGS
    if first == "show":
        return ROWS if words[1:2] == ["create"] else 0
    if first == "explain":
        return ROWS
    within = {"select", "table"} if first in {"insert", "replace"} else {"select"}
    if any(token.kind == WORD and token.lower in within for token in tokens[1:]):
        return 0
    if flavor is Flavor.MYSQL:
        return ROWS if first in _LEAVE_ROWS else 0
    found = ROWS if first in _LEAVE_ROWS_ON_MARIADB else 0
    if first in _LEAVE_WARNINGS_ON_MARIADB or (first == "select" and _names_values(tokens[1:])):
        found |= WARNINGS
    return found


def _names_values(tokens: Sequence[Token]) -> bool:
    """Tell whether a SELECT has only literals and variables: nothing in it can warn, or name a table."""
    return all(
        token.kind in {LITERAL, SYSTEM, USER} or token.text in {",", "."} or _is_part(tokens, index)
        for index, token in enumerate(tokens)
    )


def _is_part(tokens: Sequence[Token], index: int) -> bool:
    """Tell whether a token is the name behind the dot of a variable: @@session.x."""
    return index > 1 and tokens[index - 1].text == "." and tokens[index - 2].kind == SYSTEM


def _shows_conditions(words: Sequence[str]) -> bool:
    """Tell whether *words* begin a SHOW [COUNT(*)] WARNINGS or ERRORS."""
    kind = [word for word in words[1:6] if word not in {"(", ")", "*", "count"}]
    return words[:1] == ["show"] and kind[:1] in (["warnings"], ["errors"])
