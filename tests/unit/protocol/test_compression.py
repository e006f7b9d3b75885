"""The compressed protocol: two layers connected, cut anywhere, and hostile frames."""

import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.compression import (
    HEADER_SIZE,
    LONGEST,
    PIECE,
    WORTHWHILE,
    Algorithm,
    CompressionLayer,
)

both = pytest.mark.parametrize("algorithm", ["zlib", "zstd"])
texts = st.one_of(
    st.binary(max_size=500), st.builds(lambda n, c: c * n, st.integers(0, 2000), st.binary(max_size=9))
)


def header(length: int, expanded: int, sequence_id: int = 0) -> bytes:
    return length.to_bytes(3, "little") + bytes((sequence_id,)) + expanded.to_bytes(3, "little")


def squeeze(algorithm: Algorithm, data: bytes) -> bytes:
    return zlib.compress(data) if algorithm == "zlib" else zstandard.ZstdCompressor().compress(data)


def drain(layer: CompressionLayer, data: bytes) -> bytes:
    plain = layer.receive(data)
    while layer.has_more:
        plain += layer.receive(b"")
    return plain


@both
@given(messages=st.lists(texts, max_size=5), size=st.integers(1, 200))
def test_any_cut_gives_the_same_bytes(algorithm: Algorithm, messages: list[bytes], size: int) -> None:
    """What goes in at one end comes out at the other, however the frames are cut."""
    ours, theirs = CompressionLayer(algorithm), CompressionLayer(algorithm)
    for message in messages:
        ours.send(message)
    data, plain = ours.data_to_send(), b""
    for start in range(0, len(data), size):
        plain += drain(theirs, data[start : start + size])
    assert plain == b"".join(messages)
    assert theirs.error is None
    assert not theirs.has_more


@both
def test_long_answers_are_cut_into_frames(algorithm: Algorithm) -> None:
    """A megabyte of text is a fraction of that in several frames, counted one after the other."""
    ours, theirs = CompressionLayer(algorithm), CompressionLayer(algorithm)
    answer = b"rwrouter " * 120_000
    ours.send(answer)
    data = ours.data_to_send()
    assert len(data) < len(answer) / 10
    assert theirs.receive(data) == answer
    theirs.send(b"next")
    assert theirs.data_to_send() == header(4, 0, -(-len(answer) // PIECE)) + b"next"
    theirs.begin_command()
    theirs.send(b"next")
    assert theirs.data_to_send()[3] == 0


@both
def test_what_does_not_shrink_is_sent_as_it_is(algorithm: Algorithm) -> None:
    """Short or random bytes go out uncompressed, with 0 as their expanded length."""
    layer = CompressionLayer(algorithm, level=22)
    layer.send(b"x" * (WORTHWHILE - 1))
    assert layer.data_to_send() == header(WORTHWHILE - 1, 0) + b"x" * (WORTHWHILE - 1)
    noise = zlib.compress(bytes(range(256)) * 3)
    layer.send(noise)
    assert layer.data_to_send() == header(len(noise), 0, 1) + noise


@both
@pytest.mark.parametrize("announced", [1, 99, 101, LONGEST])
def test_a_false_length_is_an_error(algorithm: Algorithm, announced: int) -> None:
    """A frame expands to what it announces, or ends the connection."""
    payload = squeeze(algorithm, b"x" * 100)
    layer = CompressionLayer(algorithm)
    assert layer.receive(header(len(payload), announced) + payload) == b""
    assert f"does not expand to the {announced} that it announces" in (layer.error or "")
    assert layer.receive(b"more") == b""
    assert not layer.has_more


@both
@pytest.mark.parametrize("damage", ["cut", "extended", "empty"])
def test_a_damaged_stream_is_an_error(algorithm: Algorithm, damage: str) -> None:
    """No byte too few, none too many."""
    payload = squeeze(algorithm, bytes(range(100)))
    payload = {"cut": payload[:-1], "extended": payload + b"x", "empty": b""}[damage]
    layer = CompressionLayer(algorithm)
    assert layer.receive(header(len(payload), 100) + payload) == b""
    assert layer.error is not None


def test_a_zstd_header_that_asks_for_a_terabyte_is_an_error() -> None:
    """The frame's own word on its size is not believed either."""
    payload = b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little") + b"\1\0\0"
    layer = CompressionLayer("zstd")
    assert layer.receive(header(len(payload), 1000) + payload) == b""
    assert layer.error is not None


@both
def test_a_bomb_goes_off_one_frame_at_a_time(algorithm: Algorithm) -> None:
    """A few bytes that expand to much are expanded up to the limit; the rest waits until it is asked for."""
    limit = 2**20
    payload = squeeze(algorithm, bytes(limit))
    bomb = (header(len(payload), limit) + payload) * 50
    layer = CompressionLayer(algorithm, limit=limit)
    assert len(layer.receive(bomb)) == limit
    assert layer.has_more
    assert len(drain(layer, b"")) == 49 * limit
    assert layer.receive(header(10, limit + 1)) == b""
    assert "at most 1048576 are expected" in (layer.error or "")


@both
@given(data=st.binary(max_size=200), announced=st.integers(0, 300))
def test_no_bytes_raise(algorithm: Algorithm, data: bytes, announced: int) -> None:
    """Garbage, framed or not, gives bytes or an error."""
    framed = CompressionLayer(algorithm)
    plain = drain(framed, header(len(data), announced) + data)
    assert framed.error is not None or len(plain) in (announced, len(data))
    layer = CompressionLayer(algorithm, limit=1000)
    drain(layer, data)
    assert len(layer._buffer) <= 1000 + HEADER_SIZE
