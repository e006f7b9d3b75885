"""asyncio.Protocol towards a server: one connection, lent to one session at a time."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol, cast

from rwrouter.errors import BackendLost
from rwrouter.protocol.flags import (
    CLIENT_MULTI_STATEMENTS,
    CLIENT_QUERY_ATTRIBUTES,
    COM_QUERY,
    COM_QUIT,
    SERVER_STATUS_AUTOCOMMIT,
)
from rwrouter.protocol.framing import frame
from rwrouter.protocol.response import DONE, FAILED, FIRST, LOCAL_INFILE, Reply
from rwrouter.proxy.servers import Endpoint
from rwrouter.routing.prepared import PreparedHere

if TYPE_CHECKING:
    from rwrouter.routing.trackers import Own

log = logging.getLogger("rwrouter.proxy")

TOLD_SECONDS: Final = 1.0
"""Between two log lines on what happens to thousands of connections at a time, as when a server shuts down."""


class Borrower(Protocol):
    """Who gets the replies: a session's client connection."""

    def forward(self, data: bytes) -> None:
        """Pass on a part of a reply."""

    def replied(self, backend: "BackendConnection", data: bytes) -> None:
        """A reply has ended; *data* is its last part, not yet passed on."""

    def replied_well(self, backend: "BackendConnection", data: bytes) -> None:
        """A reply has ended, as `replied`, and is no error."""

    def infile_wanted(self, backend: "BackendConnection", data: bytes) -> None:
        """The server asks for the client's file; *data* is the request, not yet passed on."""

    def backend_lost(self, backend: "BackendConnection", why: str) -> None:
        """The connection is gone, in the middle of a statement or while idle."""

    def backend_full(self) -> None:
        """The server takes no more bytes for now."""

    def backend_ready(self) -> None:
        """The server takes bytes again."""


