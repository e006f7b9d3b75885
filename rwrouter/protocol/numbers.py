"""Sequence ids of packets where compression has put another count in their place.

Whoever compresses sets the count of packets to that of frames each time it flushes (net_flush in MySQL's
sql-common/net_serv.cc), and whoever reads compressed packets does not look at their ids; but who speaks without
compression checks them. So what comes from a compressed server is numbered anew, as it would have been without.
"""

from typing import Final

from rwrouter.protocol.upload import Upload

_HEADER: Final = 4


class ServerNumbers:
    """Towards a compressed server: where its frames' count begins anew, and the ids that its replies ought to have."""

    __slots__ = ("_held", "_next", "_skip", "_upload")

    def __init__(self) -> None:
        self._upload: Upload | None = None  # the command, or the file, that was written last
        self._next = -1  # id of the next packet of the reply; -1: the one after what was written last
        self._skip = 0  # bytes still to come of the packet at hand
        self._held = b""  # the start of a header

    def begins(self, data: bytes) -> bool:
        """Take what is written next; True: it begins a command. No write has the end of one and the start of the next.

        What follows a whole command without beginning one is a file: its packets go on with the server's count.
        """
        upload = self._upload
        self._next = -1
        if upload is not None and not upload.complete:
            upload.receive(data)
            return False
        is_file = len(data) < _HEADER or data[3] != 0
        self._upload = Upload(file=is_file)
        self._upload.receive(data)
        return not is_file

    def mend(self, data: bytes) -> bytes:
        """Return what the server sent with ids that follow those of the request; a piece of a header is held back."""
        number = self._next
        if number < 0:
            number = self._upload.sequence_id + 1 if self._upload is not None else 0
        mended = bytearray(self._held + data)
        pos, end = self._skip, len(mended)
        while pos + _HEADER <= end:
            mended[pos + 3] = number & 0xFF
            number += 1
            pos += _HEADER + (mended[pos] | mended[pos + 1] << 8 | mended[pos + 2] << 16)
        if pos < end:
            self._held, self._skip = bytes(mended[pos:]), 0
            del mended[pos:]
        else:
            self._held, self._skip = b"", pos - end
        self._next = number
        return bytes(mended)
