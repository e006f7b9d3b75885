"""How a connection is brought to the state of a session: the SET statement for what differs."""

import re
from collections.abc import Mapping
from typing import Final

_NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")

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
    for name in names:
        value = differing[name]
        text = b"NULL" if name == b"character_set_results" and not value else literal(value)
        found.append(b"@@SESSION." + name + b"=" + text)
    return found
