"""The new password in a statement that changes one: a session goes on opening connections with it.

Read only where the statement is for an account of that name, or for the one that is logged in; what is no plain
literal is not read. It is a guess: it is tried only after a server has refused the password that was proved at login.
"""

import re
from typing import Final

_LITERAL: Final = rb"""(?:'((?:[^'\\]|\\.|'')*)'|"((?:[^"\\]|\\.|"")*)")"""
_CHANGE: Final = re.compile(
    rb"\s*(?:SET\s+PASSWORD(?:\s+FOR\s+(?P<for>[^=]+?))?\s*=\s*(?:PASSWORD\s*\(\s*)?"
    rb"|ALTER\s+USER\s+(?:IF\s+EXISTS\s+)?(?P<user>.+?)\s+IDENTIFIED\s+(?:(?:WITH|VIA)\s+\S+\s+)?"
    rb"(?:BY|USING)\s+(?:PASSWORD\s*\(\s*)?)" + _LITERAL,
    re.IGNORECASE | re.DOTALL,
)
_SELF: Final = re.compile(rb"(?:CURRENT_USER|USER)(?:\s*\(\s*\))?", re.IGNORECASE)
_ESCAPED: Final = re.compile(rb"\\(.)|''|\"\"", re.DOTALL)
_NAMED: Final = {b"0": b"\0", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"Z": b"\x1a"}


def new_password(sql: bytes, user: str) -> bytes | None:
    """Return the password that *sql* gives the account of *user*; None where it is for another, or can't be read."""
    match = _CHANGE.match(sql)
    if match is None:
        return None
    account = match["for"] or match["user"]
    if account is not None and not _SELF.fullmatch(account.strip()):
        name = account.strip().partition(b"@")[0].strip(b"'\"`")
        if name != user.encode():
            return None
    literal = match[3] if match[3] is not None else match[4]
    return _ESCAPED.sub(_unescaped, literal or b"")


def _unescaped(match: re.Match[bytes]) -> bytes:
    return match[0][:1] if match[1] is None else _NAMED.get(match[1], match[1])
