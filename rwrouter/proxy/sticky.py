"""Monotonic reads: a session keeps to one server, and never goes to one that is behind what it has seen.

What a read has seen is not told by any server, so a session that spreads its reads would have to ask before each. One
that keeps to a server (`reads.monotonic`) asks only where it leaves it:

    to another server         when its own is gone, drained or lagging, or when one comes back: all are chosen anew then
    from the primary          after a transaction, a write or any other statement there

Then the primary is asked for its position, which is at least what any server had; the read waits for that, as for the
session's own writes, or goes to the primary.
"""

from typing import TYPE_CHECKING

from rwrouter.proxy.servers import ClientRoutes, Endpoint, Routes

if TYPE_CHECKING:
    from rwrouter.routing.balancer import Balancer
    from rwrouter.routing.session import Session


class Sticky:
    """The routes as one such session sees them, and the balancer over its readers in one."""

    __slots__ = ("_of", "_reader", "_routes", "_session", "_size")

    def __init__(self, routes: Routes | ClientRoutes, session: "Session") -> None:
        self._routes = routes
        self._session = session
        self._of: Balancer[Endpoint] | None = None  # what the reader was chosen from
        self._size = 0
        self._reader: Endpoint | None = None

    @property
    def readers(self) -> "Sticky":
        """Who may answer a read of this session."""
        return self

    @property
    def primary(self) -> Endpoint | None:
        """The primary."""
        return self._routes.primary

    @property
    def writable(self) -> Endpoint | None:
        """The primary, while it takes writes."""
        return self._routes.writable

    @property
    def has_gtids(self) -> bool:
        """The primary tells positions."""
        return self._routes.has_gtids

    @property
    def laid_out(self) -> list[tuple[Endpoint, int]]:
        """All who may be chosen, and their weights."""
        return self._routes.readers.laid_out

    def pick(self) -> Endpoint | None:
        """Return the server that the session keeps to; None where there is none."""
        readers = self._routes.readers
        if readers is not self._of:
            self._of = readers
            members = {member for member, weight in readers.laid_out if weight}
            grown, self._size = len(members) > self._size, len(members)
            if grown or self._reader not in members:
                self._keep_to(readers.pick())
        return self._reader

    def pick_if(self, fit: "frozenset[Endpoint] | set[Endpoint]") -> Endpoint | None:
        """Return the server that the session keeps to, or a new one where that is not in *fit*."""
        if self._reader in fit:
            return self._reader
        found = self._routes.readers.pick_if(fit)
        if found is not None:
            self._keep_to(found)
        return found

    def peek_if(self, fit: "frozenset[Endpoint] | set[Endpoint]") -> Endpoint | None:
        """Return who `pick_if` would give now, and leave all as it is."""
        return self._reader if self._reader in fit else self._routes.readers.peek_if(fit)

    def _keep_to(self, reader: Endpoint | None) -> None:
        if reader is not self._reader:
            if self._reader is not None:
                self._session.wrote_somewhere()  # the position that it has to see is not known now
            self._reader = reader
