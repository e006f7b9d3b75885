"""Replies: every cut of the bytes gives the same, and the end is found exactly."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol import response
from rwrouter.protocol.flags import (
    CLIENT_DEPRECATE_EOF,
    CLIENT_OPTIONAL_RESULTSET_METADATA,
    CLIENT_SESSION_TRACK,
    COM_FIELD_LIST,
    COM_QUERY,
    COM_STATISTICS,
    COM_STMT_EXECUTE,
    COM_STMT_FETCH,
    COM_STMT_PREPARE,
    MARIADB_CLIENT_PROGRESS,
    SERVER_MORE_RESULTS_EXISTS,
    SERVER_PS_OUT_PARAMS,
    SERVER_SESSION_STATE_CHANGED,
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_CURSOR_EXISTS,
    SERVER_STATUS_IN_TRANS,
)
from rwrouter.protocol.response import Reply

EOF_STYLES = {"EOF packets": 0, "EOF deprecated": CLIENT_DEPRECATE_EOF}
MORE = SERVER_MORE_RESULTS_EXISTS


def packets(*payloads: bytes, first: int = 1) -> bytes:
    """Frame *payloads*, none of which is of 16 MB."""
    return b"".join(
        len(payload).to_bytes(3, "little") + bytes(((first + index) % 256,)) + payload
        for index, payload in enumerate(payloads)
    )


def ok(
    status: int = SERVER_STATUS_AUTOCOMMIT, *, header: int = 0, info: bytes = b"", state: bytes = b""
) -> bytes:
    """Build an OK payload."""
    body = bytes((header, 0, 0)) + status.to_bytes(2, "little") + b"\x00\x00"
    if info or state:
        body += bytes((len(info),)) + info
    if state:
        body += bytes((len(state),)) + state
    return body


def eof(status: int = SERVER_STATUS_AUTOCOMMIT) -> bytes:
    """Build an EOF payload."""
    return b"\xfe\x00\x00" + status.to_bytes(2, "little")


ERR = b"\xff\x7a\x04#42S02Table 'x.y' doesn't exist"
COLUMN = b"\x03def\x00\x00\x00\x01a\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x81\x00\x00\x00\x00"


def result_set(rows: list[bytes], capabilities: int, status: int = SERVER_STATUS_AUTOCOMMIT) -> list[bytes]:
    """Build the payloads of a result set with one column."""
    deprecated = capabilities & CLIENT_DEPRECATE_EOF
    return [
        b"\x01",
        COLUMN,
        *([] if deprecated else [eof(status)]),
        *rows,
        ok(status, header=0xFE) if deprecated else eof(status),
    ]


def run(reply: Reply, data: bytes, cuts: list[int]) -> bytes:
    """Feed *data* in pieces; return all that is passed on."""
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return b"".join(reply.receive(data[a:b]) for a, b in pairwise(bounds))


CASES = {
    "ok": (COM_QUERY, [ok()], None),
    "error": (COM_QUERY, [ERR], None),
    "rows": (COM_QUERY, "rows", None),
    "execute": (COM_STMT_EXECUTE, "rows", None),
    "fields": (COM_FIELD_LIST, "fields", None),
    "statistics": (COM_STATISTICS, [b"Uptime: 1  Threads: 2"], None),
    "fetch": (COM_STMT_FETCH, "fetch", None),
    "several results": (COM_QUERY, "several", None),
    "prepare, nothing in or out": (
        COM_STMT_PREPARE,
        [b"\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"],
        None,
    ),
    "prepare": (COM_STMT_PREPARE, "prepare", None),
    "error among rows": (COM_QUERY, "error among rows", None),
}


def payloads_of(name: str, capabilities: int) -> tuple[int, list[bytes]]:
    """Return the command and the reply's payloads of a case."""
    command, what, _ = CASES[name]
    deprecated = capabilities & CLIENT_DEPRECATE_EOF
    end = ok(header=0xFE) if deprecated else eof()
    rows = [b"\x011", b"\xfb", b"\x00", b"\x03abc"]
    made: list[bytes]
    if isinstance(what, list):
        made = what
    elif what == "rows":
        made = result_set(rows, capabilities)
    elif what == "fields":
        made = [COLUMN, COLUMN, end]
    elif what == "fetch":
        made = [b"\x00\x00\x01", b"\x00\x00\x02", end]
    elif what == "several":
        made = [*result_set(rows, capabilities, MORE), ok(MORE), *result_set([], capabilities, MORE), ok()]
    elif what == "prepare":
        between = [] if deprecated else [eof()]
        head = b"\x00\x05\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00"
        made = [head, COLUMN, COLUMN, *between, COLUMN, *between]
    else:
        made = [*result_set(rows, capabilities)[:-1], ERR]
    return command, made


