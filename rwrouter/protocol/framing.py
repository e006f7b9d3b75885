"""Cut a MySQL byte stream into packets ("MySQL Packets", page_protocol_basic_packets).

    int<3>  payload_length   little-endian; 0xFFFFFF: continued in the next packet
    int<1>  sequence_id      +1 per packet, wraps at 256, back to 0 with each command
    string  payload

For handshakes and control replies; result sets flow past in response.py, unbuffered.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from rwrouter.errors import PacketTooLarge
from rwrouter.protocol.wire import Malformed

HEADER_SIZE: Final = 4
LONGEST: Final = (
    2**24 - 1
)  # bytes in one packet; a payload of just this length is followed by an empty packet


class Packet(NamedTuple):
    """One payload and the sequence id of its (last) packet."""

    sequence_id: int
    payload: bytes


def split(reply: bytes) -> list[bytes]:
    """Return the packets of a whole *reply*, each with its header."""
    packets, pos = [], 0
    while pos + HEADER_SIZE <= len(reply):
        end = pos + HEADER_SIZE + int.from_bytes(reply[pos : pos + 3], "little")
        packets.append(reply[pos:end])
        pos = end
    return packets


class PacketReader:
    """Bytes in, packets out. A payload above *limit* bytes is refused at its header, before memory is spent.

    Payloads of 2^24-1 bytes and more come out joined where the limit allows them.
    """

    __slots__ = ("_buffer", "_joined", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._joined = bytearray()  # the full-length packets of a payload whose end has not come yet

    def append(self, data: bytes) -> None:
        """Take bytes in, for `next_packet`."""
        self._buffer += data

    def next_packet(self, sequence_id: int | None = None) -> Packet | None:
        """Return the oldest whole packet, None while there is none.

        With *sequence_id* another id is Malformed: seen at the header, so that a peer that speaks TLS or
        HTTP is not waited for. Raises PacketTooLarge and Malformed; after that the stream has no meaning.
        """
        buffer = self._buffer
        while len(buffer) >= HEADER_SIZE:
            length = int.from_bytes(buffer[:3], "little")
            if len(self._joined) + length > self._limit:
                size = len(self._joined) + length
                raise PacketTooLarge(f"packet of {size} bytes, at most {self._limit} are expected here")
            expected = sequence_id
            if expected is not None and self._joined:
                expected = (expected + len(self._joined) // LONGEST) & 0xFF
            if expected is not None and buffer[3] != expected:
                raise Malformed(f"packet number {buffer[3]} where {expected} is due")
            end = HEADER_SIZE + length
            if len(buffer) < end:
                return None
            number, payload = buffer[3], bytes(buffer[HEADER_SIZE:end])
            del buffer[:end]  # moves a pointer, not the bytes: CPython's bytearray keeps its head room
            if length == LONGEST:
                self._joined += payload
                continue
            if self._joined:
                payload = bytes(self._joined) + payload
                self._joined.clear()
            return Packet(number, payload)
        return None

    def feed(self, data: bytes) -> list[Packet]:
        """Return the packets that *data* completes, oldest first. Raises PacketTooLarge."""
        self.append(data)
        packets = []
        while (packet := self.next_packet()) is not None:
            packets.append(packet)
        return packets

    @property
    def buffered(self) -> int:
        """Bytes held that no packet has used yet."""
        return len(self._buffer) + len(self._joined)

    def take_rest(self) -> bytes:
        """Give up the bytes that no packet has used: they belong to whoever reads next."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


def frame(payload: bytes, sequence_id: int) -> bytes:
    """Return *payload* as packets, the first with *sequence_id*; split at 2^24-1 bytes."""
    if len(payload) < LONGEST:
        return len(payload).to_bytes(3, "little") + bytes((sequence_id & 0xFF,)) + payload
    pieces = []
    for start in range(0, len(payload) + 1, LONGEST):
        piece = payload[start : start + LONGEST]
        pieces.append(len(piece).to_bytes(3, "little") + bytes((sequence_id & 0xFF,)) + piece)
        sequence_id += 1
    return b"".join(pieces)


def frames(payloads: Iterable[bytes], first_sequence_id: int) -> bytes:
    """Return several payloads as packets with consecutive sequence ids."""
    pieces = []
    for payload in payloads:
        pieces.append(frame(payload, first_sequence_id))
        first_sequence_id += len(payload) // LONGEST + 1
    return b"".join(pieces)
