"""Connection ids that servers tell: a client is given the router's, which the greeting told it and KILL takes.

`SELECT CONNECTION_ID()` and `SHOW PROCESSLIST` run on the primary, as text or prepared; while their reply comes, it
goes through a Numbering, which stands between the connection and its client. Other statements cost nothing.
"""

from typing import TYPE_CHECKING, Final

from rwrouter.protocol.flags import COM_STMT_EXECUTE
from rwrouter.protocol.thread_ids import renumber
from rwrouter.sql import plans

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection

_LONGEST: Final = 1 << 24
"""Bytes of a reply that are collected: a process list is shorter, or goes on as the server has it."""


class Numbering:
    """Collects one reply on *backend*, and passes it on with the router's ids in its first column."""

    __slots__ = ("_backend", "_client", "_collected", "_size")

    def __init__(self, client: "ClientConnection", backend: "BackendConnection") -> None:
        self._client = client
        self._backend = backend
        self._collected: list[bytes] = []
        self._size = 0
        backend.borrower = self

    def forward(self, data: bytes) -> None:
        """Keep a part of the reply."""
        self._collected.append(data)
        self._size += len(data)
        if self._size > _LONGEST:
            self._leave()
            self._client.forward(b"".join(self._collected))

    def replied(self, backend: "BackendConnection", data: bytes) -> None:
        """Pass the whole reply on."""
        self._leave()
        self._client.replied(backend, self._told(data))

    def replied_well(self, backend: "BackendConnection", data: bytes) -> None:
        """Pass the whole reply on, which came in one piece."""
        self._leave()
        self._client.replied_well(backend, self._told(data))

    def infile_wanted(self, backend: "BackendConnection", data: bytes) -> None:
        """Leave it to the client."""
        self._client.infile_wanted(backend, data)

    def backend_lost(self, backend: "BackendConnection", why: str) -> None:
        """Leave it to the client, who has been given nothing."""
        self._client.backend_lost(backend, why)

    def backend_full(self) -> None:
        """Leave it to the client."""
        self._client.backend_full()

    def backend_ready(self) -> None:
        """Leave it to the client."""
        self._client.backend_ready()

    def _leave(self) -> None:
        self._backend.borrower = self._client

    def _told(self, data: bytes) -> bytes:
        client = self._client
        reply = b"".join((*self._collected, data))
        binary = client.command == COM_STMT_EXECUTE
        return renumber(reply, self._ids(), client.login.capabilities, binary=binary)

    def _ids(self) -> dict[int, int]:
        """Return the router's id of each client of this worker that has a connection to the server, by its id there."""
        client, here = self._client, self._backend
        if client.plan.effects & plans.CONNECTION_ID:
            return {here.connection_id: client.number}
        ids: dict[int, int] = {}
        for other in client.gateway.clients.values():
            backend = other.backends.get(here.endpoint)
            if backend is not None:
                ids[backend.connection_id] = other.number
        return ids
