"""What of the replies is compared: all, but for what must differ, and what is known to and harms nobody."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rwrouter.model import Flavor
from rwrouter.protocol.flags import (
    SERVER_QUERY_NO_GOOD_INDEX_USED,
    SERVER_QUERY_NO_INDEX_USED,
    SERVER_SESSION_STATE_CHANGED,
    SESSION_TRACK_GTIDS,
    SESSION_TRACK_SCHEMA,
    SESSION_TRACK_STATE_CHANGE,
    SESSION_TRACK_TRANSACTION_CHARACTERISTICS,
    SESSION_TRACK_TRANSACTION_STATE,
)
from tests.differential.wire import Packet, lenenc, status_at, status_of

DIRECT, ROUTED = "diff_of_d", "diff_of_r"
"""Equally long, so that what holds them is, too; and alike but for the end, which errors cut off."""

_STATEMENT_ID: Final = re.compile(rb"(Unknown prepared statement handler \(|The statement \()\d+")

_NUMBER: Final = re.compile(rb"(\x0cstatement_id|\x09last_gtid).[\d,-]*", re.DOTALL)
"""Variables that count what all sessions do."""

_NOT_LOCKED: Final = (1099).to_bytes(2, "little"), (1100).to_bytes(2, "little")
"""Which of the two a child of a locked table gets depends on what the server has in its cache of tables (MySQL)."""

_ROW_OF_A_PARAMETER: Final = re.compile(rb"(for column '?[\w`.]+'? at row )\d+")
"""MariaDB tells of a parameter of a procedure the row that an earlier statement on the connection has counted to."""

_METADATA_CHANGED: Final = 0x400
"""Prepared anew, for other columns than at its preparation: a server that prepares it only then has nothing to tell."""

_OF_TRANSACTIONS: Final = frozenset(
    {SESSION_TRACK_TRANSACTION_CHARACTERISTICS, SESSION_TRACK_TRANSACTION_STATE}
)
_DISTURBED: Final = {
    Flavor.MYSQL: _OF_TRANSACTIONS | {SESSION_TRACK_SCHEMA},
    Flavor.MARIADB: _OF_TRANSACTIONS | {SESSION_TRACK_SCHEMA, SESSION_TRACK_STATE_CHANGE},
}
"""What the router's own statements in a transaction, and what it tracks itself (MariaDB: last_gtid), have a part in.
Where the session is, servers tell again behind an EOF that had no room for it, or behind a routine of another schema,
with the next OK: that may be one to the router, and with the state tracker on MariaDB does so later. USE is in
regressions.py, where all is compared."""

_PLAN: Final = SERVER_QUERY_NO_INDEX_USED | SERVER_QUERY_NO_GOOD_INDEX_USED
"""What the optimizer chose depends on its statistics of the two schemas, too."""

_UTF8MB4: Final = {45, 46, *range(224, 248), *range(255, 324)}
_LATIN1: Final = {5, 8, 15, 31, 47, 48, 49, 94}
_DEFAULTS: Final = {
    number.to_bytes(2, "little"): default.to_bytes(2, "little")
    for default, numbers in ((45, _UTF8MB4), (8, _LATIN1))
    for number in numbers
}
"""Definitions name the collation of SET NAMES … COLLATE, or of later SETs: the character set is the same."""


class View:
    """Looks at the replies of one side, whose schema is *schema*.

    *exact*: what is known to differ, and harmless, is compared, too: a row of the regression table may be just that.
    """

    def __init__(self, schema: str, flavor: Flavor, *, exact: bool) -> None:
        self._schema = schema.encode()
        self._exact = exact
        self._untold = frozenset[int]() if exact else _DISTURBED[flavor]

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
                payload = _ROW_OF_A_PARAMETER.sub(rb"\1N", payload)
                payload = b"not locked" if payload[1:3] in _NOT_LOCKED else payload
        elif packet.kind == "row":
            payload = (
                b"" if _STATEMENT_ID.search(payload) else payload
            )  # of SHOW WARNINGS: its length differs, too
        elif packet.kind == "lost":
            payload = b""
        elif packet.kind == "eof" and not self._exact:
            # It has no room for what has changed, and the router can't know what of that only its trackers tell.
            status = status_of(payload) & ~(SERVER_SESSION_STATE_CHANGED | _METADATA_CHANGED | _PLAN)
            payload = payload[:3] + status.to_bytes(2, "little")
        elif packet.kind == "column" and not self._exact:
            at = payload.rfind(b"\x0c")
            at = at + 1 if len(payload) - at == 13 else len(payload) - 12
            charset = payload[at : at + 2]
            payload = payload[:at] + _DEFAULTS.get(charset, charset) + payload[at + 2 :]
        return replace(packet, payload=payload)

    def _ok(self, payload: bytes) -> bytes:
        """Return an OK packet with the blocks of its session state sorted: servers report variables in no order."""
        at = status_at(payload)
        status = status_of(payload)
        if not self._exact:
            status &= ~(_METADATA_CHANGED | _PLAN)
            payload = payload[:at] + status.to_bytes(2, "little") + payload[at + 2 :]
        if not status & SERVER_SESSION_STATE_CHANGED or len(payload) <= at + 4:
            return payload
        size, pos = lenenc(payload, at + 4)
        info = payload[at + 4 : pos + size]
        pos += size
        size, pos = lenenc(payload, pos) if pos < len(payload) else (0, pos)
        blocks = []
        while pos < len(payload):
            kind = payload[pos]
            size, pos = lenenc(payload, pos + 1)
            value = payload[pos : pos + size]
            pos += size
            if kind == SESSION_TRACK_GTIDS:
                value = b""
            elif kind in self._untold:
                continue
            blocks.append(bytes((kind,)) + _NUMBER.sub(rb"\1", value))
        state = b"".join(sorted(blocks))
        if not state and not self._exact:
            # MySQL tells that something has changed, and nothing of what, where a statement ends a transaction and
            # begins another, and behind an EOF that had no room for what only the router asks servers to tell.
            status &= ~SERVER_SESSION_STATE_CHANGED
            info = info if len(info) > 1 else b""
        return payload[:at] + status.to_bytes(2, "little") + payload[at + 2 : at + 4] + info + state
