"""TLS between a socket and a protocol that knows nothing of it: a protocol on one side, a transport on the other."""

import asyncio
from typing import Any, cast

from rwrouter.protocol.tls import TlsLayer


class SecureTransport(asyncio.Transport, asyncio.Protocol):
    """Sits between *transport* and an inner protocol. Bytes of the inner one are clear, of the outer one encrypted."""

    def __init__(self, transport: asyncio.Transport, layer: TlsLayer, inner: asyncio.Protocol) -> None:
        super().__init__()
        self._transport = transport
        self._layer = layer
        self._inner = inner
        self._closing = False

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

    # -- protocol: towards the socket

    def data_received(self, data: bytes) -> None:
        """Decrypt, and hand on what is clear."""
        clear = self._layer.receive(data)
        self._flush()
        if clear:
            self._inner.data_received(clear)
        if self._layer.error is not None or self._layer.closed:
            self._transport.close()

    def eof_received(self) -> bool | None:
        """Close with the other side."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on, with the reason that TLS knows."""
        error = self._layer.error
        self._inner.connection_lost(ConnectionError(f"TLS: {error}") if error else exc)

    def pause_writing(self) -> None:
        """Hand on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._inner.resume_writing()

    # -- transport: towards the inner protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        self._layer.send(bytes(data))
        self._flush()

    def _flush(self) -> None:
        out = self._layer.data_to_send()
        if out:
            self._transport.write(out)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the clear side over to *protocol*."""
        self._inner = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the inner protocol."""
        return self._inner

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Ask the socket."""
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Tell whether the socket closes."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close when what is written has been sent."""
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Stop reading from the socket."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def is_reading(self) -> bool:
        """Tell whether the socket is read."""
        return self._transport.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limits of the socket's buffer."""
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return the bytes that wait to be sent."""
        return self._transport.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        """TLS has no half-close."""
        return False
