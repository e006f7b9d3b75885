"""Small result sets: built for the router's own answers, read from the router's own questions.

Pages "Text Resultset" and "Binary Protocol Resultset" of the MySQL source documentation.
Result sets of clients are never read or built: they flow.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rwrouter.protocol.flags import (
    CLIENT_DEPRECATE_EOF,
    CLIENT_OPTIONAL_RESULTSET_METADATA,
    MARIADB_CLIENT_EXTENDED_METADATA,
    SERVER_STATUS_AUTOCOMMIT,
)
from rwrouter.protocol.framing import HEADER_SIZE, frames, split
from rwrouter.protocol.tracking import parse_ok

_VAR_STRING: Final = 0xFD
_LONGLONG: Final = 0x08
_UTF8MB4: Final = 45
_BINARY: Final = 63
_NOT_NULL: Final = 1
_BINARY_FLAG: Final = 128


def _lenenc(text: bytes) -> bytes:
    size = len(text)
    if size < 0xFB:
        return bytes((size,)) + text
    if size < 1 << 16:
        return b"\xfc" + size.to_bytes(2, "little") + text
    return b"\xfd" + size.to_bytes(3, "little") + text


class Heading(NamedTuple):
    """A column of the router's own: its name, whether it holds numbers (LONGLONG), else texts, and NULLs."""

    name: str
    is_number: bool = False
    has_nulls: bool = False


class Encoding(NamedTuple):
    """How texts are written: *collation* is the id that columns name, *codec* Python's name for it."""

    collation: int = _UTF8MB4
    codec: str = "utf-8"

    def encode(self, text: str) -> bytes:
        """Return *text* in these bytes; what the character set lacks becomes a question mark."""
        return text.encode(self.codec, "replace")


UTF8MB4: Final = Encoding()

Row = Sequence[str | int | None]


def _definition(column: Heading, encoding: Encoding, *, extended: bool) -> bytes:
    title = _lenenc(encoding.encode(column.name))
    collation = _BINARY if column.is_number else encoding.collation
    fixed = collation.to_bytes(2, "little") + (1024).to_bytes(4, "little")
    kind = _LONGLONG if column.is_number else _VAR_STRING
    flags = (_BINARY_FLAG if column.is_number else 0) | (0 if column.has_nulls else _NOT_NULL)
    described = fixed + bytes((kind,)) + flags.to_bytes(2, "little") + b"\x00\x00\x00"
    more = b"\x00" if extended else b""  # MariaDB's names of types of plugins: none
    return b"\x03def\x00\x00\x00" + title + b"\x00" + more + b"\x0c" + described


def definitions(
    columns: Sequence[Heading], capabilities: int, *, status: int, encoding: Encoding = UTF8MB4
) -> list[bytes]:
    """Return the payloads that describe *columns*, and the EOF after them where the client expects one."""
    extended = bool(capabilities & MARIADB_CLIENT_EXTENDED_METADATA)
    payloads = [_definition(column, encoding, extended=extended) for column in columns]
    if not capabilities & CLIENT_DEPRECATE_EOF:
        payloads.append(b"\xfe\x00\x00" + status.to_bytes(2, "little"))
    return payloads


def build_result(
    columns: Sequence[Heading],
    rows: Sequence[Row],
    capabilities: int,
    *,
    status: int,
    encoding: Encoding = UTF8MB4,
    binary: bool = False,
) -> bytes:
    """Return a whole result set, as packets. *binary*: the reply to a COM_STMT_EXECUTE ("Binary Resultset")."""
    row_of = _binary_row if binary else _text_row
    count = bytes((len(columns),))
    payloads = [count + b"\x01" if capabilities & CLIENT_OPTIONAL_RESULTSET_METADATA else count]
    payloads += definitions(columns, capabilities, status=status, encoding=encoding)
    payloads += [row_of(columns, row, encoding) for row in rows]
    end = b"\xfe\x00\x00" + status.to_bytes(2, "little")
    payloads.append(end + b"\x00\x00" if capabilities & CLIENT_DEPRECATE_EOF else end)
    return frames(payloads, 1)


def build_ok(status: int) -> bytes:
    """Return an OK packet that reports nothing but *status*."""
    return frames([b"\x00\x00\x00" + status.to_bytes(2, "little") + b"\x00\x00"], 1)


def build_text_result(
    columns: Sequence[str],
    rows: Sequence[Row],
    capabilities: int,
    *,
    status: int = SERVER_STATUS_AUTOCOMMIT,
) -> bytes:
    """Return a whole text result set. A column whose first value is an int is a number."""
    kinds = [
        Heading(name, bool(rows) and isinstance(rows[0][index], int)) for index, name in enumerate(columns)
    ]
    return build_result(kinds, rows, capabilities, status=status)


def _text_row(_columns: Sequence[Heading], row: Row, encoding: Encoding) -> bytes:
    return b"".join(b"\xfb" if value is None else _lenenc(encoding.encode(str(value))) for value in row)


