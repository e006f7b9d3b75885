"""Replies of the modelled servers, and the reader of the modelled clients: written apart from the router's own code."""

import struct
from dataclasses import dataclass, field

CLIENT_PROTOCOL_41 = 1 << 9
CLIENT_SECURE_CONNECTION = 1 << 15
CLIENT_PLUGIN_AUTH = 1 << 19
CLIENT_SESSION_TRACK = 1 << 23
CLIENT_DEPRECATE_EOF = 1 << 24
NEEDED = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH

IN_TRANS, AUTOCOMMIT, IN_TRANS_READONLY, STATE_CHANGED = 1, 2, 1 << 13, 1 << 14


class Broken(Exception):
    """A reply that no server would send."""


def text(value: bytes) -> bytes:
    """Build a string<lenenc>."""
    size = len(value)
    return (bytes((size,)) if size < 0xFB else b"\xfc" + size.to_bytes(2, "little")) + value


def variable(name: bytes, value: bytes) -> bytes:
    """Build the block of the tracker of system variables."""
    return b"\x00" + text(text(name) + text(value))


def schema(name: bytes) -> bytes:
    """Build the block of the schema tracker."""
    return b"\x01" + text(text(name))


def gtid(name: bytes) -> bytes:
    """Build the block of the tracker of GTIDs."""
    return b"\x03" + text(b"\x00" + text(name))


def ok_payload(status: int, tag: bytes, state: bytes, capabilities: int, header: int = 0) -> bytes:
    """Build an OK packet's payload; *tag* is its message."""
    tracks = capabilities & CLIENT_SESSION_TRACK
    status |= STATE_CHANGED if state and tracks else 0
    tail = text(tag) if tag or status & STATE_CHANGED else b""  # net_send_ok: with its length, either way
    if status & STATE_CHANGED:
        tail += text(state)
    return bytes((header, 0, 0)) + status.to_bytes(2, "little") + b"\x00\x00" + tail


def ok(status: int, tag: bytes, state: bytes, capabilities: int) -> bytes:
    """Build an OK packet."""
    return packets([ok_payload(status, tag, state, capabilities)])


def error(code: int, why: str, sequence_id: int = 1) -> bytes:
    """Build an ERR packet."""
    return packets([b"\xff" + code.to_bytes(2, "little") + b"#HY000" + why.encode()], sequence_id)


COLUMN = b"\x03def\x00\x00\x00\x01x\x00\x0c\x2d\x00\x00\x04\x00\x00\xfd\x00\x00\x00\x00\x00"


def prepared(number: int, parameters: int, columns: int, capabilities: int) -> bytes:
    """Build the reply to COM_STMT_PREPARE."""
    payloads = [
        b"\x00" + number.to_bytes(4, "little") + struct.pack("<HH", columns, parameters) + b"\x00\x00\x00"
    ]
    for count in (parameters, columns):
        payloads += [COLUMN] * count
        if count and not capabilities & CLIENT_DEPRECATE_EOF:
            payloads.append(b"\xfe\x00\x00\x02\x00")
    return packets(payloads)


