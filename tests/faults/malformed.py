"""What no real server can be made to send: bytes for a server that misbehaves, by what they break."""

import time
from collections.abc import Callable
from typing import Final

from rwrouter.protocol.framing import frame, frames
from tests.faults.misbehaving import Fault, Link

COUNT: Final = b"\x01"
COLUMN: Final = b"\x03def\x00\x00\x00\x01x\x00\x0c\x2d\x00\x40\x00\x00\x00\xfd\x00\x00\x00\x00\x00"
EOF: Final = b"\xfe\x00\x00\x02\x00"
ROW: Final = b"\x05wrong"
OK: Final = b"\x00\x00\x00\x02\x00\x00\x00"
ERR: Final = b"\xff\x7a\x04#42S02no"
RESULT: Final = frames([COUNT, COLUMN, EOF, ROW, EOF], 1)
PAUSE: Final = 0.2  # seconds between two pieces that must not arrive as one


def says(*pieces: bytes, then: Callable[[Link], None] = lambda _: None) -> Callable[[Link], None]:
    """Return what sends *pieces* one after another, and then hangs up or does what *then* does."""

    def speak(link: Link) -> None:
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(PAUSE)
            link.say(piece)
        then(link)

    return speak


def stalls(link: Link) -> None:
    """Say nothing more."""
    link.stall()


def resets(link: Link) -> None:
    """End by RST."""
    link.reset()


def greets(
    change: Callable[[bytes], bytes], then: Callable[[Link], None] = lambda _: None
) -> Callable[[Link], None]:
    """Return what sends the real greeting, changed."""

    def speak(link: Link) -> None:
        link.say(change(link.genuine))
        then(link)

    return speak


def drips_for_ever(link: Link) -> None:
    """Announce a packet of nearly 16 MB where a few bytes are due, and go on sending."""
    for _ in range(200):
        link.say(b"\xfe\xff\xff\x01" + b"x" * 65536)


LOGIN: Final = (
    Fault("greeting is garbage", greeting=says(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" * 3)),
    Fault("greeting is HTTP", greeting=says(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    *(
        Fault(f"greeting is cut at byte {size}", greeting=greets(lambda data, size=size: data[:size]))  # type: ignore[misc]
        for size in (0, 1, 3, 4, 5, 20, 60)
    ),
    Fault(
        "greeting has a wrong sequence id",
        greeting=greets(lambda data: data[:3] + b"\x07" + data[4:], stalls),
    ),
    Fault(
        "greeting of another protocol", greeting=greets(lambda data: data[:4] + b"\x09" + data[5:], stalls)
    ),
    Fault("greeting announces 16 MB", greeting=says(b"\xfe\xff\xff\x00" + b"\x0a" * 1000, then=stalls)),
    Fault("greeting is sent twice", greeting=greets(lambda data: data + data, stalls)),
    Fault(
        "verdict switches to an unknown plugin",
        verdict=says(frame(b"\xfeno_such_plugin\0" + b"x" * 21, 2), then=stalls),
    ),
    Fault(
        "verdict switches without a scramble",
        verdict=says(frame(b"\xfemysql_native_password\0", 2), then=stalls),
    ),
    Fault("verdict switches without a name", verdict=says(frame(b"\xfe\0\0", 2), then=stalls)),
    Fault("verdict is empty", verdict=says(frame(b"", 2), then=stalls)),
    Fault("verdict has a wrong sequence id", verdict=says(frame(OK, 9), then=stalls)),
    Fault("verdict is an OK that is cut short", verdict=says(frame(b"\x00\x00", 2), then=stalls)),
    Fault("verdict is more data of nothing", verdict=says(frame(b"\x01\x77\x77", 2), then=stalls)),
    Fault("verdict is a result set", verdict=says(RESULT, then=stalls)),
    Fault("verdict is cut off", verdict=says(b"\x07\x00")),
    Fault("verdict is a reset", verdict=resets),
    Fault("verdict goes on for ever", verdict=drips_for_ever),
)
"""The router is refused a connection: whoever can be asked elsewhere is."""

BEFORE_THE_FIRST_BYTE: Final = (
    Fault("reply is missing", reply=says()),
    Fault("reply is a reset", reply=resets),
    Fault("reply is cut in its first header", reply=says(b"\x07\x00")),
    Fault("reply is cut in its first packet", reply=says(b"\x07\x00\x00\x01\x00\x00")),
    Fault("reply is garbage", reply=says(b"\x13\x37garbage, and more garbage" * 9, then=stalls)),
    Fault("reply is an OK that is cut short", reply=says(frame(b"\x00\xfc\x01", 1), then=stalls)),
    Fault(
        "reply has state past its end",
        reply=says(frame(b"\x00\x00\x00\x02\x40\x00\x00\x00\x50\x00", 1), then=stalls),
    ),
    Fault("reply is an empty packet", reply=says(frame(b"", 1), then=stalls)),
    Fault(
        "reply has a column count that is none",
        reply=says(frame(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 1), then=stalls),
    ),
    Fault("reply has no columns", reply=says(frame(b"\xfc\x00\x00", 1), then=stalls)),
    Fault("reply begins with 16 MB", reply=says(b"\xff\xff\xff\x01\x03" + b"x" * 70_000, then=stalls)),
    Fault("reply asks for a file unasked", reply=says(frame(b"\xfb/etc/passwd", 1), then=stalls)),
    Fault("reply has rows behind its end", reply=says(RESULT + frames([ROW, EOF], 6), then=stalls)),
    Fault("reply is followed by another", reply=says(RESULT + RESULT, then=stalls)),
)
"""Nothing of the reply has been passed on: a read is answered by another server."""

IN_THE_RESULT: Final = (
    Fault("result is cut behind the column count", reply=says(frame(COUNT, 1))),
    Fault("result is cut in a column", reply=says(frame(COUNT, 1) + frame(COLUMN, 2)[:9])),
    Fault("result is cut before its rows", reply=says(frames([COUNT, COLUMN, EOF], 1))),
    Fault("result is cut in a row", reply=says(RESULT[:-12])),
    Fault("result is cut before its end", reply=says(RESULT[:-9])),
    Fault("result is cut by a reset", reply=says(RESULT[:-9], b"", then=resets)),
    Fault("result has a cut EOF", reply=says(RESULT[:-9] + frame(b"\xfe\x00", 5), then=stalls)),
    Fault(
        "result ends in an empty packet",
        reply=says(frames([COUNT, COLUMN, EOF], 1), frame(b"", 4), then=stalls),
    ),
)
"""A part may have been passed on: the client's connection ends, and half a result is never taken for a whole one."""

AFTER_THE_REPLY: Final = (
    Fault("server speaks again when it was not asked", reply=says(RESULT, RESULT, then=stalls)),
    Fault("server sends garbage when it was not asked", reply=says(RESULT, b"garbage" * 99, then=stalls)),
    Fault("server says that it ends", reply=says(RESULT, frame(ERR, 0))),
)
"""The reply was whole and is the client's; the connection is never used again."""
