"""TLS between a socket and a protocol that knows nothing of it."""

import asyncio

from rwrouter.protocol.tls import TlsLayer
from rwrouter.proxy.layered import LayeredTransport


class SecureTransport(LayeredTransport):
    """Bytes of the inner protocol are clear, of the outer transport encrypted."""

    def __init__(self, transport: asyncio.Transport, layer: TlsLayer, inner: asyncio.Protocol) -> None:
        super().__init__(transport, inner)
        self._layer = layer

    @classmethod
    def wrap(
        cls, transport: asyncio.Transport, layer: TlsLayer, inner: asyncio.Protocol, rest: bytes
    ) -> "SecureTransport":
        """Take *transport* over for *inner*, which goes on with what is returned. *rest* is TLS already."""
        secure = cls(transport, layer, inner)
        transport.set_protocol(secure)
        secure._flush()
        if rest:
            asyncio.get_running_loop().call_soon(secure.data_received, rest)
        return secure

    def data_received(self, data: bytes) -> None:
        """Decrypt, and hand on what is clear."""
        clear = self._layer.receive(data)
        self._flush()
        if clear:
            self._inner.data_received(clear)
        if self._layer.error is not None or self._layer.closed:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on, with the reason that TLS knows."""
        error = self._layer.error
        self._inner.connection_lost(ConnectionError(f"TLS: {error}") if error else exc)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        self._layer.send(bytes(data))
        self._flush()

    def _flush(self) -> None:
        out = self._layer.data_to_send()
        if out:
            self._transport.write(out)