def _binary_row(columns: Sequence[Heading], row: Row, encoding: Encoding) -> bytes:
    nulls = bytearray((len(columns) + 9) // 8)  # the first two bits are not used
    values = []
    for index, (column, value) in enumerate(zip(columns, row, strict=True), 2):
        if value is None:
            nulls[index // 8] |= 1 << index % 8
        elif column.is_number:
            values.append(int(value).to_bytes(8, "little", signed=True))
        else:
            values.append(_lenenc(encoding.encode(str(value))))
    return b"\x00" + bytes(nulls) + b"".join(values)


def with_status(reply: bytes, status: int, mask: int) -> bytes:
    """Return *reply* with those status flags that are in *mask* as in *status*, in each EOF packet and the last OK.

    It is a whole one, of binary rows, of a COM_STMT_PREPARE, or an OK. An ERR packet has no flags.
    """
    packets = split(reply)
    for index, packet in enumerate(packets):
        first, at = packet[HEADER_SIZE : HEADER_SIZE + 1], 0
        if first == b"\xfe" and len(packet) == HEADER_SIZE + 5:
            at = HEADER_SIZE + 3
        elif first == b"\xfe" or (first == b"\x00" and len(packets) == 1):
            ok = parse_ok(packet, HEADER_SIZE, len(packet), tracks=False)
            at = ok.status_at if ok is not None else 0
        if at:
            flags = int.from_bytes(packet[at : at + 2], "little") & ~mask | status & mask
            packets[index] = packet[:at] + flags.to_bytes(2, "little") + packet[at + 2 :]
    return b"".join(packets)


def first_number(reply: bytes, capabilities: int) -> int | None:
    """Return the only value of a result set of one row and one column, text or binary; -1 for NULL.

    None for any other reply, and where not all of it is in *reply*. The value is an integer of any width.
    """
    payloads = []
    pos = 0
    while pos + 4 <= len(reply):
        length = int.from_bytes(reply[pos : pos + 3], "little")
        payloads.append(reply[pos + 4 : pos + 4 + length])
        pos += 4 + length
    if not payloads or payloads[0] not in {b"\x01", b"\x01\x00", b"\x01\x01"}:
        return None
    first = _first_row(payloads[0], capabilities)
    if pos != len(reply) or len(payloads) != first + 2:
        return None
    row = payloads[first]
    if row in {b"\xfb", b"\x00\x04"}:
        return -1
    if row[:1] == b"\x00" and len(row) > 2:  # binary: header, bitmap of NULLs, value
        return int.from_bytes(row[2:], "little", signed=True)
    return int(row[1:]) if row[1:].isdigit() else None


def _first_row(head: bytes, capabilities: int) -> int:
    """Return which packet of a result set is its first row; *head* is its first packet.

    With CLIENT_OPTIONAL_RESULTSET_METADATA a byte behind the column count is 0 where no definitions follow, though the
    EOF after them does (seen on 9.7.4).
    """
    bare = capabilities & CLIENT_OPTIONAL_RESULTSET_METADATA and head[-1] == 0
    return 1 + (0 if bare else head[0]) + (0 if capabilities & CLIENT_DEPRECATE_EOF else 1)


class Column(NamedTuple):
    """What a column definition says of its values: one of the protocol's types, flags, and the longest in bytes."""

    kind: int
    flags: int
    length: int = 0


def read_text_result(reply: bytes, capabilities: int) -> tuple[list[Column], list[list[bytes | None]]]:
    """Return columns and rows of a text result set of a question of the router's own; none where it is no result.

    Nor where its columns are not described: what their values mean is not known then.
    """
    payloads = [packet[HEADER_SIZE:] for packet in split(reply)]
    if not payloads or payloads[0][:1] in {b"\x00", b"\xff"}:
        return [], []
    count = payloads[0][0]
    first = _first_row(payloads[0], capabilities)
    if first - (0 if capabilities & CLIENT_DEPRECATE_EOF else 1) < 1 + count:
        return [], []
    columns = []
    for payload in payloads[1 : count + 1]:
        at = 0
        for _ in range(6):  # catalog, schema, table, original table, name, original name
            at += 1 + payload[at]
        if capabilities & MARIADB_CLIENT_EXTENDED_METADATA:
            at += 1 + payload[at]
        fixed = payload[at + 1 :]
        flags, length = int.from_bytes(fixed[7:9], "little"), int.from_bytes(fixed[2:6], "little")
        columns.append(Column(fixed[6], flags, length))
    return columns, [_row(payload, count) for payload in payloads[first:-1]]


def _row(payload: bytes, count: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    at = 0
    for _ in range(count):
        size = payload[at]
        at += 1
        if size == 0xFB:
            values.append(None)
            continue
        if size > 0xFB:
            width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[size]
            size = int.from_bytes(payload[at : at + width], "little")
            at += width
        values.append(payload[at : at + size])
        at += size
    return values


def first_value(reply: bytes, capabilities: int) -> bytes | None:
    """Return the first column of the first row of a text result set; None for NULL, or where there is no row."""
    payloads = [packet[HEADER_SIZE:] for packet in split(reply)]
    if not payloads or payloads[0][:1] in {b"\x00", b"\xff"}:
        return None
    at = _first_row(payloads[0], capabilities)
    if at >= len(payloads) - 1:
        return None
    row = payloads[at]
    size, start = row[0], 1
    if size == 0xFB:
        return None
    if size > 0xFB:  # a length of 2 or 3 bytes follows; one of 8 is no small result
        start = 3 if size == 0xFC else 4
        size = int.from_bytes(row[1:start], "little")
    return row[start : start + size]