class BackendConnection(asyncio.Protocol):
    """A logged-in connection to a server.

    *version* is the version of the session's variables that it was brought to; -1: nothing is known. *variables* and
    *schema* are what it has now.
    """

    __slots__ = (
        "_asked",
        "_collected",
        "_query_head",
        "borrower",
        "busy",
        "closed",
        "connection_id",
        "endpoint",
        "full",
        "prepared",
        "reached",
        "reply",
        "role",
        "schema",
        "serves",
        "several",
        "stale",
        "trackers",
        "tracks",
        "transport",
        "variables",
        "version",
        "write",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        connection_id: int,
        capabilities: int,
        *,
        client_tracks: bool,
        schema: bytes,
        status: int = SERVER_STATUS_AUTOCOMMIT,
    ) -> None:
        self.endpoint = endpoint
        self.connection_id = connection_id  # the server's own number for it
        # With query attributes agreed, a COM_QUERY says how many it has before its text: none.
        self._query_head = bytes(
            (COM_QUERY, 0, 1) if capabilities & CLIENT_QUERY_ATTRIBUTES else (COM_QUERY,)
        )
        self.reply = Reply(capabilities, client_tracks=client_tracks)
        self.reply.status = status  # of the login: a server may begin sessions with autocommit off
        self.borrower: Borrower | None = None
        self.busy = False  # a reply is expected
        self.closed = False
        self.full = False  # what was written waits to be sent
        self.version = -1
        self.reached = 0  # writes of the session that this server is known to have
        self.variables: dict[bytes, bytes] = {}
        self.prepared = PreparedHere()
        self.schema = schema
        self.role = b""  # the SET ROLE that was run on it
        self.several = bool(
            capabilities & CLIENT_MULTI_STATEMENTS
        )  # it takes several statements in one packet
        self.stale = False  # its session was reset elsewhere: it has to be, before its next statement
        self.tracks = False  # its state trackers have been switched on
        self.trackers: dict[str, bytes | None] = {}  # session_track_* as they stand, where that is known
        self.serves: Own | None = None  # a client with these of its own: they were set for it
        self._asked: asyncio.Future[bytes] | None = None  # a reply that the router itself waits for
        self._collected: list[bytes] = []
        endpoint.counters.connections += 1
        endpoint.counters.connections_total += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over from the login."""
        self.transport = cast("asyncio.Transport", transport)
        self.write = self.transport.write

    # -- sending

    def send(self, data: bytes, command: int) -> None:
        """Send a command of the borrower's: its reply goes to the borrower."""
        self.busy = True
        self.reply.begin(command)
        self.transport.write(data)

    def ask(self, payload: bytes) -> "asyncio.Future[bytes]":
        """Send a command of the router's own; the future gives its whole reply. Raises BackendLost in it."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self.closed or self.busy:
            future.set_exception(BackendLost(f"{self.endpoint.server.name} is not there any more"))
            return future
        self._asked = future
        self._collected.clear()
        self.send(frame(payload, 0), payload[0])
        return future

    async def query(self, sql: bytes) -> bytes:
        """Run a statement of the router's own; return the raw reply. `reply.error` tells whether it failed."""
        return await self.ask(self._query_head + sql)

    def forget(self) -> None:
        """It has been reset: nothing is known of it, and nothing is prepared there."""
        self.stale = self.tracks = False
        self.trackers = {}
        self.serves = None
        self.prepared.clear()
        self.variables = {}
        self.role = b""
        self.version = -1

    def close(self) -> None:
        """Say goodbye, unless a reply is still to come: then just hang up."""
        if self.closed:
            return
        self.borrower = None
        if self.busy:
            self.transport.abort()
        else:
            self.transport.write(b"\x01\x00\x00\x00" + bytes((COM_QUIT,)))
            self.transport.close()
        self._ended("closed")

    def abort(self, why: str) -> None:
        """Hang up at once; the borrower is told *why*."""
        self.transport.abort()
        self._ended(why)

    # -- receiving

    def data_received(self, data: bytes) -> None:
        """Follow the reply, and pass it on."""
        reply = self.reply
        borrower = self.borrower
        if reply.state == FIRST and not reply.used and borrower is not None and self._asked is None:
            # The common case, without a look at what is rare: a small reply, whole.
            if reply.take_small(data):
                self.busy = False
                borrower.replied_well(self, data)
                return
        elif not self.busy:
            # A server speaks unasked only to say that it ends (1053, 4031): what comes next is its FIN.
            self._ended(self._last_words(data))
            self.transport.abort()
            return
        out = reply.receive(data)
        state = reply.state
        if self._asked is not None:
            self._collect(out, state)
            return
        if borrower is None:  # the client has gone; this connection is being closed
            return
        if state < LOCAL_INFILE:
            if out:
                borrower.forward(out)
        elif state == DONE:
            self.busy = False
            borrower.replied(self, out)
        elif state == LOCAL_INFILE:
            borrower.infile_wanted(self, out)
        elif state == FAILED:
            self.transport.abort()
            self._ended(f"it broke the protocol: {reply.failure}")
        elif out:
            borrower.forward(out)

    def _last_words(self, data: bytes) -> str:
        """Return why the server ends this idle connection, by the *data* that it sent unasked. Logged once a second."""
        endpoint = self.endpoint
        endpoint.counters.ended_idle += 1
        why = "it ended the connection"
        if data[4:5] == b"\xff":
            why += f": {data[13:].decode('utf-8', 'replace')} ({int.from_bytes(data[5:7], 'little')})"
        now = asyncio.get_running_loop().time()
        if now >= endpoint.idle_told_at + TOLD_SECONDS:
            endpoint.idle_told_at = now
            log.info('event=idle_ended server=%s reason="%s"', endpoint.server.name, why)
        return why

    def _collect(self, out: bytes, state: int) -> None:
        self._collected.append(out)
        if state == DONE:
            self.busy = False
            future, self._asked = self._asked, None
            if future is not None and not future.done():
                future.set_result(b"".join(self._collected))
        elif state >= LOCAL_INFILE:
            self.transport.abort()
            self._ended(f"it broke the protocol: {self.reply.failure}")

    def eof_received(self) -> bool:
        """Close with the server."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._ended(str(exc) if exc else "it closed the connection")

    def _ended(self, why: str) -> None:
        if self.closed:
            return
        self.closed = True
        self.endpoint.counters.connections -= 1
        borrower, self.borrower = self.borrower, None
        future, self._asked = self._asked, None
        if future is not None and not future.done():
            future.set_exception(BackendLost(f"{self.endpoint.server.name}: {why}"))
        if borrower is not None:
            borrower.backend_lost(self, why)

    # -- backpressure: what the client sends is too fast for the server

    def pause_writing(self) -> None:
        """Let the client wait."""
        self.full = True
        if self.borrower is not None:
            self.borrower.backend_full()

    def resume_writing(self) -> None:
        """Let the client go on."""
        self.full = False
        if self.borrower is not None:
            self.borrower.backend_ready()
