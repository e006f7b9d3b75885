"""The compressed protocol ("Compression", page_protocol_basic_compression): between packets and the link.

    int<3>  length of the payload, as it stands here
    int<1>  sequence_id          its own count, beside that of the packets; back to 0 with each command
    int<3>  length once expanded; 0: the payload is not compressed
    string  payload: one zlib stream, or one zstd frame; it begins and ends anywhere in the packets' bytes

It begins after the OK of the handshake. What a frame announces is never believed: it expands to exactly that
length or is an error, and no more is expanded at once than `limit`, however small the bytes that ask for it.
"""

import zlib
from functools import cache
from typing import Final, Literal

import zstandard

Algorithm = Literal["zlib", "zstd"]

HEADER_SIZE: Final = 7
LONGEST: Final = 2**24 - 1  # bytes of a frame's payload, compressed or expanded
WORTHWHILE: Final = 50  # bytes: MIN_COMPRESS_LENGTH of MySQL; less is sent as it is
PIECE: Final = 2**16  # bytes compressed at once: a frame each, so that one answer does not hold up the others
ZLIB_LEVEL: Final = 6  # what MySQL uses
ZSTD_LEVEL: Final = 3
ZSTD_HIGHEST: Final = 6  # a client may ask for up to 22, which costs the router a hundred times as much


class CompressionLayer:
    """One connection's compression: frames in by `receive`, out by `data_to_send`; packets the other way.

    Nothing raises: *error* says what went wrong. `receive` expands frames until *limit* bytes are reached and
    keeps the rest: while `has_more`, call `receive(b"")` when those are dealt with.
    """

    __slots__ = ("_buffer", "_level", "_limit", "_outgoing", "_sequence_id", "_zstd", "closed", "error")

    def __init__(self, algorithm: Algorithm, *, level: int | None = None, limit: int = LONGEST) -> None:
        self._zstd = algorithm == "zstd"
        default, highest = (ZSTD_LEVEL, ZSTD_HIGHEST) if self._zstd else (ZLIB_LEVEL, zlib.Z_BEST_COMPRESSION)
        self._level = min(max(default if level is None else level, 1), highest)
        self._limit = limit
        self._buffer = bytearray()
        self._outgoing = bytearray()
        self._sequence_id = 0  # of the next frame that we send
        self.error: str | None = None
        self.closed = False  # this layer has no end of its own

    def begin_command(self) -> None:
        """Count from 0: call it before a command is sent. A server's side follows its client's count."""
        self._sequence_id = 0

    @property
    def has_more(self) -> bool:
        """A whole frame waits to be expanded."""
        buffer = self._buffer
        if self.error is not None or len(buffer) < HEADER_SIZE:
            return False
        return len(buffer) >= HEADER_SIZE + int.from_bytes(buffer[:3], "little")

    def receive(self, data: bytes) -> bytes:
        """Take frames, cut anywhere, and return what they expand to, up to *limit* bytes and one frame."""
        if self.error is not None:
            return b""
        self._buffer += data
        plain = bytearray()
        while len(plain) < self._limit and len(self._buffer) >= HEADER_SIZE:
            length = int.from_bytes(self._buffer[:3], "little")
            expanded = int.from_bytes(self._buffer[4:7], "little")
            if length > self._limit or expanded > self._limit:
                self._fail(f"a frame of {max(length, expanded)} bytes, at most {self._limit} are expected")
                break
            if len(self._buffer) < HEADER_SIZE + length:
                break
            # Servers and drivers differ in how they count here: the count is followed, not checked.
            self._sequence_id = self._buffer[3] + 1 & 0xFF
            payload = bytes(self._buffer[HEADER_SIZE : HEADER_SIZE + length])
            del self._buffer[: HEADER_SIZE + length]
            if expanded:
                whole = self._expand(payload, expanded)
                if whole is None:
                    self._fail(
                        f"a frame of {length} bytes does not expand to the {expanded} that it announces"
                    )
                    break
                plain += whole
            else:
                plain += payload
        return bytes(plain)

    def send(self, plaintext: bytes) -> None:
        """Put packets into frames for `data_to_send`."""
        for start in range(0, len(plaintext), PIECE):
            piece = plaintext[start : start + PIECE]
            payload, expanded = piece, 0
            if len(piece) >= WORTHWHILE:
                squeezed = (
                    _compressor(self._level).compress(piece)
                    if self._zstd
                    else zlib.compress(piece, self._level)
                )
                if len(squeezed) < len(piece):
                    payload, expanded = squeezed, len(piece)
            self._outgoing += len(payload).to_bytes(3, "little")
            self._outgoing.append(self._sequence_id)
            self._outgoing += expanded.to_bytes(3, "little")
            self._outgoing += payload
            self._sequence_id = self._sequence_id + 1 & 0xFF

    def data_to_send(self) -> bytes:
        """Return the frames that are due, once."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def _expand(self, payload: bytes, expanded: int) -> bytes | None:
        """Return the *expanded* bytes, None where it is more, fewer or garbage; never uses more memory."""
        try:
            if self._zstd:
                # Without this, a frame's own header could ask for any amount of memory.
                if zstandard.frame_content_size(payload) not in (-1, expanded):
                    return None
                whole: bytes = _decompressor().decompress(payload, expanded, allow_extra_data=False)
                return whole if len(whole) == expanded else None
            stream = zlib.decompressobj()
            whole = stream.decompress(payload, expanded)
            if not stream.eof and stream.decompress(stream.unconsumed_tail, 1):
                return None  # asked for one byte more, a stream that ends just there says so instead
            return whole if stream.eof and not stream.unused_data and len(whole) == expanded else None
        except (zlib.error, zstandard.ZstdError):
            return None

    def _fail(self, error: str) -> None:
        self.error = error
        self._buffer.clear()


@cache
def _compressor(level: int) -> zstandard.ZstdCompressor:
    """Return the one compressor of a level: its working memory is too much to have for each connection."""
    return zstandard.ZstdCompressor(level=level)


@cache
def _decompressor() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(max_window_size=2**24)
