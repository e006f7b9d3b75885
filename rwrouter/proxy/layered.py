"""A layer between a socket and a protocol: a protocol on its one side, a transport on its other."""

import asyncio
from typing import Any, cast


class LayeredTransport(asyncio.Transport, asyncio.Protocol):
    """Sits between *transport* and an inner protocol, and hands on whatever is no data.

    A layer says what becomes of the data: `data_received` towards the inner protocol, `write` towards the socket.
    """

    def __init__(self, transport: asyncio.Transport, inner: asyncio.Protocol) -> None:
        super().__init__()
        self._transport = transport
        self._inner = inner

    # -- protocol: towards the socket

    def eof_received(self) -> bool | None:
        """Close with the other side."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on."""
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._inner.resume_writing()

    # -- transport: towards the inner protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the inner side over to *protocol*."""
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
        """No layer has a half-close."""
        return False
