"""User variables, read from one connection and set on another, exactly: type, scale, character set and collation.

A value's type is that of the column in which a server sends it (MySQL and MariaDB alike): BIGINT, DECIMAL, DOUBLE, or a
string, whose bytes are asked for in hexadecimal, so that no character set of the session changes them. One that is NULL
has the type of what it was before, and one that was never set a column of its own (seen on 9.7 and 10.11).
"""

from collections.abc import Sequence
from typing import Final

from rwrouter.protocol.resultset import Column

_DOUBLE: Final = 5
_LONGLONG: Final = 8
_NEWDECIMAL: Final = 246
_UNSIGNED: Final = 32
_BLOB: Final = 251
_VAR_STRING: Final = 253
_LONGER_THAN_ANY: Final = 1 << 24
"""What MariaDB gives for the length of a variable that was never set: one more than for any that was."""

AT_ONCE: Final = 256
"""Variables that are read with one SELECT: it has three columns for each, of 4,096."""


def _quoted(name: str) -> str:
    return "@`" + name[1:].replace("`", "``") + "`"


def question(names: Sequence[str]) -> bytes:
    """Return the query for the variables *names*, each with its "@"."""
    asked = b", ".join(
        f"{name}, HEX(CAST({name} AS BINARY)), COLLATION({name})".encode("utf-8", "surrogateescape")
        for name in map(_quoted, names)
    )
    return b"SELECT " + asked + b" LIMIT 1"


def assignment(names: Sequence[str], columns: Sequence[Column], row: Sequence[bytes | None]) -> bytes:
    """Return the SET that gives the variables *names* the values in the answer to `question`; empty: none was set."""
    parts = []
    for index, name in enumerate(names):
        value, digits, collation = row[3 * index : 3 * index + 3]
        column = columns[3 * index]
        if value is None and _is_unset(column):
            continue
        variable = _quoted(name).encode("utf-8", "surrogateescape") + b" = "
        parts.append(variable + _literal(column, value or b"0", digits or b"", collation or b"binary"))
        if value is None:
            parts.append(variable + b"NULL")
    return b"SET " + b", ".join(parts) if parts else b""


def _is_unset(column: Column) -> bool:
    return column.kind == _VAR_STRING or (column.kind == _BLOB and column.length == _LONGER_THAN_ANY)


def _literal(column: Column, value: bytes, digits: bytes, collation: bytes) -> bytes:
    if column.kind == _LONGLONG:
        return b"CAST(" + value + (b" AS UNSIGNED)" if column.flags & _UNSIGNED else b" AS SIGNED)")
    if column.kind == _NEWDECIMAL:
        scale = str(len(value.partition(b".")[2])).encode()
        return b"CAST('" + value + b"' AS DECIMAL(65," + scale + b"))"
    if column.kind == _DOUBLE:
        return value if b"e" in value else value + b"e0"
    charset = collation.partition(b"_")[0]
    text = b"_" + charset + b" x'" + digits + b"'"
    return text if collation == b"binary" else text + b" COLLATE " + collation
