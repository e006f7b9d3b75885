"""Packets out of bytes and back, at every border of the length."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.errors import PacketTooLarge
from rwrouter.protocol.framing import HEADER_SIZE, LONGEST, Packet, PacketReader, frame, frames, split
from rwrouter.protocol.wire import Malformed


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(0, 255), st.lists(st.integers(0, 400)))
def test_any_cut_gives_the_same_packets(payloads: list[bytes], first: int, cuts: list[int]) -> None:
    """However the bytes arrive, the packets are those that were sent."""
    data = frames(payloads, first)
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader, packets = PacketReader(50), []
    for start, end in pairwise(borders):
        packets += reader.feed(data[start:end])
    assert packets == [Packet((first + n) & 0xFF, payload) for n, payload in enumerate(payloads)]
    assert reader.buffered == 0


@pytest.mark.parametrize(
    ("length", "packets"),
    [(LONGEST - 1, 1), (LONGEST, 2), (LONGEST + 1, 2), (2 * LONGEST, 3)],
)
def test_long_payloads_continue(length: int, packets: int) -> None:
    """A payload of 2^24-1 bytes ends with a shorter packet, be it empty, and comes out joined."""
    payload = bytes(length)
    data = frame(payload, 254)
    assert len(data) == length + packets * HEADER_SIZE
    reader = PacketReader(2 * LONGEST)
    reader.append(data)
    packet = reader.next_packet(254)
    assert packet is not None
    assert packet.sequence_id == (254 + packets - 1) & 0xFF
    assert packet.payload == payload


@pytest.mark.parametrize("limit", [0, 9, LONGEST - 1])
def test_too_long_is_seen_at_the_header(limit: int) -> None:
    """A packet above the limit is refused before its payload has come."""
    with pytest.raises(PacketTooLarge, match="at most"):
        PacketReader(limit).feed((limit + 1).to_bytes(3, "little") + b"\0")


def test_the_limit_holds_for_the_sum_of_continued_packets() -> None:
    """Continuation is no way around the limit."""
    reader = PacketReader(LONGEST + 5)
    assert reader.feed(b"\xff\xff\xff\0" + bytes(LONGEST)) == []
    with pytest.raises(PacketTooLarge):
        reader.feed(b"\6\0\0\1")


def test_a_wrong_sequence_id_is_seen_at_the_header() -> None:
    """A peer that speaks something else is not waited for."""
    reader = PacketReader(2**17)
    reader.append(b"\x16\x03\x01\x02")  # a TLS record
    with pytest.raises(Malformed, match="packet number 2 where 1 is due"):
        reader.next_packet(1)


def test_what_follows_a_packet_can_be_taken() -> None:
    """Bytes after a packet are given up whole, to whoever reads next."""
    reader = PacketReader(100)
    reader.append(frame(b"one", 0) + b"\x16\x03\x01")
    assert reader.next_packet() == Packet(0, b"one")
    assert reader.take_rest() == b"\x16\x03\x01"
    assert reader.take_rest() == b""


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_a_whole_reply_is_split(payloads: list[bytes]) -> None:
    """Each packet with its header: what they were framed from, and together what came."""
    data = frames(payloads, 1)
    packets = split(data)
    assert [packet[HEADER_SIZE:] for packet in packets] == payloads
    assert b"".join(packets) == data
