"""Connection ids in results: a server's own, in the place of which clients are told the router's.

The first column of `SELECT CONNECTION_ID()` and `SHOW PROCESSLIST` is an integer: text in the text protocol, a binary
value of its type's width in the binary one ("Binary Protocol Resultset Row").
"""

from collections.abc import Mapping
from typing import Final

from rwrouter.protocol.flags import CLIENT_DEPRECATE_EOF, CLIENT_OPTIONAL_RESULTSET_METADATA
from rwrouter.protocol.framing import split

_WIDTHS: Final = {0x03: 4, 0x08: 8}  # LONG, LONGLONG
_BIGGEST: Final = 0xFFFFFF


def renumber(reply: bytes, ids: Mapping[int, int], capabilities: int, *, binary: bool) -> bytes:
    """Return *reply*, whole, with each id in the first column that *ids* has replaced by what it has for it.

    *capabilities* are those agreed on the connection. A reply that is no single result set comes back as it is.
    """
    packets = split(reply)
    if not packets or len(packets[0]) < 5:
        return reply
    columns = packets[0][4]
    described = not capabilities & CLIENT_OPTIONAL_RESULTSET_METADATA or packets[0][5:6] == b"\x01"
    first_row = 1 + columns * described + (not capabilities & CLIENT_DEPRECATE_EOF)
    if not 0 < columns < 0xFB or not described or len(packets) <= first_row:
        return reply
    width = _WIDTHS.get(_type_of(packets[1]), 0)
    at = 5 + (columns + 9) // 8  # of the first value of a binary row
    for index in range(first_row, len(packets) - 1):
        packet = packets[index]
        if len(packet) < at:
            continue
        if binary:
            told = ids.get(int.from_bytes(packet[at : at + width], "little")) if width else None
            if told is not None:
                packets[index] = packet[:at] + told.to_bytes(width, "little") + packet[at + width :]
            continue
        size = packet[4]
        text = packet[5 : 5 + size]
        told = ids.get(int(text)) if size < 0xFB and text.isdigit() else None
        if told is not None:
            value = str(told).encode()
            payload = bytes((len(value),)) + value + packet[5 + size :]
            if len(payload) < _BIGGEST:
                packets[index] = len(payload).to_bytes(3, "little") + packet[3:4] + payload
    return b"".join(packets)


def _type_of(definition: bytes) -> int:
    """Return the type in a column definition: it is six bytes before its end, behind it flags, decimals, a filler."""
    return definition[-6] if len(definition) > 16 else -1
