"""What master and workers tell each other: pickled messages, each behind its length, over a socket pair.

Both ends are the same program at the same version, on a socket that nobody else has: pickle is safe here.
"""

import asyncio
import pickle
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from rwrouter.model import Snapshot
from rwrouter.proxy.dial import Account

_HEADER: Final = 4


@dataclass(frozen=True, slots=True)
class Topology:
    """Master to worker: who the servers are now. *indexes*: server name -> row in the scoreboard."""

    snapshot: Snapshot
    indexes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Drain:
    """Master to worker: take no new clients, let the others finish within *timeout* seconds, then end."""

    timeout: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Master to worker: hold writes, *candidate* is being made the primary; "" lets them flow again."""

    candidate: str


@dataclass(frozen=True, slots=True)
class EndTransactions:
    """Master to worker: end the sessions that have a transaction open on the primary."""


@dataclass(frozen=True, slots=True)
class Open:
    """Worker to master, while writes are held: how many transactions and writes are under way on the primary."""

    count: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to master: clients are served."""

    index: int


@dataclass(frozen=True, slots=True)
class Nudge:
    """Worker to master: look at this server now. *failed*: it could not be connected to at all."""

    server: str
    why: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Kill:
    """Either way: end the statement, or the connection, of a client of another worker."""

    number: int
    account: Account  # the server checks its rights
    query_only: bool


@dataclass(frozen=True, slots=True)
class AskSessions:
    """Master to worker: tell all sessions, in the reply to question *number*."""

    number: int


@dataclass(frozen=True, slots=True)
class Sessions:
    """Worker to master: the sessions, as `proxy/sessions.py` tells them, in reply to question *number*."""

    number: int
    sessions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class EndSession:
    """Master to worker: end the session *session*, and say in the reply to question *number* if there was one."""

    number: int
    session: int


Message = (
    Topology
    | Drain
    | Ready
    | Nudge
    | Kill
    | Hold
    | EndTransactions
    | Open
    | AskSessions
    | Sessions
    | EndSession
)


class Channel(asyncio.Protocol):
    """One end. *on_message* gets what the other end sends; *on_closed* is called when it is gone."""

    def __init__(self, on_message: Callable[[Any], None], on_closed: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_closed = on_closed
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(
        cls, sock: socket.socket, on_message: Callable[[Any], None], on_closed: Callable[[], None]
    ) -> "Channel":
        """Speak over *sock*, which belongs to the channel from now on."""
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(on_message, on_closed), sock=sock)
        return channel

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Cut messages out of bytes."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEADER:
            end = _HEADER + int.from_bytes(buffer[:_HEADER], "little")
            if len(buffer) < end:
                return
            message = pickle.loads(bytes(buffer[_HEADER:end]))  # noqa: S301  see the module's docstring
            del buffer[:end]
            self._on_message(message)

    def send(self, message: Message) -> None:
        """Send *message*, if the other end is still there."""
        if self._transport is not None and not self._transport.is_closing():
            body = pickle.dumps(message)
            self._transport.write(len(body).to_bytes(_HEADER, "little") + body)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The other end is gone."""
        self._transport = None
        self._on_closed()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
