"""Byte streams between the router, its clients and the servers: late, in pieces, cut at any byte.

A `Link` has two ends, each an asyncio transport with its own protocol. Bytes arrive in order after a delay, whole or
in pieces of any size; a link can be reset at once, or after so many bytes. A reset loses what is on its way, or not.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from tests.simulation.loop import Loop

KERNEL = 1 << 13
"""Bytes that a closing end leaves to the kernel: it does not wait until the other end has read them."""

HIGH_WATER = 1 << 12
"""Bytes not yet read by the other end at which a writer is told to pause: small, so that it happens."""

Accept = Callable[[], asyncio.Protocol]


class End(asyncio.Transport):
    """One end of a link."""

    def __init__(self, network: "Network", protocol: asyncio.Protocol, owner: str) -> None:
        super().__init__()
        self.network = network
        self.protocol = protocol
        self.owner = owner  # of this end, for traces
        self.other: End = self
        self.budget: int | None = None  # bytes that still arrive from here before the link is reset
        self.slow = 0.0  # seconds that each delivery takes longer
        self._out = bytearray()
        self._scheduled = False
        self._reading = True
        self._closing = False
        self._ended = False
        self._fin = False
        self._full = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send: what the other end has not read is kept."""
        if self._closing or not data:
            return
        self._out += data
        if len(self._out) > HIGH_WATER and not self._full:
            self._full = True
            self.protocol.pause_writing()
        self._kick()

    def close(self) -> None:
        """Close when everything written has gone out."""
        if self._closing:
            return
        self._closing = self._fin = True
        self._kick()
        if len(self._out) <= KERNEL:
            self._end(None)

    def abort(self) -> None:
        """Close at once: what is on its way arrives, or not."""
        if self._ended:
            return
        self._closing = True
        if self.network.rng.random() < 0.5:
            self._out.clear()
            self.other.reset_soon()
        else:
            self._fin = True
            self._kick()
        self._end(None)

    def reset_soon(self) -> None:
        """Let this end see a reset, as soon as that can be here."""
        self.network.loop.call_later(self.network.delay(), self.reset)

    def reset(self) -> None:
        """End with a reset."""
        self._out.clear()
        self._closing = True
        self._fin = False
        self._end(ConnectionResetError(104, "connection reset by peer"))

    def break_link(self) -> None:
        """Reset both ends: the network did it."""
        self._out.clear()
        self.other._out.clear()
        self.reset_soon()
        self.other.reset_soon()

    def _end(self, exc: Exception | None) -> None:
        if not self._ended:
            self._ended = True
            self.network.loop.call_soon(self._tell_end, exc)

    def _tell_end(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(exc)

    def _kick(self) -> None:
        if not self._scheduled and (self._out or self._fin) and self.other._reading:
            self._scheduled = True
            self.network.loop.call_later(self.network.delay() + self.slow, self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        other = self.other
        out = self._out
        if not other._reading and not other._closing:
            return
        if out:
            size = self.network.piece(len(out))
            if self.budget is not None:
                size = min(size, self.budget)
                self.budget -= size
            chunk = bytes(out[:size])
            del out[:size]
            if self._full and len(out) < HIGH_WATER // 4 and not self._ended:
                self._full = False
                self.protocol.resume_writing()
            if other._closing:
                if not self._closing:
                    self.reset_soon()
                return
            if chunk:
                other.protocol.data_received(chunk)
            if self.budget == 0:
                self.budget = None
                self.break_link()
                return
            if self._closing and self._fin and len(out) <= KERNEL:
                self._end(None)
        if out or self._fin:
            if out:
                self._kick()
            else:
                self._fin = False
                other._take_eof()

    def _take_eof(self) -> None:
        if not self._closing and not self.protocol.eof_received():
            self.close()

    # -- the rest of a transport

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be."""
        return self._closing

    def pause_reading(self) -> None:
        """Take nothing more from the other end."""
        self._reading = False

    def resume_reading(self) -> None:
        """Take bytes again."""
        self._reading = True
        self.other._kick()

    def is_reading(self) -> bool:
        """Tell whether it takes bytes."""
        return self._reading

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Limits are the network's own, so that they are reached."""

    def get_write_buffer_size(self) -> int:
        """Return the bytes that wait."""
        return len(self._out)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand over to *protocol*."""
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who gets the bytes."""
        return self.protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give the other end's name for an address."""
        return (self.other.owner, 4711) if name == "peername" else default


class Network:
    """Who can be connected to, and how well. *listeners*: name -> what accepts, which may raise OSError.

    A name in *silent* swallows what is sent to connect to it.
    """

    def __init__(self, loop: Loop, rng: random.Random) -> None:
        self.loop = loop
        self.rng = rng
        self.listeners: dict[str, Accept] = {}
        self.silent: set[str] = set()
        self.links: list[tuple[str, End]] = []  # name that was connected to, the end there
        self.whole = 0.9  # probability that what was written arrives in one piece
        self.cut = 0.0  # probability that a new link is cut after some bytes
        self.slowness = 0.0  # probability that a delivery takes long

    def delay(self) -> float:
        """Return how long the next delivery takes, in seconds: multiples of 0.5 ms, so that things coincide."""
        rng = self.rng
        if self.slowness and rng.random() < self.slowness:
            return rng.random() * 0.3
        return 0.0005 * rng.randrange(1, 5)

    def piece(self, size: int) -> int:
        """Return how many of *size* bytes arrive together."""
        rng = self.rng
        if rng.random() < self.whole:
            return size
        return rng.randrange(1, min(size, 64) + 1)

    async def connect(
        self, factory: Callable[[], asyncio.Protocol], host: str, owner: str = "router"
    ) -> tuple[End, asyncio.Protocol]:
        """Connect to *host*. Raises OSError."""
        await asyncio.sleep(self.delay())
        if host in self.silent:
            await asyncio.sleep(130)
            raise TimeoutError(110, "connection timed out")
        accept = self.listeners.get(host)
        if accept is None:
            raise ConnectionRefusedError(111, "connection refused")
        there = End(self, accept(), host)
        here = End(self, factory(), owner)
        here.other, there.other = there, here
        rng = self.rng
        if host != "router" and self.cut and rng.random() < self.cut:
            rng.choice((here, there)).budget = rng.randrange(0, rng.choice((120, 600, 4000)))
        self.links = [link for link in self.links if not link[1]._ended]
        self.links.append((host, there))
        there.protocol.connection_made(there)
        here.protocol.connection_made(here)
        return here, here.protocol

    def links_to(self, host: str) -> list[End]:
        """Return the ends at *host* of links that are open."""
        return [end for name, end in self.links if name == host and not end._ended]
