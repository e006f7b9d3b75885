"""Prepared statements: the router's ids for clients, each server's own, and the packets between.

Pages "COM_STMT_PREPARE", "COM_STMT_EXECUTE" and "COM_QUERY" of the MySQL source documentation. A client has one
number for a statement; each connection to a server that has prepared it has another, and it is prepared on a
connection only where it is executed. All these commands carry the number at the same place:

    int<3> length, int<1> sequence id, int<1> command, int<4> statement id, ...
"""

from typing import Final

ID_AT: Final = 5
LAST_PREPARED: Final = 0xFFFFFFFF  # MariaDB: "the statement that was prepared last"
CURSOR_READ_ONLY: Final = 1  # flag of COM_STMT_EXECUTE
PARAMETER_COUNT_AVAILABLE: Final = 8  # flag of COM_STMT_EXECUTE, with CLIENT_QUERY_ATTRIBUTES
SEND_TYPES: Final = 128  # flag of COM_STMT_BULK_EXECUTE

_FIXED: Final = {  # lengths of binary values by type: "Binary Protocol Value"
    0x01: 1,  # TINY
    0x02: 2,  # SHORT
    0x0D: 2,  # YEAR
    0x03: 4,  # LONG
    0x09: 4,  # INT24
    0x04: 4,  # FLOAT
    0x08: 8,  # LONGLONG
    0x05: 8,  # DOUBLE
    0x06: 0,  # NULL
}
_TIMES: Final = {0x07, 0x0A, 0x0B, 0x0C}  # their length comes first, in one byte


class Statement:
    """One prepared statement of a client. *types*: those of its parameters that it sent last, two bytes for each."""

    __slots__ = ("has_long_data", "number", "parameters", "sql", "types")

    def __init__(self, number: int, sql: bytes) -> None:
        self.number = number
        self.sql = sql
        self.parameters = 0
        self.types = b""
        self.has_long_data = False  # COM_STMT_SEND_LONG_DATA has gone to the connection that must execute it


class Prepared:
    """A statement on one connection to a server: the server's id, and the types that it was told."""

    __slots__ = ("server_id", "types")

    def __init__(self, server_id: int) -> None:
        self.server_id = server_id
        self.types = b""


def statement_id(packet: bytes) -> int:
    """Return the statement id of a COM_STMT_* packet, as the client knows it; -1 where the packet is too short."""
    return int.from_bytes(packet[ID_AT : ID_AT + 4], "little") if len(packet) >= ID_AT + 4 else -1


def with_id(packet: bytes, server_id: int) -> bytes:
    """Return *packet* with the statement id of a server."""
    return packet[:ID_AT] + server_id.to_bytes(4, "little") + packet[ID_AT + 4 :]


def _lenenc(data: bytes, pos: int) -> tuple[int, int]:
    first = data[pos]
    if first < 0xFB:
        return first, pos + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(data[pos + 1 : pos + 1 + width], "little"), pos + 1 + width


def translate(packet: bytes, statement: Statement, prepared: Prepared, *, attributes: bool) -> bytes:
    """Return a COM_STMT_EXECUTE for the server that knows *statement* as *prepared*.

    A client sends its parameter types with the first execution alone; a connection that has not seen them gets those
    that were remembered (a server without them would bind NULLs). *attributes*: CLIENT_QUERY_ATTRIBUTES was agreed;
    attributes of one execution stand behind its parameters, with names, and are not remembered by servers.
    What can't be read is passed on as it is: the server's error is the right one.
    """
    out = with_id(packet, prepared.server_id)
    try:
        named = attributes and packet[9] & PARAMETER_COUNT_AVAILABLE
        pos, count = 14, statement.parameters
        if named:
            count, pos = _lenenc(packet, pos)
        if not count:
            return out
        bound_at = pos + (count + 7) // 8
        if packet[bound_at] == 1:
            at = bound_at + 1
            if named:
                types = b""
                for _ in range(statement.parameters):
                    types += packet[at : at + 2]
                    size, at = _lenenc(packet, at + 2)
                    at += size
            else:
                types = packet[at : at + 2 * count]
            prepared.types = statement.types = types
            return out
    except (IndexError, KeyError):
        return out
    types = statement.types
    if prepared.types is types or count != statement.parameters or len(types) != 2 * count:
        return out
    prepared.types = types
    if named:
        types = b"".join(types[at : at + 2] + b"\0" for at in range(0, len(types), 2))
    payload = out[4:bound_at] + b"\x01" + types + out[bound_at + 1 :]
    if len(payload) >= 0xFFFFFF:  # a packet more would be needed; the client can send its types again
        return out
    return len(payload).to_bytes(3, "little") + b"\x00" + payload


def translate_bulk(packet: bytes, statement: Statement, prepared: Prepared) -> bytes:
    """Return MariaDB's COM_STMT_BULK_EXECUTE for the server that knows *statement* as *prepared*.

    int<4> statement id, int<2> flags, with SEND_TYPES int<2> type for each parameter, then rows. Types that a
    connection has not seen are put in, as in `translate`.
    """
    out = with_id(packet, prepared.server_id)
    flags = int.from_bytes(packet[9:11], "little")
    if flags & SEND_TYPES:
        prepared.types = statement.types = packet[11 : 11 + 2 * statement.parameters]
        return out
    if prepared.types is statement.types or not statement.types:
        return out
    prepared.types = statement.types
    payload = out[4:9] + (flags | SEND_TYPES).to_bytes(2, "little") + statement.types + out[11:]
    if len(payload) >= 0xFFFFFF:
        return out
    return len(payload).to_bytes(3, "little") + b"\x00" + payload


def sql_of_query(packet: bytes) -> bytes | None:
    """Return the SQL text of a COM_QUERY packet with query attributes; None where they can't be read.

    The text comes after

        int<lenenc> parameter_count, int<lenenc> parameter_set_count (1)
        if parameter_count: null bitmap, int<1> new_params_bind_flag (1), (int<2> type, string<lenenc> name)..., values
    """
    if packet[5:7] == b"\x00\x01":  # no attributes: what nearly every statement has
        return packet[7:]
    try:
        count, pos = _lenenc(packet, 5)
        sets, pos = _lenenc(packet, pos)
        if sets != 1:
            return None
        if not count:
            return packet[pos:]
        nulls = packet[pos : pos + (count + 7) // 8]
        pos += len(nulls)
        if packet[pos] != 1:
            return None
        pos += 1
        kinds = []
        for _ in range(count):
            kinds.append(packet[pos])
            size, pos = _lenenc(packet, pos + 2)
            pos += size
        for index, kind in enumerate(kinds):
            if nulls[index // 8] >> index % 8 & 1:
                continue
            if kind in _FIXED:
                pos += _FIXED[kind]
            elif kind in _TIMES:
                pos += 1 + packet[pos]
            else:
                size, pos = _lenenc(packet, pos)
                pos += size
    except (IndexError, KeyError):
        return None
    return packet[pos:] if pos <= len(packet) else None
