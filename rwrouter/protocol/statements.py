"""What commands carry beside their name: the text of a COM_QUERY behind its query attributes.

Page "COM_QUERY" of the MySQL source documentation: with CLIENT_QUERY_ATTRIBUTES the text comes after

    int<lenenc> parameter_count, int<lenenc> parameter_set_count (1)
    if parameter_count: null bitmap, int<1> new_params_bind_flag (1), (int<2> type, string<lenenc> name)..., values
"""

from typing import Final

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


def _lenenc(data: bytes, pos: int) -> tuple[int, int]:
    first = data[pos]
    if first < 0xFB:
        return first, pos + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(data[pos + 1 : pos + 1 + width], "little"), pos + 1 + width


def sql_of_query(packet: bytes) -> bytes | None:
    """Return the SQL text of a COM_QUERY packet with query attributes; None where they can't be read."""
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