@pytest.mark.parametrize("style", EOF_STYLES)
@pytest.mark.parametrize("name", CASES)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_any_cut_gives_the_same(name: str, style: str, cuts: list[int]) -> None:
    """All bytes are passed on, in order, and the reply ends with its last byte, however it was cut."""
    capabilities = EOF_STYLES[style] | CLIENT_SESSION_TRACK
    command, made = payloads_of(name, capabilities)
    data = packets(*made)
    reply = Reply(capabilities)
    reply.begin(command)
    assert run(reply, data, cuts) == data
    assert reply.state == response.DONE, response.STATE_NAMES[reply.state]
    assert (reply.error is not None) == ("error" in name)


@pytest.mark.parametrize("style", EOF_STYLES)
@pytest.mark.parametrize("name", CASES)
def test_not_done_before_the_last_byte(name: str, style: str) -> None:
    """A reply without its last byte has not ended."""
    capabilities = EOF_STYLES[style] | CLIENT_SESSION_TRACK
    command, made = payloads_of(name, capabilities)
    reply = Reply(capabilities)
    reply.begin(command)
    reply.receive(packets(*made)[:-1])
    assert reply.state not in {response.DONE, response.FAILED}


@given(
    rows=st.lists(st.binary(min_size=1, max_size=300).filter(lambda row: row[0] < 0xFC), max_size=30),
    style=st.sampled_from(sorted(EOF_STYLES)),
    cuts=st.lists(st.integers(0, 10_000), max_size=5),
)
def test_rows_are_never_taken_for_an_end(rows: list[bytes], style: str, cuts: list[int]) -> None:
    """Whatever the rows hold, the end is the end."""
    capabilities = EOF_STYLES[style]
    data = packets(*result_set(rows, capabilities))
    reply = Reply(capabilities)
    reply.begin(COM_QUERY)
    assert run(reply, data, cuts) == data
    assert reply.state == response.DONE


@pytest.mark.parametrize("style", EOF_STYLES)
@pytest.mark.parametrize("step", [1 << 16, (1 << 18) - 3, 1 << 25])
def test_rows_of_16_mb_are_continued(style: str, step: int) -> None:
    """A row of 2^24-1 bytes or more comes in several packets; what follows is no terminator."""
    capabilities = EOF_STYLES[style]
    big = b"\xfe" + bytes(0xFFFFFF - 1)
    first, *_, last = result_set([], capabilities)
    head = [first, COLUMN] if capabilities else [first, COLUMN, eof()]
    data = packets(*head) + b"\xff\xff\xff\x04" + big + packets(b"\xfe\x01\x02\x03\x04", b"\x011", first=5)
    data += b"\xff\xff\xff\x07" + big + b"\x00\x00\x00\x08" + packets(last, first=9)
    reply = Reply(capabilities)
    reply.begin(COM_QUERY)
    out = b"".join(reply.receive(data[at : at + step]) for at in range(0, len(data), step))
    assert out == data
    assert reply.state == response.DONE


def test_cursor_ends_after_the_definitions() -> None:
    """With a cursor no rows follow until they are fetched."""
    reply = Reply(0)
    reply.begin(COM_STMT_EXECUTE)
    status = SERVER_STATUS_AUTOCOMMIT | SERVER_STATUS_CURSOR_EXISTS
    reply.receive(packets(b"\x01", COLUMN, eof(status)))
    assert reply.state == response.DONE
    assert reply.status == status


def test_local_infile() -> None:
    """The server asks for a file, and its verdict ends the reply."""
    reply = Reply(0)
    reply.begin(COM_QUERY)
    request = packets(b"\xfb/tmp/x.csv")
    assert reply.receive(request) == request
    assert reply.state == response.LOCAL_INFILE
    reply.file_sent()
    reply.receive(packets(ok(), first=5))
    assert reply.state == response.DONE


STATE = b"\x02\x02\x01\x31"  # the state-change tracker says "1"