def execute(number: int, values: list[bytes], *, types: bool) -> bytes:
    """Build a COM_STMT_EXECUTE of strings; without *types* the server must know them from the time before."""
    null_bitmap = bytes((len(values) + 7) // 8)
    body = b"\x17" + number.to_bytes(4, "little") + b"\x00\x01\x00\x00\x00" + null_bitmap
    body += b"\x01" + b"\xfd\x00" * len(values) if types else b"\x00"
    return body + b"".join(text(value) for value in values)


def read_execute(payload: bytes, parameters: int) -> tuple[bool, list[bytes]]:
    """Return whether a COM_STMT_EXECUTE has types, and its values. Raises Broken."""
    at = 10 + (parameters + 7) // 8
    has_types = payload[at] == 1
    at += 1 + (2 * parameters if has_types else 0)
    values = []
    for _ in range(parameters):
        size = payload[at]
        values.append(payload[at + 1 : at + 1 + size])
        at += 1 + size
    if at != len(payload):
        raise Broken(f"a COM_STMT_EXECUTE of {len(payload)} bytes where {at} are understood")
    return has_types, values


def rows(
    found: list[list[bytes]], width: int, status: int, capabilities: int, *, binary: bool = False
) -> bytes:
    """Build a result set, of the text protocol or of the binary one."""
    payloads = [bytes((width,)), *[COLUMN] * width]
    head = b"\x00" + bytes((width + 9) // 8) if binary else b""
    eof = b"\xfe\x00\x00" + status.to_bytes(2, "little")
    deprecated = capabilities & CLIENT_DEPRECATE_EOF
    if not deprecated:
        payloads.append(eof)
    payloads += [head + b"".join(text(value) for value in row) for row in found]
    payloads.append(ok_payload(status, b"", b"", capabilities, 0xFE) if deprecated else eof)
    return packets(payloads)


def packets(payloads: list[bytes], sequence_id: int = 1) -> bytes:
    """Frame *payloads*."""
    return b"".join(
        len(payload).to_bytes(3, "little") + bytes(((sequence_id + at) & 255,)) + payload
        for at, payload in enumerate(payloads)
    )


@dataclass(slots=True)
class Result:
    """What a client got: an error (*code*), an OK (*info*), or *rows*."""

    code: int = 0
    info: bytes = b""
    status: int = 0
    rows: list[list[bytes]] = field(default_factory=list)
    is_rows: bool = False
    prepared: int = 0  # the number of a statement that was prepared


class ReplyReader:
    """Takes whole replies out of a client's bytes. Raises Broken for what no server would send."""

    def __init__(self, capabilities: int) -> None:
        self._deprecated = bool(capabilities & CLIENT_DEPRECATE_EOF)
        self._tracks = bool(capabilities & CLIENT_SESSION_TRACK)
        self.buffer = bytearray()
        self._payloads: list[bytes] = []
        self._wanted = -1  # packets until rows begin; -1: the first packet is due
        self.form = "text"  # of the reply that is due: "text", "binary" or "prepare"

    def next_result(self) -> Result | None:
        """Return the next reply, if it is here whole."""
        while True:
            payload = self._packet()
            if payload is None:
                return None
            result = self._take(payload)
            if result is not None:
                self._payloads, self._wanted = [], -1
                return result

    def _packet(self) -> bytes | None:
        buffer = self.buffer
        if len(buffer) < 4:
            return None
        size = int.from_bytes(buffer[:3], "little")
        if len(buffer) < size + 4:
            return None
        due = (len(self._payloads) + 1) & 255
        if buffer[3] != due:
            raise Broken(f"sequence id {buffer[3]} where {due} is due")
        payload = bytes(buffer[4 : size + 4])
        del buffer[: size + 4]
        self._payloads.append(payload)
        return payload

    def _take(self, payload: bytes) -> Result | None:
        if not payload:
            raise Broken("an empty packet")
        first = payload[0]
        if first == 0xFF:
            return Result(code=int.from_bytes(payload[1:3], "little"), info=payload[9:])
        if self.form == "prepare":
            return self._prepared(payload)
        if self._wanted < 0:
            if first == 0:
                return self._ok(payload)
            if first > 100:
                raise Broken(f"a reply that begins with {first}")
            self._wanted = 1 + first + (0 if self._deprecated else 1)
            return None
        if len(self._payloads) <= self._wanted or first != 0xFE or len(payload) > 60:
            return None
        width = self._payloads[0][0]
        status = int.from_bytes(payload[3:5], "little")
        skip = 1 + (width + 9) // 8 if self.form == "binary" else 0
        found = [_values(row[skip:], width) for row in self._payloads[self._wanted : -1]]
        return Result(status=status, rows=found, is_rows=True)

    def _prepared(self, payload: bytes) -> Result | None:
        if self._wanted < 0:
            if payload[0] or len(payload) != 12:
                raise Broken(f"{payload!r} in answer to COM_STMT_PREPARE")
            counts = struct.unpack_from("<HH", payload, 5)
            self._wanted = 1 + sum(count + (not self._deprecated) for count in counts if count)
        if len(self._payloads) < self._wanted:
            return None
        return Result(prepared=int.from_bytes(self._payloads[0][1:5], "little"))

    def _ok(self, payload: bytes) -> Result:
        status = int.from_bytes(payload[3:5], "little")
        info = payload[7:]
        if status & STATE_CHANGED and not self._tracks:
            raise Broken("session state for a client that did not ask")
        if info:
            info = info[1 : 1 + info[0]]
        return Result(info=info, status=status)


def _values(row: bytes, width: int) -> list[bytes]:
    found, at = [], 0
    for _ in range(width):
        if at >= len(row):
            raise Broken("a row that is too short")
        size, at = row[at], at + 1
        if size == 0xFC:
            size, at = int.from_bytes(row[at : at + 2], "little"), at + 2
        found.append(row[at : at + size])
        at += size
    if at != len(row):
        raise Broken("a row that is too long")
    return found
