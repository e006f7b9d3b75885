"""Where the replies of two sessions differ, in words."""

from itertools import zip_longest
from typing import Final

from rwrouter.protocol import flags
from tests.differential.wire import Packet, lenenc, status_of

_STATUS: Final = {
    value: name.removeprefix("SERVER_")
    for name, value in vars(flags).items()
    if name.startswith("SERVER_") and isinstance(value, int)
}


def difference(direct: list[Packet], routed: list[Packet]) -> str:
    """Return the first packets that differ, of both; "" where all are equal."""
    if direct == routed:
        return ""
    for index, (left, right) in enumerate(zip_longest(direct, routed)):
        if left != right:
            return f"packet {index + 1}:\n  direct: {shown(left)}\n  routed: {shown(right)}"
    return ""


def shown(packet: Packet | None) -> str:
    """Return a packet as people read it."""
    if packet is None:
        return "none"
    kind, payload = packet.kind, packet.payload
    if kind == "err":
        return f"ERR {int.from_bytes(payload[1:3], 'little')} {payload[3:].decode('utf-8', 'replace')}"
    if kind == "eof":
        return f"EOF warnings={payload[1] | payload[2] << 8} {_flags(status_of(payload))}"
    if kind == "ok":
        affected, pos = lenenc(payload, 1)
        insert_id, pos = lenenc(payload, pos)
        warnings = payload[pos + 2] | payload[pos + 3] << 8
        status = _flags(status_of(payload))
        rest = payload[pos + 4 :][:300]
        return f"OK affected={affected} id={insert_id} warnings={warnings} {status} rest={rest!r}"
    return f"{kind} {payload[:300]!r}"


def _flags(status: int) -> str:
    names = [name for value, name in _STATUS.items() if status & value]
    left = status & ~sum(_STATUS)
    return "|".join([*names, *([hex(left)] if left else [])]) or "0"
