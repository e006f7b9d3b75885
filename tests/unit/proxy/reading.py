"""Reads result sets as a client does, by PyMySQL's own code, from bytes of the stage."""

from typing import Any

from pymysql.protocol import MysqlPacket

from rwrouter.protocol.flags import CLIENT_DEPRECATE_EOF


def payloads_of(data: bytes) -> list[bytes]:
    """Cut *data* into the payloads of its packets."""
    found = []
    while data:
        size = int.from_bytes(data[:3], "little")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def _packet(payload: bytes) -> Any:
    return MysqlPacket(payload, "utf8")


def rows_of(data: bytes, capabilities: int) -> list[tuple[str | None, ...]]:
    """Return the rows of a text result set, as texts."""
    payloads = payloads_of(data)
    assert payloads[0][:1] != b"\xff", payloads[0]
    columns = payloads[0][0]
    first = 1 + columns + (0 if capabilities & CLIENT_DEPRECATE_EOF else 1)
    rows = []
    for payload in payloads[first:-1]:
        packet = _packet(payload)
        row = [packet.read_length_coded_string() for _ in range(columns)]
        rows.append(tuple(None if value is None else value.decode() for value in row))
    return rows


def items_of(data: bytes, capabilities: int) -> dict[str, str]:
    """Return a result of items and values."""
    return {str(row[0]): str(row[1]) for row in rows_of(data, capabilities)}
