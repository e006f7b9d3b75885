"""Where a reply ends, and how, from packet headers and first bytes alone.

Pages "Text Resultset", "OK_Packet", "EOF_Packet", "COM_STMT_PREPARE" and "LOCAL INFILE Request" of the MySQL
source documentation. A reply is one or more *results*; each is

    OK | ERR | EOF                                                       one packet
    column count, column definitions, [EOF], rows, EOF | OK(0xFE) | ERR  a result set
    0xFB file name, then the client's data, then OK | ERR                LOCAL INFILE

(with CLIENT_OPTIONAL_RESULTSET_METADATA the count has a byte behind it: 0, no definitions follow, but their EOF does)
and ends the reply unless its status has SERVER_MORE_RESULTS_EXISTS. Whole packets are needed only of those that
carry a status (OK, EOF, ERR): a piece of one that ends the data is held back until the rest is here, so that
what is passed on can be changed or swallowed. Everything else flows through.
"""

from struct import Struct
from struct import error as struct_error
from typing import Final

from rwrouter.protocol.flags import (
    CLIENT_DEPRECATE_EOF,
    CLIENT_OPTIONAL_RESULTSET_METADATA,
    CLIENT_SESSION_TRACK,
    COM_BINLOG_DUMP,
    COM_BINLOG_DUMP_GTID,
    COM_FIELD_LIST,
    COM_QUERY,
    COM_STATISTICS,
    COM_STMT_FETCH,
    COM_STMT_PREPARE,
    MARIADB_CLIENT_PROGRESS,
    SERVER_MORE_RESULTS_EXISTS,
    SERVER_PS_OUT_PARAMS,
    SERVER_SESSION_STATE_CHANGED,
    SERVER_STATUS_CURSOR_EXISTS,
)
from rwrouter.protocol.tracking import (
    BY_DEFAULT,
    OkPacket,
    Told,
    asked_for,
    began_another,
    parse_ok,
    with_state,
)

# States: plain ints, compared once per packet.
FIRST: Final = 0  # the first packet of a result
COLUMN_DEFINITIONS: Final = 1
COLUMNS_EOF: Final = 2  # the EOF between column definitions and rows
ROWS: Final = 3
PREPARE_OK: Final = 4
PREPARE_EOF: Final = 5  # the EOF behind a group of definitions of a prepared statement
TEXT: Final = 6  # one packet of text, without a header byte (COM_STATISTICS)
LOCAL_INFILE: Final = 7  # the server waits for the client's file
STREAM: Final = 8  # binary log events without end
DONE: Final = 9
FAILED: Final = 10  # the server broke the protocol: its connection can't be used any more

STATE_NAMES: Final = [
    "FIRST",
    "COLUMN_DEFINITIONS",
    "COLUMNS_EOF",
    "ROWS",
    "PREPARE_OK",
    "PREPARE_EOF",
    "TEXT",
    "LOCAL_INFILE",
    "STREAM",
    "DONE",
    "FAILED",
]

_FIRST_STATES: Final = {
    COM_FIELD_LIST: ROWS,  # column definitions up to an EOF: the same grammar as rows
    COM_STMT_FETCH: ROWS,
    COM_STMT_PREPARE: PREPARE_OK,
    COM_STATISTICS: TEXT,
    COM_BINLOG_DUMP: STREAM,
    COM_BINLOG_DUMP_GTID: STREAM,
}

_BIGGEST: Final = 0xFFFFFF  # a payload of this length is continued in the next packet
_WHOLE: Final = 1 << 20
"""Longest packet that is held back until it is here whole: an OK with the state of a session in it has some KB at most.
Without it a server that sends garbage would be waited for, and up to 16 MB kept."""

_LOOK_CLOSER: Final = SERVER_MORE_RESULTS_EXISTS | SERVER_SESSION_STATE_CHANGED | SERVER_STATUS_CURSOR_EXISTS
_OUT_PARAMS_BIT: Final = SERVER_PS_OUT_PARAMS >> 8  # in the second byte of a status
_CHANGED_BIT: Final = SERVER_SESSION_STATE_CHANGED >> 8  # in the second byte of the status
_SPECIAL_BITS: Final = _OUT_PARAMS_BIT | _CHANGED_BIT
_unpack: Final = Struct("<IB").unpack_from  # length and sequence id in one int, first byte of the payload


