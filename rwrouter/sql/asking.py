"""Statements that ask the router itself: RWROUTER EXPLAIN, SHOW, SET, HELP. No server ever sees one.

The first word tells: no statement of MySQL or MariaDB begins with RWROUTER. What begins so and is not understood is an
error of the router's own, never passed on.
"""

import re
from dataclasses import dataclass
from typing import Final

from rwrouter.errors import BadRequest
from rwrouter.sql.hints import LEVELS, seconds_of

# What may stand before the first word. An executable comment is code, and no blank.
_SKIP: Final = (
    rb"(?>(?:[ \t\r\n\f\v]+|/\*(?!M?!)[^*]*\*+(?:[^/*][^*]*\*+)*/"
    rb"|--(?=[\x00-\x20\x7f])[^\n]*(?:\n|\Z)|#[^\n]*(?:\n|\Z))*)"
)
ASKS: Final = re.compile(_SKIP + rb"rwrouter(?![\w$:])", re.IGNORECASE)
"""What is for the router, by its beginning: linear, whatever the bytes."""

_GAP: Final = re.compile(_SKIP)
_WORD: Final = re.compile(rb"[A-Za-z_]+")
_END: Final = re.compile(_SKIP + rb"(?:;" + _SKIP + rb")*\Z")
_VALUE: Final = re.compile(rb"'(?P<single>[^'\\]*)'|\"(?P<double>[^\"\\]*)\"|(?P<bare>[\w.:$-]+)")

SETTINGS: Final = {
    "consistency": "'eventual', 'session', 'global' or 'primary': which writes the session's reads see",
    "max_lag": "a time such as '500ms': its reads are asked only of replicas that are no further behind",
}

STATEMENTS: Final = {
    "RWROUTER EXPLAIN <statement>": "where the statement would go now, in this session, and why",
    "RWROUTER SHOW SESSION": "this session: what ties it, what it carries, its connections",
    "RWROUTER SHOW SERVERS": "the servers as this worker sees them now",
    **{f"RWROUTER SET {name} = <value>": text for name, text in SETTINGS.items()},
    "RWROUTER SET <name> = DEFAULT": "as it was when the session began",
    "RWROUTER HELP": "this list",
}


@dataclass(frozen=True, slots=True)
class Explain:
    """RWROUTER EXPLAIN: *sql* is the rest of the text."""

    sql: bytes


@dataclass(frozen=True, slots=True)
class Show:
    """RWROUTER SHOW SESSION, RWROUTER SHOW SERVERS, RWROUTER HELP: *what* in lower case."""

    what: str


@dataclass(frozen=True, slots=True)
class Set:
    """RWROUTER SET: name -> value, a text, seconds, or None for DEFAULT."""

    values: dict[str, str | float | None]


Request = Explain | Show | Set


def read(sql: bytes) -> Request:
    """Read a statement for which `ASKS` holds. Raises BadRequest, whose text says what there is."""
    begins = ASKS.match(sql)
    if begins is None:
        raise _alone()
    word, at = _word(sql, begins.end())
    if word == "explain":
        rest = sql[_gap(sql, at) :]
        if _END.match(rest):
            raise BadRequest("RWROUTER EXPLAIN needs a statement, such as RWROUTER EXPLAIN SELECT 1")
        return Explain(rest)
    if word == "set":
        return _set(sql, at)
    request = Show(word)
    if word == "show":
        word, at = _word(sql, at)
        request = Show(word)
        if word not in {"session", "servers"}:
            raise _unknown(sql)
    elif word != "help":
        raise _unknown(sql)
    _end(sql, at)
    return request


def _set(sql: bytes, at: int) -> Set:
    values: dict[str, str | float | None] = {}
    while True:
        name, at = _word(sql, at)
        if name not in SETTINGS:
            shown = f'"{name}"' if name else "nothing"
            raise BadRequest(f"RWROUTER SET takes {' and '.join(SETTINGS)}, and {shown} is none of them")
        at = _gap(sql, at)
        if sql[at : at + 1] != b"=":
            raise BadRequest(f"RWROUTER SET {name} needs a value: write {name} = {_example(name)}")
        at = _gap(sql, at + 1)
        match = _VALUE.match(sql, at)
        if match is None:
            raise BadRequest(f"RWROUTER SET {name}: write a value, such as {_example(name)}, or DEFAULT")
        at = match.end()
        text = match[str(match.lastgroup)].decode("ascii", "replace").strip()
        is_default = match.lastgroup == "bare" and text.lower() == "default"
        values[name] = None if is_default else _value(name, text)
        at = _gap(sql, at)
        if sql[at : at + 1] != b",":
            _end(sql, at)
            return Set(values)
        at += 1


def _value(name: str, text: str) -> str | float:
    if name == "consistency":
        if text.lower() not in LEVELS:
            raise BadRequest(f'RWROUTER SET consistency: "{text}" is no level: write {SETTINGS[name]}')
        return text.lower()
    seconds = seconds_of(text)
    if not seconds:
        raise BadRequest(f'RWROUTER SET {name}: "{text}" is no time above 0: write {SETTINGS[name]}')
    return seconds


def _example(name: str) -> str:
    return "'eventual'" if name == "consistency" else "'500ms'"


def _gap(sql: bytes, at: int) -> int:
    match = _GAP.match(sql, at)
    return match.end() if match is not None else at


def _word(sql: bytes, at: int) -> tuple[str, int]:
    """Return the next word in lower case, "" where there is none, and where it ends."""
    match = _WORD.match(sql, _gap(sql, at))
    return (match[0].decode().lower(), match.end()) if match is not None else ("", at)


def _end(sql: bytes, at: int) -> None:
    if _END.match(sql, at) is None:
        raise _alone() if b";" in sql[at:] else _unknown(sql)


def _alone() -> BadRequest:
    return BadRequest("a RWROUTER statement stands alone: send it without other statements, as one command")


def _unknown(sql: bytes) -> BadRequest:
    shown = " ".join(sql[:60].decode("utf-8", "replace").split())
    return BadRequest(f'"{shown}" is not known. There is: {", ".join(STATEMENTS)}')
