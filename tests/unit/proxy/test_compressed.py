"""The compressed protocol between a transport and a protocol."""

import asyncio

import pytest

from rwrouter.protocol.compression import CompressionLayer
from rwrouter.protocol.flags import CLIENT_COMPRESS, CLIENT_ZSTD
from rwrouter.protocol.framing import frame
from rwrouter.proxy.compressed import CompressedTransport
from tests.unit.proxy.stage import Transport


class Inner(asyncio.Protocol):
    """Collects; pauses its transport after *patience* pieces."""

    def __init__(self, patience: int = 1000) -> None:
        self.pieces: list[bytes] = []
        self.patience = patience
        self.transport: asyncio.Transport | None = None
        self.lost: Exception | None = None

    def data_received(self, data: bytes) -> None:
        """Collect."""
        self.pieces.append(data)
        if len(self.pieces) == self.patience and self.transport is not None:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Record."""
        self.lost = exc


def frames(algorithm: str, *payloads: bytes) -> list[bytes]:
    """Compress each of *payloads* as a client does."""
    layer = CompressionLayer("zlib" if algorithm == "zlib" else "zstd")
    made = []
    for payload in payloads:
        layer.send(payload)
        made.append(layer.data_to_send())
    return made


def test_nothing_is_put_on_where_nothing_was_agreed() -> None:
    """Clients that do not compress pay nothing: their transport stays theirs."""
    outer = Transport()
    assert CompressedTransport.wrap(outer, 0, Inner()) is outer
    assert outer.protocol is None


@pytest.mark.parametrize(
    ("capabilities", "algorithm"),
    [(CLIENT_COMPRESS, "zlib"), (CLIENT_ZSTD, "zstd"), (CLIENT_COMPRESS | CLIENT_ZSTD, "zlib")],
)
def test_packets_in_frames_out(capabilities: int, algorithm: str) -> None:
    """What the inner protocol writes is compressed by what was agreed, zlib first; and the other way."""
    outer, inner = Transport(), Inner()
    transport = CompressedTransport.wrap(outer, capabilities, inner)
    assert isinstance(transport, CompressedTransport)
    text = frame(b"\x03SELECT " + b"a" * 5000, 0)
    transport.data_received(frames(algorithm, text)[0])
    assert inner.pieces == [text]
    transport.write(text)
    sent = outer.take()
    assert len(sent) < 200
    reader = CompressionLayer("zlib" if algorithm == "zlib" else "zstd")
    assert reader.receive(sent) == text


def test_a_paused_protocol_gets_no_more_until_it_resumes() -> None:
    """What is here stays compressed while the inner protocol is paused, and comes when it reads again."""

    async def play() -> None:
        outer, inner = Transport(), Inner(patience=1)
        transport = CompressedTransport.wrap(outer, CLIENT_COMPRESS, inner)
        assert isinstance(transport, CompressedTransport)
        inner.transport = transport
        big = bytes((1 << 24) - 1 - (1 << 16))
        pieces = frames("zlib", frame(big, 0), b"rest of it" * 10)
        transport.data_received(b"".join(pieces))
        assert not outer.reading
        got = sum(map(len, inner.pieces))
        transport.resume_reading()
        await asyncio.sleep(0)
        assert outer.reading
        assert sum(map(len, inner.pieces)) == len(big) + 4 + 100 >= got

    asyncio.run(play())


def test_a_broken_frame_ends_the_connection_and_says_why() -> None:
    """No garbage reaches the inner protocol."""
    outer, inner = Transport(), Inner()
    transport = CompressedTransport.wrap(outer, CLIENT_COMPRESS, inner)
    assert isinstance(transport, CompressedTransport)
    transport.data_received(b"\x05\x00\x00\x00\xff\xff\x00hello")
    assert outer.aborted
    transport.connection_lost(None)
    assert inner.pieces == []
    assert "compression: a frame of 5 bytes does not expand" in str(inner.lost)


def test_towards_a_server_each_command_counts_from_zero() -> None:
    """Frames of a second command begin with 0 again, and a reply's packets follow the command's."""
    outer, inner = Transport(), Inner()
    transport = CompressedTransport.wrap(outer, CLIENT_COMPRESS, inner, towards_server=True)
    assert isinstance(transport, CompressedTransport)
    for _ in range(2):
        transport.write(frame(b"\x03" + b"a" * 200_000, 0))
        assert outer.take()[3] == 0
        server = CompressionLayer("zlib")
        server.send(frame(b"\x00", 77))
        transport.data_received(server.data_to_send())
        assert inner.pieces.pop() == frame(b"\x00", 1)