class Reply:
    """Follows replies on one connection, one at a time: `begin`, then `receive` until `state` is DONE.

    *capabilities* are those agreed with the server; *client_tracks* says whether the client asked for session
    tracking: what it would not be told by the server is taken out of what is passed on.
    """

    __slots__ = (
        "_bare",
        "_client_tracks",
        "_columns",
        "_continued",
        "_deprecate_eof",
        "_groups",
        "_held",
        "_optional",
        "_out_params",
        "_progress",
        "_server_tracks",
        "_skip",
        "changes",
        "error",
        "failure",
        "infile_number",
        "insert_id",
        "prepared",
        "state",
        "statement_number",
        "status",
        "told",
        "untold",
        "used",
        "warnings",
    )

    def __init__(self, capabilities: int, *, client_tracks: bool = True) -> None:
        self._deprecate_eof = bool(capabilities & CLIENT_DEPRECATE_EOF)
        self._optional = bool(capabilities & CLIENT_OPTIONAL_RESULTSET_METADATA)
        self._progress = bool(capabilities & MARIADB_CLIENT_PROGRESS)
        self._server_tracks = bool(capabilities & CLIENT_SESSION_TRACK)
        self._client_tracks = client_tracks
        self.told: Told = BY_DEFAULT  # of session tracking, where the client asked for that
        self.state = DONE
        self.status = 0  # of the last OK or EOF; an ERR has none, and leaves it
        self.warnings = 0
        self.insert_id = 0
        self.infile_number = 0  # sequence id of the request, once LOCAL_INFILE
        self.error: bytes | None = None  # payload of the ERR that ended the reply
        self.changes: list[bytes] = []  # session-state blocks of the reply's OK packets, raw
        self.failure = ""  # what is wrong, once FAILED
        self.statement_number = (
            0  # the router's id, put in the place of the server's in COM_STMT_PREPARE's reply
        )
        self.prepared: tuple[int, int, int] | None = None  # statement id, columns, parameters
        self.untold = False  # something has changed, and an EOF has no room to tell what
        self.used = False  # something is left of the reply before
        self._reset()

    def _reset(self) -> None:
        self._skip = 0  # bytes still to come of a packet that has been judged
        self._continued = False  # the next packet continues one of 16 MB
        self._held = b""  # the start of a packet that is needed whole
        self._columns = 0
        self._out_params = 0  # SERVER_PS_OUT_PARAMS while the rows of OUT parameters come
        self._groups: list[int] = []

    def begin(self, command: int) -> None:
        """A command has been sent: its reply comes next."""
        self.state = FIRST if command == COM_QUERY else _FIRST_STATES.get(command, FIRST)
        if self.used:
            self.used = False
            self.error = None
            self.changes = []
            self.untold = False
            self.prepared = None
            self._reset()

    def receive(self, data: bytes) -> bytes:
        """Take what the server sent; return what to pass on to the client, now.

        Look at `state` afterwards. More than one reply's bytes are a failure: a server sends nothing that it was
        not asked for.
        """
        self.used = True
        if self._held:
            data = self._held + data
            self._held = b""
        pos = self._skip
        end = len(data)
        if pos >= end:
            self._skip = pos - end
            return data
        if end > _BIGGEST or self._continued:
            return self._receive_big(data)
        state = self.state
        start = 0  # what lies before has been put into *changed*
        changed = b""
        while True:
            if state == ROWS:
                last = end - 5
                while pos <= last:
                    header, first = _unpack(data, pos)
                    if first >= 0xFE and header & _BIGGEST != _BIGGEST:
                        break  # a row starts so only with a value of 16 MB
                    pos += (header & _BIGGEST) + 4
                else:
                    self.state = state
                    if pos >= end:
                        self._skip = pos - end
                        self._continued = pos - end > 0 and header & _BIGGEST == _BIGGEST
                        return changed + data[start:] if changed else data
                    if end - pos == 4 and data[pos : pos + 3] == b"\0\0\0":
                        return self._fail("an empty packet where ROWS was expected")
                    self._skip = 0
                    self._held = data[pos:]
                    return changed + data[start:pos]
            elif end - pos < 5:
                if pos == end:
                    self._skip = 0
                    self.state = state
                    return changed + data[start:] if changed else data
                if pos > end:
                    self._skip = pos - end
                    self.state = state
                    return changed + data[start:] if changed else data
                if state in {DONE, FAILED}:
                    break
                if end - pos == 4 and data[pos : pos + 3] == b"\0\0\0":
                    return self._fail(f"an empty packet where {STATE_NAMES[state]} was expected")
                self.state = state
                self._skip = 0
                self._held = data[pos:]
                return changed + data[start:pos]
            else:
                header, first = _unpack(data, pos)
            length = header & _BIGGEST
            after = pos + 4 + length
            # Definitions and streamed events pass by their length alone.
            if state == COLUMN_DEFINITIONS and not (after > end and self._groups):
                pos = after
                self._columns -= 1
                if not self._columns:
                    state = self._definitions_done()
                    if state == DONE:
                        break
                continue
            if state == STREAM and first < 0xFE:
                if length == _BIGGEST:
                    self.state = state
                    return self._pass_big(data, pos, start, changed)
                pos = after
                continue
            # The others are needed whole.
            if after > end:
                if length > _WHOLE or (state == FIRST and 0 < first < 0xFB and length > 9):
                    return self._fail(f"a packet of {length} bytes where {STATE_NAMES[state]} was expected")
                self.state = state
                self._skip = 0
                self._held = data[pos:]
                return changed + data[start:pos]
            if length == 0:
                return self._fail(f"an empty packet where {STATE_NAMES[state]} was expected")
            if first == 0xFF:
                if self._progress and data[pos + 5 : pos + 7] == b"\xff\xff":
                    pos = after  # how far MariaDB is with the statement
                    continue
                self.error = data[pos + 4 : after]
                pos = after
                state = DONE
                break
            if state == FIRST and first not in {0x00, 0xFB, 0xFE}:
                count = self._column_count(data, pos + 4, length - self._optional)
                if count <= 0:
                    return self._fail("a column count that is none")
                self._columns = count
                self._groups = []
                pos = after
                state = COLUMN_DEFINITIONS
                if self._optional and not data[after - 1]:
                    state = self._definitions_done()  # there are none
                continue
            if state == FIRST and first == 0xFB:
                self.infile_number = header >> 24
                pos = after
                state = LOCAL_INFILE
                break
            if state == TEXT:
                pos = after
                state = DONE
                break
            if state == PREPARE_OK:
                if first != 0 or length < 9:
                    return self._fail("a reply to COM_STMT_PREPARE that is none")
                payload = data[pos + 4 : after]
                columns = int.from_bytes(payload[5:7], "little")
                parameters = int.from_bytes(payload[7:9], "little")
                self.prepared = (int.from_bytes(payload[1:5], "little"), columns, parameters)
                self._groups = [count for count in (columns, parameters) if count]
                if self.statement_number:
                    changed += data[start : pos + 5] + self.statement_number.to_bytes(4, "little")
                    start = pos + 9
                pos = after
                if not self._groups:
                    state = DONE
                    break
                self._groups.insert(0, -1)  # marks definitions of a statement, not of a result set
                self._bare = self._optional and length > 12 and not payload[12]
                if self._bare and self._deprecate_eof:
                    state = DONE
                    break
                state = self._next_group()
                continue
            if state in {DONE, FAILED}:
                break
            # What is left has a status: OK, or EOF in one of its two forms.
            if first == 0xFE and length < 9 and not (self._deprecate_eof and length >= 7):
                if length < 5:
                    return self._fail("an EOF packet that is cut short")
                self.warnings = data[pos + 5] | data[pos + 6] << 8
                status = data[pos + 7] | data[pos + 8] << 8
                self.status = status
                if status & SERVER_SESSION_STATE_CHANGED:
                    self.untold = True
                    if not (self.told.by_eof and self._client_tracks):
                        # Without the router's trackers it would not speak of a change.
                        changed += data[start : pos + 8] + bytes((data[pos + 8] & ~_CHANGED_BIT,))
                        start = pos + 9
                pos = after
                if state == COLUMNS_EOF:
                    if status & SERVER_STATUS_CURSOR_EXISTS:
                        state = DONE
                        break
                    self._out_params = status & SERVER_PS_OUT_PARAMS
                    state = ROWS
                    continue
                if state == PREPARE_EOF:
                    state = self._next_group()
                    if state == DONE:
                        break
                    continue
            elif first in {0x00, 0xFE} and state in {FIRST, ROWS, LOCAL_INFILE, STREAM}:
                ok = parse_ok(data, pos + 4, after, self._server_tracks)
                if ok is None:
                    return self._fail("an OK packet that is cut short")
                status = self._take(ok)
                if status & SERVER_SESSION_STATE_CHANGED and (ok.state or not self._client_tracks):
                    told = asked_for(ok.state, self.told) if self._client_tracks else b""
                    silent = self._client_tracks and began_another(ok)
                    changed += data[start:pos] + with_state(data, pos, ok, told, is_silent=silent)
                    start = after
                pos = after
            else:
                return self._fail(f"a packet 0x{first:02X} where {STATE_NAMES[state]} was expected")
            if self._out_params:
                # MySQL says only in the EOF before the rows of OUT parameters that an OK follows them (seen on 9.7).
                self._out_params = 0
            elif not status & SERVER_MORE_RESULTS_EXISTS:
                state = DONE
                break
            state = FIRST
        self.state = state
        self._skip = 0
        if pos != end:
            return self._fail("bytes after the end of a reply")
        return changed + data[start:] if changed else data

    def take_small(self, data: bytes) -> bool:
        """Take a whole result set, or OK, that came in one piece and changed nothing; False: `receive` it.

        To be asked only about the first bytes of a reply, while not `used`. Nearly every reply is one. Measured with
        benchmarks/hot_path.py: this spares 2 us of 3.5 for a row.
        """
        end = len(data)
        try:
            header, first = _unpack(data)
            if header & _BIGGEST == 1 and first < 0xFB:
                pos = 5
                for _ in range(first):
                    header, _first = _unpack(data, pos)
                    pos += (header & _BIGGEST) + 4
                if not self._deprecate_eof:
                    if data[pos + 8] & _SPECIAL_BITS:
                        return False  # an OK follows, perhaps later; or a flag is not for the client
                    pos += 9
                while True:
                    header, first = _unpack(data, pos)
                    if first >= 0xFE:
                        break
                    pos += (header & _BIGGEST) + 4
                length = header & _BIGGEST
                if first != 0xFE or pos + 4 + length != end:
                    return False
                # EOF: warnings, status. OK in its place: two zeros, status, warnings.
                if length == 5:
                    if self._deprecate_eof:
                        return False
                    self.warnings = data[pos + 5] | data[pos + 6] << 8
                elif length == 7 and self._deprecate_eof and not data[pos + 5] | data[pos + 6]:
                    self.warnings = data[pos + 9] | data[pos + 10] << 8
                else:
                    return False
                status = data[pos + 7] | data[pos + 8] << 8
            elif first == 0 and end == 11 and header & _BIGGEST == 7:
                if data[5] >= 0xFB or data[6] >= 0xFB:
                    return False
                self.insert_id = data[6]
                self.warnings = data[9] | data[10] << 8
                status = data[7] | data[8] << 8
            else:
                return False
        except (struct_error, IndexError):  # not all of it is here
            return False
        if status & _LOOK_CLOSER:
            return False
        self.status = status
        self.state = DONE
        return True

    def file_sent(self) -> None:
        """The client has sent its file (LOCAL INFILE): the server's verdict comes next."""
        self.state = FIRST

    def _take(self, ok: OkPacket) -> int:
        self.status = ok.status
        self.warnings = ok.warnings
        self.insert_id = ok.insert_id
        if ok.state:
            self.changes.append(ok.state)
        return ok.status

    def _definitions_done(self) -> int:
        if self._deprecate_eof:
            return self._next_group() if self._groups else ROWS
        return PREPARE_EOF if self._groups else COLUMNS_EOF

    def _next_group(self) -> int:
        if len(self._groups) == 1:  # only the mark is left
            return DONE
        self._columns = self._groups.pop()
        return PREPARE_EOF if self._bare else COLUMN_DEFINITIONS

    @staticmethod
    def _column_count(data: bytes, pos: int, length: int) -> int:
        """Return the int<lenenc> at *pos*, -1 where it is none."""
        first = data[pos]
        if first < 0xFB:
            return first if length == 1 else -1
        size = {0xFC: 2, 0xFD: 3}.get(first, 0)  # 4096 columns are the most that a server has
        return int.from_bytes(data[pos + 1 : pos + 1 + size], "little") if size and length == size + 1 else -1

    def _receive_big(self, data: bytes) -> bytes:
        """Take data in which a packet of 16 MB can lie whole, or is continued: rare, so step by step."""
        if self._continued:
            if len(data) < self._skip + 4:
                held = max(0, self._skip)
                self._held = data[held:]
                self._skip = 0
                self._continued = True
                return data[:held]
            pos = self._skip
            length = int.from_bytes(data[pos : pos + 3], "little")
            self._continued = length == _BIGGEST
            self._skip = pos + 4 + length
            # From here on it is a packet that has been judged, so it passes as one.
            if self._skip >= len(data):
                self._skip -= len(data)
                return data
            head, rest = data[: self._skip], data[self._skip :]
            self._skip = 0
            return head + self.receive(rest)
        step = 1 << 20
        return b"".join([self.receive(data[at : at + step]) for at in range(0, len(data), step)])

    def _pass_big(self, data: bytes, pos: int, start: int, changed: bytes) -> bytes:
        self._skip = pos + 4 + _BIGGEST - len(data)
        self._continued = True
        return changed + data[start:]

    def _fail(self, why: str) -> bytes:
        self.state = FAILED
        self.failure = why
        return b""
