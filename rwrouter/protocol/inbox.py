"""Cuts commands out of what a client has sent: whole, or by their head where they are too long to be kept.

A command begins with a packet of sequence id 0 ("MySQL Packets", page_protocol_basic_packets); none is empty. Where it
has 2^24-1 bytes, more packets follow: `upload.py` finds their end.
"""

from typing import Final

from rwrouter.errors import ClientProtocolError, NotSupported
from rwrouter.protocol.flags import COM_STMT_PREPARE

HEAD: Final = 1 << 16
"""Bytes of a long command that are here when it is sent on its way: what it is has to be seen."""

_BIGGEST: Final = 0xFFFFFF


def cut(inbox: bytearray, longest: int) -> bytes | int | None:
    """Take the next command out of *inbox* and return it; None where more bytes have to come first.

    A command of more than *longest* bytes stays where it is, when its head is there: its size is returned, without that
    of further packets. A statement to prepare is needed whole. Raises ClientProtocolError, NotSupported.
    """
    if len(inbox) < 4:
        return None
    length = inbox[0] | inbox[1] << 8 | inbox[2] << 16
    if inbox[3]:
        raise ClientProtocolError(f"a command with sequence id {inbox[3]}: it must be 0")
    if length == 0:
        raise ClientProtocolError("an empty command")
    size = length + 4
    if len(inbox) >= size and length < _BIGGEST:
        command = bytes(inbox[:size])
        del inbox[:size]
        return command
    if len(inbox) == 4 or size <= longest:
        return None
    if inbox[4] != COM_STMT_PREPARE:
        return size if len(inbox) >= HEAD else None
    if length == _BIGGEST:
        raise NotSupported("a statement of 16 MB or more can't be prepared here: send it as text")
    return None