@pytest.mark.parametrize("info", [b"", b"Rows matched: 1  Changed: 1  Warnings: 0"])
@given(cuts=st.lists(st.integers(0, 200), max_size=5))
def test_state_is_taken_out_for_a_client_that_did_not_ask(info: bytes, cuts: list[int]) -> None:
    """The client gets an OK packet as it would without tracking; the router gets the state."""
    reply = Reply(CLIENT_SESSION_TRACK, client_tracks=False)
    reply.begin(COM_QUERY)
    status = SERVER_STATUS_IN_TRANS | SERVER_SESSION_STATE_CHANGED
    out = run(reply, packets(ok(status, info=info, state=STATE)), cuts)
    assert out == packets(ok(SERVER_STATUS_IN_TRANS, info=info))
    assert reply.changes == [STATE]
    assert reply.status == status


def test_a_client_that_asked_is_told_what_the_server_would_tell_it() -> None:
    """The schema and the five variables of the servers' defaults pass; what the router alone asked for does not."""
    reply = Reply(CLIENT_SESSION_TRACK, client_tracks=True)
    schema = b"\x01\x05\x04shop"
    zone = b"\x00\x0f\x09time_zone\x04UTC "
    own = b"\x00\x0a\x08sql_mode\x00"
    for state, told in (
        (schema, schema),
        (STATE + schema, schema),
        (own + zone + STATE, zone),
        (own + STATE, b""),
        (b"\x00\x1a" + own[2:] + zone[2:], zone),
    ):
        reply.begin(COM_QUERY)
        out = reply.receive(packets(ok(SERVER_SESSION_STATE_CHANGED, state=state)))
        assert out == packets(ok(SERVER_SESSION_STATE_CHANGED if told else 0, state=told))
        assert reply.changes == [state]


@pytest.mark.parametrize("client_tracks", [True, False])
def test_another_transaction_has_begun_where_one_wrote(client_tracks: bool) -> None:
    """MySQL says that something has changed, and has nothing to say but the GTID."""
    reply = Reply(CLIENT_SESSION_TRACK, client_tracks=client_tracks)
    gtid = b"\x03\x06\x00\x04u:23"
    for status, flag in ((SERVER_STATUS_IN_TRANS, client_tracks), (0, False)):
        reply.begin(COM_QUERY)
        out = reply.receive(packets(ok(status | SERVER_SESSION_STATE_CHANGED, state=gtid)))
        told = ok(status | SERVER_SESSION_STATE_CHANGED) + b"\0\0" if flag else ok(status)
        assert out == packets(told)
        assert reply.changes == [gtid]


@pytest.mark.parametrize("client_tracks", [True, False])
@given(cuts=st.lists(st.integers(0, 200), max_size=5))
def test_an_eof_says_nothing_of_the_routers_trackers(client_tracks: bool, cuts: list[int]) -> None:
    """It has no room for what has changed, so that only the router's own question can have set the flag."""
    reply = Reply(CLIENT_SESSION_TRACK, client_tracks=client_tracks)
    reply.begin(COM_QUERY)
    rows = [b"\x017"]
    out = run(
        reply, packets(*result_set(rows, 0, SERVER_STATUS_IN_TRANS | SERVER_SESSION_STATE_CHANGED)), cuts
    )
    assert out == packets(*result_set(rows, 0, SERVER_STATUS_IN_TRANS))
    assert reply.state == response.DONE


def test_an_ok_that_follows_out_parameters_may_come_later() -> None:
    """A small result set that came whole is no whole reply, if it is one of OUT parameters."""
    before = eof(SERVER_STATUS_AUTOCOMMIT | MORE | SERVER_PS_OUT_PARAMS)
    rows = packets(b"\x01", COLUMN, before, b"\x00\x00\x02\x00\x00\x00", eof(SERVER_STATUS_AUTOCOMMIT))
    for cut in range(len(rows) + 1):
        reply = Reply(0)
        reply.begin(COM_STMT_EXECUTE)
        assert not reply.take_small(rows[:cut])
        assert reply.receive(rows) == rows
        assert reply.state == response.FIRST
        reply.receive(packets(ok()))
        assert reply.state == response.DONE


def test_an_ok_follows_out_parameters_whatever_their_last_eof_says() -> None:
    """MySQL 9.7 sets MORE_RESULTS in the EOF before their row alone, MariaDB 10.11 in both."""
    for last in (SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_AUTOCOMMIT | MORE | SERVER_PS_OUT_PARAMS):
        before = eof(SERVER_STATUS_AUTOCOMMIT | MORE | SERVER_PS_OUT_PARAMS)
        data = packets(b"\x01", COLUMN, before, b"\x00\x00\x02\x00\x00\x00", eof(last), ok())
        reply = Reply(0)
        reply.begin(COM_STMT_EXECUTE)
        assert reply.receive(data) == data
        assert reply.state == response.DONE


