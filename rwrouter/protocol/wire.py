"""The basic types of the protocol, read from and written to one payload.

Pages "Integer Types" and "String Types" (page_protocol_basic_dt_integers, page_protocol_basic_dt_strings).
For control packets; result sets flow past in response.py, which reads headers only.
"""

from typing import Final


class Malformed(ValueError):
    """The bytes are not what the protocol says stands here. The machines turn it into their own error."""


class Cursor:
    """Reads one payload from left to right. Every reading method raises Malformed past its end."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self._position = position

    @property
    def remaining(self) -> int:
        """Number of bytes not read yet."""
        return len(self._data) - self._position

    def take(self, size: int) -> bytes:
        """Return the next *size* bytes: string<fix>."""
        start = self._position
        if size > len(self._data) - start:
            raise Malformed(
                f"{size} bytes are announced at offset {start}, {len(self._data) - start} are there"
            )
        self._position = start + size
        return self._data[start : start + size]

    def integer(self, size: int) -> int:
        """Return int<size>: little-endian, unsigned."""
        return int.from_bytes(self.take(size), "little")

    def lenenc(self) -> int:
        """Return int<lenenc>. 0xFB (NULL in rows) and 0xFF (ERR) begin no integer."""
        first = self.integer(1)
        if first < 0xFB:
            return first
        size = LENENC_SIZES.get(first)
        if size is None:
            raise Malformed(f"0x{first:02X} begins no length-encoded integer")
        return self.integer(size)

    def prefixed(self) -> bytes:
        """Return string<lenenc>."""
        return self.take(self.lenenc())

    def terminated(self) -> bytes:
        """Return string<NUL> without its NUL."""
        end = self._data.find(b"\0", self._position)
        if end < 0:
            raise Malformed(f"the string at offset {self._position} has no end")
        text = self._data[self._position : end]
        self._position = end + 1
        return text

    def terminated_or_rest(self) -> bytes:
        """Return string<NUL>, or what is left where a sender forgot the last NUL, as servers accept it."""
        return self.terminated() if self._data.find(b"\0", self._position) >= 0 else self.rest()

    def rest(self) -> bytes:
        """Return string<EOF>: all that is left."""
        return self.take(self.remaining)


LENENC_SIZES: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}  # first byte -> size of the integer that follows


def integer(value: int, size: int) -> bytes:
    """Return int<size>. Raises OverflowError when *value* does not fit."""
    return value.to_bytes(size, "little")


def lenenc(value: int) -> bytes:
    """Return int<lenenc>, in the shortest form."""
    if value < 0xFB:
        return value.to_bytes(1, "little")
    for first, size in LENENC_SIZES.items():
        if value < 1 << 8 * size:
            return bytes((first,)) + value.to_bytes(size, "little")
    raise Malformed(f"{value} needs more than eight bytes")


def prefixed(text: bytes) -> bytes:
    """Return string<lenenc>."""
    return lenenc(len(text)) + text


def terminated(text: bytes) -> bytes:
    """Return string<NUL>. Raises Malformed where *text* holds a NUL: it would cut the string short."""
    if b"\0" in text:
        raise Malformed("a NUL byte stands inside a string that ends with one")
    return text + b"\0"
