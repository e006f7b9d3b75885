"""What of the replies is compared: all, but for what must differ, and what is known to and harms nobody."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rwrouter.protocol.flags import SERVER_SESSION_STATE_CHANGED, SESSION_TRACK_GTIDS, SESSION_TRACK_SCHEMA
from tests.differential.wire import Packet, lenenc, status_at, status_of

DIRECT, ROUTED = "diff_of_d", "diff_of_r"
"""Equally long, so that what holds them is, too; and alike but for the end, which errors cut off."""

_STATEMENT_ID: Final = re.compile(rb"(Unknown prepared statement handler \(|The statement \()\d+")

_NUMBER: Final = re.compile(rb"(\x0cstatement_id|\x09last_gtid).[\d,-]*", re.DOTALL)
"""Variables that count what all sessions do."""

_NOT_LOCKED: Final = (1099).to_bytes(2, "little"), (1100).to_bytes(2, "little")
"""Which of the two a child of a locked table gets depends on what the server has in its cache of tables (MySQL)."""

_ROW_OF_NO_COLUMN: Final = re.compile(rb"(column ``.``.`\w+` at row )\d+")
"""MariaDB tells of a parameter of a procedure the row that an earlier statement on the connection has counted to."""


class View:
    """Looks at the replies of one side, whose schema is *schema*.

    *exact*: what is known to differ, and harmless, is compared, too: a row of the regression table may be just that.
    *is_old*: the client has session tracking, and EOF packets.
    """

    def __init__(self, schema: str, *, exact: bool, is_old: bool) -> None:
        self._schema = schema.encode()
        self._exact = exact
        self._is_old = is_old
        self._told = b""  # the schema that the server has told of last

    def of(self, reply: Sequence[Packet]) -> list[Packet]:
        """Return what of *reply* is compared."""
        return [self._one(packet) for packet in reply]

    def _one(self, packet: Packet) -> Packet:
        payload = packet.payload.replace(self._schema, DIRECT.encode())
        if packet.kind == "prepared":
            payload = payload[:1] + bytes(4) + payload[5:]
        elif packet.kind == "ok":
            payload = self._ok(payload)
        elif packet.kind == "err":
            payload = _STATEMENT_ID.sub(rb"\1N", payload)
            if not self._exact:
                payload = _ROW_OF_NO_COLUMN.sub(rb"\1N", payload)
                payload = b"not locked" if payload[1:3] in _NOT_LOCKED else payload
        elif packet.kind == "row":
            payload = _STATEMENT_ID.sub(rb"\1N", payload)  # of SHOW WARNINGS
        elif packet.kind == "lost":
            payload = b""
        elif packet.kind == "eof" and not self._exact:
            # It has no room for what has changed, and the router can't know what of that only its trackers tell.
            payload = payload[:4] + bytes((payload[4] & ~(SERVER_SESSION_STATE_CHANGED >> 8),))
        return replace(packet, payload=payload)

    def _ok(self, payload: bytes) -> bytes:
        """Return an OK packet with the blocks of its session state sorted: servers report variables in no order."""
        at = status_at(payload)
        status = status_of(payload)
        if not status & SERVER_SESSION_STATE_CHANGED or len(payload) <= at + 4:
            return payload
        size, pos = lenenc(payload, at + 4)
        info = payload[at + 4 : pos + size]
        pos += size
        size, pos = lenenc(payload, pos) if pos < len(payload) else (0, pos)
        blocks = []
        while pos < len(payload):
            first = pos
            size, pos = lenenc(payload, pos + 1)
            number = (
                b""
                if payload[first] == SESSION_TRACK_GTIDS
                else _NUMBER.sub(rb"\1", payload[pos : pos + size])
            )
            pos += size
            block = payload[first : first + 1] + number
            if block[0] == SESSION_TRACK_SCHEMA:
                # With its state tracker on, MariaDB tells again where the session is, behind an EOF.
                if block == self._told and not self._exact:
                    continue
                self._told = block
            blocks.append(block)
        state = b"".join(sorted(blocks))
        if not state and not self._exact and (self._is_old or self._told):
            # Where an EOF had no room for what only the router asks servers to tell, the next OK has an empty block.
            status &= ~SERVER_SESSION_STATE_CHANGED
            info = info if len(info) > 1 else b""
        return payload[:at] + status.to_bytes(2, "little") + payload[at + 2 : at + 4] + info + state
