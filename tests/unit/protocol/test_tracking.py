"""OK packets and their session state."""

from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.flags import (
    SESSION_TRACK_GTIDS,
    SESSION_TRACK_SCHEMA,
    SESSION_TRACK_STATE_CHANGE,
    SESSION_TRACK_SYSTEM_VARIABLES,
)
from rwrouter.protocol.tracking import BY_DEFAULT, Change, Told, asked_for, changes, parse_ok


def block(kind: int, body: bytes) -> bytes:
    """Build one session-state block."""
    return bytes((kind, len(body))) + body


def text(value: bytes) -> bytes:
    """Build a string<lenenc>."""
    return bytes((len(value),)) + value


def test_changes_are_read_in_order() -> None:
    """Variables, schema and GTIDs are told apart; MariaDB's blocks hold several variables."""
    state = (
        block(SESSION_TRACK_SYSTEM_VARIABLES, text(b"sql_mode") + text(b"ANSI"))
        + block(SESSION_TRACK_SYSTEM_VARIABLES, text(b"a") + text(b"1") + text(b"b") + text(b""))
        + block(SESSION_TRACK_SCHEMA, text(b"shop"))
        + block(SESSION_TRACK_GTIDS, b"\x00" + text(b"3e11fa47-71ca-11e1-9e33-c80aa9429562:23"))
    )
    assert list(changes(state)) == [
        Change(SESSION_TRACK_SYSTEM_VARIABLES, b"sql_mode", b"ANSI"),
        Change(SESSION_TRACK_SYSTEM_VARIABLES, b"a", b"1"),
        Change(SESSION_TRACK_SYSTEM_VARIABLES, b"b", b""),
        Change(SESSION_TRACK_SCHEMA, b"", b"shop"),
        Change(SESSION_TRACK_GTIDS, b"", b"3e11fa47-71ca-11e1-9e33-c80aa9429562:23"),
    ]


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    """What can't be read gives nothing, and raises nothing."""
    list(changes(data))
    assert len(asked_for(data, BY_DEFAULT)) <= len(data)
    parse_ok(data, 0, len(data), tracks=True)


def test_a_client_is_told_what_it_asked_for() -> None:
    """Variables by name, in blocks of one or several; other kinds unless they are withheld."""
    gtid = block(SESSION_TRACK_GTIDS, b"\x00" + text(b"u:23"))
    schema = block(SESSION_TRACK_SCHEMA, text(b"shop"))
    changed = block(SESSION_TRACK_STATE_CHANGE, text(b"1"))
    a, b = text(b"a") + text(b"1"), text(b"b") + text(b"2")
    both = block(SESSION_TRACK_SYSTEM_VARIABLES, a + b)
    state = gtid + both + changed + schema
    assert asked_for(state, Told(None, frozenset())) == state
    assert asked_for(state, Told(frozenset({b"b"}), frozenset({SESSION_TRACK_SCHEMA}))) == (
        gtid + block(SESSION_TRACK_SYSTEM_VARIABLES, b) + changed
    )
    assert asked_for(state, Told(frozenset(), frozenset({SESSION_TRACK_GTIDS}))) == changed + schema
    assert asked_for(state, BY_DEFAULT) == schema