@given(data=st.binary(max_size=400), command=st.sampled_from([COM_QUERY, COM_STMT_PREPARE, COM_FIELD_LIST]))
def test_garbage_of_a_server_raises_nothing(data: bytes, command: int) -> None:
    """Malformed input ends in FAILED, or waits for more; it raises nothing and keeps no more than came."""
    reply = Reply(CLIENT_SESSION_TRACK | CLIENT_DEPRECATE_EOF, client_tracks=False)
    reply.begin(command)
    for at in range(0, len(data), 50):
        reply.receive(data[at : at + 50])
        if reply.state >= response.DONE:
            break
    assert len(reply._held) <= len(data)


@pytest.mark.parametrize("header", [b"\x13\x37ga", b"\x0a\x00\x00\x01", b"\xff\xff\x20\x01"])
def test_what_is_too_long_to_be_an_end_is_not_waited_for(header: bytes) -> None:
    """Garbage announces megabytes: nobody waits until they are there, or keeps them."""
    reply = Reply(0)
    reply.begin(COM_QUERY)
    reply.receive(header + b"\x07more")
    assert reply.state == response.FAILED


@pytest.mark.parametrize("before", [(), (b"\x01", COLUMN, eof())], ids=["first", "row"])
def test_an_empty_packet_is_not_waited_behind(before: tuple[bytes, ...]) -> None:
    """It has no byte that says what it is: a server that sends no more would be waited for."""
    reply = Reply(0)
    reply.begin(COM_QUERY)
    reply.receive(packets(*before, b""))
    assert reply.state == response.FAILED


def test_bytes_after_the_end_are_a_failure() -> None:
    """A server sends nothing that it was not asked for."""
    reply = Reply(0)
    reply.begin(COM_QUERY)
    reply.receive(packets(ok(), ok()))
    assert reply.state == response.FAILED
    assert "after the end" in reply.failure


def test_a_request_for_a_file_tells_its_number() -> None:
    """The file's packets go on from there, also behind other results."""
    reply = Reply(0)
    reply.begin(COM_QUERY)
    more = b"\x07\x00\x00\x01\x00\x00\x00\x0a\x00\x00\x00"
    data = more + b"\x05\x00\x00\x02\xfbname"
    assert reply.receive(data) == data
    assert (reply.state, reply.infile_number) == (response.LOCAL_INFILE, 2)


@pytest.mark.parametrize("eof", [0, CLIENT_DEPRECATE_EOF])
def test_results_without_metadata(eof: int) -> None:
    """After SET resultset_metadata = NONE, text, prepared and executed: bytes of MySQL 9.7.4, cut anywhere."""
    end = b"\x07\0\0%c\xfe\0\0\x02\0\0\0" if eof else b"\x05\0\0%c\xfe\0\0\x02\0"
    middle = b"" if eof else end % 2
    after = 2 if eof else 3
    result = b"\x02\0\0\x01\x02\x00" + middle + b"\x04\0\0%c\x011\x012" % after + end % (after + 1)
    prepared = b"\x0d\0\0\x01\0\x01\0\0\0\x02\0\x01\0\0\0\0\0" + (b"" if eof else end % 2 + end % 3)
    for command, data in ((COM_QUERY, result), (COM_STMT_PREPARE, prepared)):
        for cut in range(len(data)):
            reply = Reply(eof | CLIENT_OPTIONAL_RESULTSET_METADATA)
            reply.begin(command)
            assert reply.receive(data[:cut]) + reply.receive(data[cut:]) == data
            assert reply.state == response.DONE, (command, cut)


def test_progress_is_no_end() -> None:
    """MariaDB tells how far it is in packets that look like errors, with the number 65535."""
    progress = b"\x0b\0\0\x01\xff\xff\xff\x01\x01\x02\x10\x27\0\x01a"
    reply = Reply(MARIADB_CLIENT_PROGRESS)
    reply.begin(COM_QUERY)
    assert reply.receive(progress * 2) == progress * 2
    assert (reply.state, reply.error) == (response.FIRST, None)
    reply.receive(b"\x07\0\0\x03\0\0\0\x02\0\0\0")
    assert reply.state == response.DONE
    without = Reply(0)
    without.begin(COM_QUERY)
    without.receive(progress)
    assert without.state == response.DONE
