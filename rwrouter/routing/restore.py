"""How a connection is brought to the state of a session: the SET statement for what differs."""

import re
from collections.abc import Mapping
from typing import Final

_NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")

_WORD: Final = re.compile(rb"[a-z0-9]+")

_FIRST: Final[tuple[bytes, ...]] = (
    b"character_set_client",
    b"character_set_results",
    b"character_set_connection",
    b"collation_connection",
)
"""Set in this order: a character set brings its default collation along, so the collation comes after it."""


def literal(value: bytes) -> bytes:
    """Return *value*, as a tracker reports it, as SQL. Works with and without NO_BACKSLASH_ESCAPES."""
    if _NUMBER.fullmatch(value):
        return value
    if b"\\" in value or not value.isascii():
        return b"0x" + value.hex().encode()
    return b"'" + value.replace(b"'", b"''") + b"'"


def assignments(wanted: Mapping[bytes, bytes], have: Mapping[bytes, bytes]) -> list[bytes]:
    """Return the assignments that bring a connection with the variables *have* to *wanted*, in a safe order."""
    differing = {name: value for name, value in wanted.items() if have.get(name) != value}
    names = [name for name in _FIRST if name in differing]
    names += sorted(name for name in differing if name not in _FIRST)
    found = []
    if any(name in differing for name in _FIRST) and (charset := _charset_of_names(wanted)):
        # MariaDB remembers this collation for results, too, and names it in column definitions (seen on 10.11).
        found.append(b"NAMES " + charset + b" COLLATE " + wanted[b"collation_connection"])
        names = [name for name in names if name not in _FIRST]
    for name in names:
        value = differing[name]
        text = b"NULL" if name == b"character_set_results" and not value else literal(value)
        found.append(b"@@SESSION." + name + b"=" + text)
    return found


def _charset_of_names(wanted: Mapping[bytes, bytes]) -> bytes:
    """Return the character set that one SET NAMES sets as it is *wanted*, empty where none does."""
    charset = wanted.get(b"character_set_client", b"")
    collation = wanted.get(b"collation_connection", b"")
    same = all(wanted.get(name) == charset for name in _FIRST[:3])
    return charset if same and _WORD.fullmatch(charset) and collation.startswith(charset + b"_") else b""
