"""Character sets in which the second byte of a character can look like a quote or a backslash.

In gbk, for example, BF 5C is one character whose second byte is the code of a backslash: text in such a set can't be
read byte by byte. Collation ids: INFORMATION_SCHEMA.COLLATIONS of MySQL 9.7 and MariaDB 10.11.
"""

from typing import Final

_UNSAFE: Final = frozenset({b"big5", b"cp932", b"gb18030", b"gbk", b"sjis"})

_UNSAFE_COLLATIONS: Final = frozenset(
    {1, 84}  # big5
    | {95, 96}  # cp932
    | {248, 249, 250}  # gb18030
    | {28, 87}  # gbk
    | {13, 88}  # sjis
)


def has_unsafe_trail_bytes(character_set: bytes) -> bool:
    """Tell whether text in *character_set* (a name, in any case) can hide quotes in its characters."""
    return character_set.lower() in _UNSAFE


def is_unsafe_collation(collation: int) -> bool:
    """Tell the same of the character set of a collation's id. MariaDB's ids past 1024 repeat these (nopad)."""
    return collation in _UNSAFE_COLLATIONS or (collation >= 1024 and collation - 1024 in _UNSAFE_COLLATIONS)
