"""A worker's view of the servers: one endpoint each, and the routes that a snapshot gives."""

import logging
from collections.abc import Callable

from rwrouter.config.model import Settings
from rwrouter.counters import ServerCounters
from rwrouter.model import Role, Server, Snapshot, State
from rwrouter.routing.balancer import RoundRobin

log = logging.getLogger("rwrouter.proxy")

SHUN_SECONDS = 1.0
"""How long a worker leaves alone a server that refused it, unless the monitor speaks first."""


class Endpoint:
    """One server, as a worker uses it: its last known state, and counts that only this worker writes."""

    __slots__ = (
        "counters",
        "server",
        "shunned_until",
    )

    def __init__(self, server: Server) -> None:
        self.server = server
        self.counters = ServerCounters()
        self.shunned_until = 0.0

    def __repr__(self) -> str:
        return f"<Endpoint {self.server.name} {self.server.role} {self.server.state}>"

    def update(self, server: Server) -> None:
        """Take what the monitor has seen last."""
        self.server = server


class Routes:
    """Who may answer what, now. Replaced in place by `update`, so that sessions always see the latest."""

    __slots__ = ("endpoints", "now", "primary", "readers", "settings", "snapshot")

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self.settings = settings
        self.now = now
        self.snapshot = Snapshot()
        self.endpoints: dict[str, Endpoint] = {}
        self.primary: Endpoint | None = None
        self.readers: RoundRobin[Endpoint] = RoundRobin()

    def update(self, snapshot: Snapshot) -> None:
        """Take a new topology."""
        self.snapshot = snapshot
        for server in snapshot.servers:
            endpoint = self.endpoints.get(server.name)
            if endpoint is None:
                self.endpoints[server.name] = endpoint = Endpoint(server)
            endpoint.update(server)
        names = {server.name for server in snapshot.servers}
        for name in [name for name in self.endpoints if name not in names]:
            gone = self.endpoints[name]
            gone.update(Server(name, gone.server.address, reason="not configured any more"))
        self.primary = self.endpoints[snapshot.primary] if snapshot.primary is not None else None
        self.rebuild()

    @property
    def has_gtids(self) -> bool:
        """The primary tells positions: its writes carry GTIDs."""
        return self.primary is not None and bool(self.primary.server.executed)

    def rebuild(self) -> None:
        """Lay out the readers anew, if who they are or their weights have changed."""
        members = self._readers()
        if members != self.readers.laid_out:
            self.readers = RoundRobin(members)

    def _readers(self) -> list[tuple[Endpoint, int]]:
        reads = self.settings.reads
        now = self.now()
        primary = self.primary
        if primary is not None and primary.server.state is not State.UP:
            primary = None
        replicas = [
            (endpoint, endpoint.server.weight)
            for endpoint in self.endpoints.values()
            if endpoint.server.role is Role.REPLICA
            and endpoint.server.state is State.UP
            and endpoint.server.weight > 0
            and endpoint.shunned_until <= now
        ]
        if not replicas:
            return [(primary, 1)] if primary is not None and reads.fallback == "primary" else []
        if primary is not None and reads.primary_weight:
            replicas.append((primary, reads.primary_weight))
        return replicas

    def shun(self, endpoint: Endpoint, why: str) -> None:
        """Leave *endpoint* alone for a moment: it refused a connection."""
        if endpoint.shunned_until <= self.now():
            log.warning('event=shunned server=%s reason="%s"', endpoint.server.name, why)
        endpoint.shunned_until = self.now() + SHUN_SECONDS
        self.rebuild()

    def why_nobody(self) -> str:
        """Return the sentence for a client that nobody can serve."""
        if self.snapshot.problem:
            return self.snapshot.problem
        states = [
            f"{e.server.name} is {e.server.state.value}"
            + (f" ({e.server.reason})" if e.server.reason else "")
            for e in self.endpoints.values()
        ]
        return "no server may answer: " + (", ".join(states) or "none is configured")
