"""OK packets, and the session-state blocks in them: read, and taken out for clients that did not ask.

Page "OK_Packet" of the MySQL source documentation:

    int<1> 0x00 or 0xFE, int<lenenc> affected rows, int<lenenc> last insert id, int<2> status, int<2> warnings,
    string<lenenc> info, string<lenenc> session state

The two strings are there only where they have content; the second only with SERVER_SESSION_STATE_CHANGED.
Without CLIENT_SESSION_TRACK servers send *info* with its length too (net_send_ok in sql/protocol_classic.cc).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from rwrouter.protocol.flags import (
    SERVER_SESSION_STATE_CHANGED,
    SERVER_STATUS_IN_TRANS,
    SESSION_TRACK_GTIDS,
    SESSION_TRACK_SCHEMA,
    SESSION_TRACK_STATE_CHANGE,
    SESSION_TRACK_SYSTEM_VARIABLES,
)
from rwrouter.protocol.wire import prefixed

TOLD_VARIABLES: Final = frozenset(
    {
        b"autocommit",
        b"character_set_client",
        b"character_set_connection",
        b"character_set_results",
        b"time_zone",
    }
)
"""What `session_track_system_variables` names unless somebody sets it."""

_WIDTHS: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}


class OkPacket(NamedTuple):
    """What an OK packet says. *state* is its session-state block, raw; *status_at* where its status lies."""

    affected: int
    insert_id: int
    status: int
    warnings: int
    info: bytes
    state: bytes
    status_at: int


class Told(NamedTuple):
    """What a client is told of a session: changes of *variables*, of all where that is None, and no *withheld* kinds.

    *withheld*: of SESSION_TRACK_*. *by_eof*: the client's own settings can be why an EOF packet, which has no room for
    it, says that something has changed.
    """

    variables: frozenset[bytes] | None
    withheld: frozenset[int]
    by_eof: bool = False


BY_DEFAULT: Final = Told(TOLD_VARIABLES, frozenset({SESSION_TRACK_STATE_CHANGE, SESSION_TRACK_GTIDS}))
"""What a server tells a client with CLIENT_SESSION_TRACK who has set nothing: seen on MySQL 9.7 and MariaDB 10.11."""


class Change(NamedTuple):
    """One thing of the session that a statement changed: *kind* is one of SESSION_TRACK_*."""

    kind: int
    name: bytes  # of a variable; empty for other kinds
    value: bytes


def _lenenc(data: bytes, pos: int) -> tuple[int, int]:
    """Return the int<lenenc> at *pos* and the position behind it. Raises IndexError, ValueError."""
    first = data[pos]
    if first < 0xFB:
        return first, pos + 1
    width = _WIDTHS.get(first)
    if width is None:
        raise ValueError("no length")
    after = pos + 1 + width
    return int.from_bytes(data[pos + 1 : after], "little"), after


def parse_ok(data: bytes, pos: int, end: int, tracks: bool) -> OkPacket | None:
    """Read the OK packet whose payload is data[pos:end]; None where it is cut short.

    *tracks*: CLIENT_SESSION_TRACK was agreed with the server.
    """
    try:
        affected, at = _lenenc(data, pos + 1)
        insert_id, at = _lenenc(data, at)
        if at + 4 > end:
            return None
        status = data[at] | data[at + 1] << 8
        warnings = data[at + 2] | data[at + 3] << 8
        status_at = at
        at += 4
        info = state = b""
        if at < end:
            size, at = _lenenc(data, at)
            info = data[at : at + size]
            at += size
        if tracks and status & SERVER_SESSION_STATE_CHANGED and at < end:
            size, at = _lenenc(data, at)
            state = data[at : at + size]
            at += size
    except (IndexError, ValueError):
        return None
    return None if at > end else OkPacket(affected, insert_id, status, warnings, info, state, status_at)


def with_state(data: bytes, pos: int, ok: OkPacket, state: bytes, *, is_silent: bool = False) -> bytes:
    """Return the packet at data[pos] (header included), which says *ok*, with *state* for its session state.

    *is_silent*: something has changed, even where that is empty.
    """
    has_changed = is_silent or bool(state)
    status = ok.status if has_changed else ok.status & ~SERVER_SESSION_STATE_CHANGED
    payload = data[pos + 4 : ok.status_at] + status.to_bytes(2, "little") + ok.warnings.to_bytes(2, "little")
    if ok.info or has_changed:
        payload += prefixed(ok.info)
    if has_changed:
        payload += prefixed(state)
    return len(payload).to_bytes(3, "little") + data[pos + 3 : pos + 4] + payload


def began_another(ok: OkPacket) -> bool:
    """Tell whether a statement has ended a transaction that wrote, and begun another: a GTID while one is open.

    MySQL says then that something has changed, and not what, unless it was asked for the GTID (seen on 9.7).
    """
    if not ok.status & SERVER_STATUS_IN_TRANS:
        return False
    return any(change.kind == SESSION_TRACK_GTIDS for change in changes(ok.state))


def asked_for(state: bytes, told: Told) -> bytes:
    """Return those blocks of *state* that are for a client who is *told* that: the router has servers track more."""
    wanted = told.variables
    kept = b""
    pos = 0
    try:
        while pos < len(state):
            start, kind = pos, state[pos]
            size, pos = _lenenc(state, pos + 1)
            body, pos = state[pos : pos + size], pos + size
            if kind == SESSION_TRACK_SYSTEM_VARIABLES and wanted is not None:
                pairs = b""
                at = 0
                while at < len(body):
                    first = at
                    size, at = _lenenc(body, at)
                    name, at = body[at : at + size], at + size
                    size, at = _lenenc(body, at)
                    at += size
                    if name in wanted:
                        pairs += body[first:at]
                if pairs:
                    kept += bytes((kind,)) + prefixed(pairs)
            elif kind not in told.withheld:
                kept += state[start:pos]
    except (IndexError, ValueError):
        return b""
    return kept


def changes(state: bytes) -> Iterator[Change]:
    """Give the changes of one session-state block, in their order. What can't be read ends it."""
    pos = 0
    try:
        while pos < len(state):
            kind = state[pos]
            size, pos = _lenenc(state, pos + 1)
            body, pos = state[pos : pos + size], pos + size
            if kind == SESSION_TRACK_SYSTEM_VARIABLES:
                at = 0
                while at < len(body):  # MariaDB puts several variables into one block
                    size, at = _lenenc(body, at)
                    name, at = body[at : at + size], at + size
                    size, at = _lenenc(body, at)
                    value, at = body[at : at + size], at + size
                    yield Change(kind, name, value)
            elif kind in {SESSION_TRACK_SCHEMA, SESSION_TRACK_STATE_CHANGE}:
                size, at = _lenenc(body, 0)
                yield Change(kind, b"", body[at : at + size])
            elif kind == SESSION_TRACK_GTIDS:
                size, at = _lenenc(body, 1)  # behind the encoding specification, which is 0
                yield Change(kind, b"", body[at : at + size])
    except (IndexError, ValueError):
        return
