"""A connection to a server that counts statements under way and times replies: for strategies that ask for these.

Round robin does not, and so does not pay: the dialer makes plain connections for it.
"""

import asyncio

from rwrouter.proxy.backend import BackendConnection


class MeasuredConnection(BackendConnection):
    """Keeps `outstanding` and `latency` of its endpoint."""

    __slots__ = ("_now", "_sent_at", "_underway", "_write_through")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over from the login."""
        super().connection_made(transport)
        self._now = asyncio.get_running_loop().time
        self._sent_at = 0.0  # when the statement was sent whose first byte is waited for; 0: none is
        self._underway = False
        self._write_through = self.write
        self.write = self._write_measured

    def _write_measured(self, data: bytes | bytearray | memoryview) -> None:
        """Send a statement of the hot path, which has begun its reply itself."""
        self._begun()
        self._write_through(data)

    def send(self, data: bytes, command: int) -> None:
        """Send a command of the borrower's, or of the router itself."""
        self._begun()
        if self._asked is not None:
            self._sent_at = 0.0  # a wait for a position says nothing of the server's speed
        super().send(data, command)

    def _begun(self) -> None:
        self._sent_at = self._now()
        if not self._underway:
            self._underway = True
            self._count(1)

    def data_received(self, data: bytes) -> None:
        """Time the first byte; count where the reply has ended."""
        if self._sent_at:
            now = self._now()
            self.endpoint.latency.observe(now - self._sent_at, now)
            self._sent_at = 0.0
        super().data_received(data)  # may send the next statement, which then is the one under way
        if self._underway and not self.busy:
            self._underway = False
            self._count(-1)

    def _ended(self, why: str) -> None:
        if not self.closed and self._underway:
            self._underway = False
            self._count(-1)
        super()._ended(why)

    def _count(self, change: int) -> None:
        endpoint = self.endpoint
        endpoint.outstanding += change
        if endpoint.tell is not None:
            endpoint.tell(endpoint, endpoint.outstanding)
