"""The compressed protocol between a transport, TLS or not, and a protocol that knows nothing of it."""

import asyncio

from rwrouter.protocol.compression import CompressionLayer
from rwrouter.protocol.flags import CLIENT_COMPRESS, CLIENT_ZSTD
from rwrouter.protocol.numbers import ServerNumbers
from rwrouter.proxy.layered import LayeredTransport


class CompressedTransport(LayeredTransport):
    """Packets towards the inner protocol, compressed frames towards the outer transport.

    *numbers*: where the other side is a server.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        layer: CompressionLayer,
        inner: asyncio.Protocol,
        numbers: ServerNumbers | None = None,
    ) -> None:
        super().__init__(transport, inner)
        self._layer = layer
        self._numbers = numbers
        self._paused = False

    @classmethod
    def wrap(
        cls,
        transport: asyncio.Transport,
        capabilities: int,
        inner: asyncio.Protocol,
        *,
        level: int = 0,
        towards_server: bool = False,
    ) -> asyncio.Transport:
        """Take *transport* over for *inner*, which goes on with what is returned: itself, if nothing was agreed.

        Where both were, it is zlib (as in MySQL). *level*: of zstd, as the client asked.
        """
        if not capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD):
            return transport
        layer = (
            CompressionLayer("zlib")
            if capabilities & CLIENT_COMPRESS
            else CompressionLayer("zstd", level=level or None)
        )
        compressed = cls(transport, layer, inner, ServerNumbers() if towards_server else None)
        transport.set_protocol(compressed)
        return compressed

    def data_received(self, data: bytes) -> None:
        """Expand, and hand on packets: of no more than one frame at a time while the inner protocol can take them."""
        layer = self._layer
        while True:
            clear = layer.receive(data)
            if self._numbers is not None:
                clear = self._numbers.mend(clear)
            if clear:
                self._inner.data_received(clear)
            if layer.error is not None:
                self._transport.abort()
                return
            if self._paused or not layer.has_more:
                return
            data = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on, with the reason that this layer knows."""
        error = self._layer.error
        self._inner.connection_lost(ConnectionError(f"compression: {error}") if error else exc)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Compress and send."""
        data = bytes(data)
        if self._numbers is not None and self._numbers.begins(data):
            self._layer.begin_command()
        self._layer.send(data)
        self._transport.write(self._layer.data_to_send())

    def pause_reading(self) -> None:
        """Stop reading, and expand no more of what is here."""
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again, from what is here on."""
        self._paused = False
        self._transport.resume_reading()
        if self._layer.has_more:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self.data_received(b"")
