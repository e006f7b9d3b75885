"""What a client sends, cut into commands, when it comes in more than one piece.

A command is one packet, or several where each but the last has a payload of 2^24-1 bytes. The file of a LOCAL
INFILE is packets up to an empty one. Both are passed on as they come: `Upload` finds where they end, and can number
them, for clients that compress have another count (numbers.py).
"""

from typing import Final

_BIGGEST: Final = 0xFFFFFF


class Upload:
    """Finds the end of one command or file. *file*: it ends with an empty packet."""

    __slots__ = ("_file", "_head", "_left", "_numbers", "done", "number", "sequence_id")

    def __init__(self, *, file: bool = False, number: int = 0) -> None:
        self._file = file
        self.number = number  # of the next packet, for `renumber`
        self._numbers: list[int] = []  # where sequence ids stand in the data of the last `receive`
        self._head = b""  # a piece of a header
        self._left = 0  # bytes still to come of the packet at hand; -1 once the last one has been seen
        self.done = False
        self.sequence_id = 0  # of the last packet: the reply's first one has the next

    def receive(self, data: bytes) -> int:
        """Take *data*; return how many of its bytes belong here. The rest belongs to the next command."""
        pos = 0
        end = len(data)
        last = False
        self._numbers.clear()
        while pos < end:
            if self._left:
                taken = min(self._left, end - pos)
                self._left -= taken
                pos += taken
                if self._left or not self.done:
                    continue
                return pos
            missing = 4 - len(self._head)
            self._head += data[pos : pos + missing]
            pos += missing
            if len(self._head) < 4:
                return end
            length = int.from_bytes(self._head[:3], "little")
            self.sequence_id = self._head[3]
            self._numbers.append(pos - 1)
            self._head = b""
            self._left = length
            last = length == 0 if self._file else length < _BIGGEST
            self.done = last
            if last and not length:
                return pos
        return end

    def renumber(self, data: bytes) -> bytes:
        """Return the *data* that `receive` has just taken, its packets numbered on from `number`."""
        renumbered = bytearray(data)
        for at in self._numbers:
            renumbered[at] = self.number & 0xFF
            self.number += 1
        return bytes(renumbered)

    @property
    def complete(self) -> bool:
        """The last byte has been taken."""
        return self.done and not self._left
