"""Inputs to begin with: what is right, of each kind, because random bytes seldom get past a first check."""

import zlib
from pathlib import Path
from typing import Final

from rwrouter.protocol import flags, packets, proxy_header
from rwrouter.protocol.auth import NATIVE
from rwrouter.protocol.framing import frame, frames
from rwrouter.protocol.packets import HandshakeResponse
from rwrouter.protocol.resultset import build_text_result
from tests.routing_cases import CASES
from tests.unit.protocol import conversation

FOUND: Final = Path(__file__).parent / "found"
"""Inputs that once broke a target: `TARGET-name`, kept for ever."""

OK: Final = bytes.fromhex("0001020240000000") + b"\x00" + b"\x08\x00\x06\x09time_z" + b"\x01\x06\x05other"
COLUMN: Final = b"\x03def\x00\x00\x00\x01a\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x81\x00\x00\x00\x00"
EOF: Final = b"\xfe\x00\x00\x02\x00"


def _response() -> bytes:
    made = HandshakeResponse(
        conversation.WANTED, 45, "app", b"x" * 20, "shop", NATIVE, {b"a": b"b"}, 1 << 24, 3
    )
    return frame(packets.build_response(made), 1)


def _replies() -> list[bytes]:
    text = build_text_result(["a", "b"], [[1, "x"], [2, None]], 0)
    modern = build_text_result(["a"], [[1]], flags.CLIENT_DEPRECATE_EOF)
    prepared = frames([bytes.fromhex("000100000001000100000000"), COLUMN, EOF, COLUMN, EOF], 1)
    several = frames([b"\x01", COLUMN, b"\xfe\x00\x00\x0a\x10", b"\x00\x00\x02", EOF, OK], 1)
    return [
        text,
        modern,
        prepared,
        several,
        frame(OK, 1),
        frame(b"\xff\x7a\x04#42S02no", 1),
        frame(b"\xfb/x", 1),
    ]


def seeds(target: str) -> list[bytes]:
    """Return the inputs of *target*."""
    found = [path.read_bytes() for path in sorted(FOUND.glob(f"{target}-*"))]
    hows = [bytes((how, 20)) for how in (0, 1, 3, 5, 9, 21, 28)]
    if target == "reply":
        made = [how + data for how in hows for data in _replies()]
    elif target == "classifier":
        texts = [case.sql if isinstance(case.sql, bytes) else case.sql.encode() for case in CASES]
        made = [b"\x00" + text for text in texts if len(text) < 400]
    elif target == "server_handshake":
        made = [how + _response() + frame(b"secret\0", 3) for how in hows]
    elif target == "client_handshake":
        greeting = conversation.server().data_to_send()
        switch = frame(b"\xfemysql_native_password\0" + conversation.SCRAMBLE + b"\0", 2)
        made = [how + data for how in hows for data in (greeting, greeting + switch, frame(OK, 2), switch)]
    elif target == "statements":
        execute = bytes.fromhex("0700000000010000000001080007000000000000000000")
        made = [
            how[:1] + data
            for how in hows
            for data in (execute, b"\x01\x01\x00\x01\xfe\x00\x01n\x01vSELECT 1")
        ]
    elif target == "compression":
        packed = zlib.compress(b"SELECT " + b"x" * 200)
        made = [
            b"\x00\x09" + len(packed).to_bytes(3, "little") + b"\x00" + (207).to_bytes(3, "little") + packed
        ]
    elif target == "proxy":
        made = [
            b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 3306\r\n\x20\x00\x00\x01",
            b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n",
            b"PROXY UNKNOWN\r\n",
            proxy_header.build(("192.0.2.1", 1), ("192.0.2.2", 3306)) + b"\x20\x00\x00\x01",
            proxy_header.build(("2001:db8::1", 1), ("2001:db8::2", 3306)),
            proxy_header.build(None, None),
        ]
    elif target == "gtid":
        made = [b"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:11:tag:7-9,\n0-1-270", b"0-1-270,1-2-3"]
    else:
        made = [b"\x05\x05" + data for data in _replies()] + [frame(OK, 1)]
    return found + made
