"""A worker's view of the servers: one endpoint each, and the routes that a snapshot gives."""

import logging
import random
from collections.abc import Callable
from dataclasses import replace

from rwrouter.config.model import Settings
from rwrouter.counters import ServerCounters
from rwrouter.model import Role, Server, Snapshot, State
from rwrouter.proxy.circuit import Circuit
from rwrouter.routing.balancer import Balancer, RoundRobin
from rwrouter.routing.strategies.chance import Chance
from rwrouter.routing.strategies.client_hash import ClientHash
from rwrouter.routing.strategies.latency import Latency, LeastLatency
from rwrouter.routing.strategies.outstanding import LeastOutstanding

log = logging.getLogger("rwrouter.proxy")


class Endpoint:
    """One server, as a worker uses it: its last known state, and counts that only this worker writes.

    *outstanding* (statements under way) and *latency* are kept by `proxy/measured.py`, for strategies that ask.
    *tell* is who wants to know of each change of *outstanding*.
    """

    __slots__ = (
        "circuit",
        "counters",
        "dialing",
        "idle_told_at",
        "is_gone",
        "late_until",
        "latency",
        "outstanding",
        "server",
        "tell",
    )

    def __init__(self, server: Server) -> None:
        self.server = server
        self.counters = ServerCounters()
        self.circuit = Circuit()
        self.dialing: set[Callable[[], None]] = set()  # each gives one connection up that is being opened
        self.is_gone = False  # not among the servers any more: sessions leave it when they can
        self.idle_told_at = float("-inf")  # when it was logged last that it has ended an idle connection
        self.late_until = 0.0  # reads do not wait there for writes: one has waited in vain
        self.outstanding = 0
        self.latency = Latency()
        self.tell: Callable[[Endpoint, int], None] | None = None

    def __repr__(self) -> str:
        return f"<Endpoint {self.server.name} {self.server.role} {self.server.state}>"

    def update(self, server: Server) -> None:
        """Take what the monitor has seen last. Who is opening a connection to a dead one need not wait any longer."""
        self.server = server
        self.is_gone = False
        if server.state is State.DOWN:
            for give_up in tuple(self.dialing):
                give_up()


class Routes:
    """Who may answer what, now. Replaced in place by `update`, so that sessions always see the latest."""

    __slots__ = (
        "chance",
        "endpoints",
        "has_gtids",
        "now",
        "primary",
        "readers",
        "settings",
        "snapshot",
        "writable",
    )

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], float],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.now = now
        self.chance = chance
        self.snapshot = Snapshot()
        self.endpoints: dict[str, Endpoint] = {}
        self.primary: Endpoint | None = None
        self.writable: Endpoint | None = None  # the primary, while writes are not held: see proxy/holding.py
        self.has_gtids = False  # the primary tells positions: its writes carry GTIDs
        self.readers: Balancer[Endpoint] = self._balancer([])

    def update(self, snapshot: Snapshot) -> None:
        """Take a new topology."""
        self.snapshot = snapshot
        for server in snapshot.servers:
            endpoint = self.endpoints.get(server.name)
            if endpoint is None:
                self.endpoints[server.name] = endpoint = Endpoint(server)
            if server.state is not State.DOWN and endpoint.server.state is State.DOWN:
                endpoint.circuit.reached(self.now())
            endpoint.update(server)
        names = {server.name for server in snapshot.servers}
        for name in [name for name in self.endpoints if name not in names]:
            gone = self.endpoints[name]
            if gone.counters.connections == 0:
                del self.endpoints[name]
                continue
            is_down = gone.server.state is State.DOWN  # else what runs there ends well
            gone.update(
                replace(
                    gone.server,
                    role=Role.UNKNOWN,
                    state=State.DOWN if is_down else State.DRAINING,
                    reason="not among the servers any more",
                )
            )
            gone.is_gone = True
        self.primary = self.endpoints[snapshot.primary] if snapshot.primary is not None else None
        self.writable = self.primary
        if self.primary is not None:
            # Kept while nobody is primary: a COMMIT of reads would else count as a write without a position.
            self.has_gtids = bool(self.primary.server.executed)
        self.rebuild()

    def rebuild(self) -> None:
        """Lay out the readers anew, if who they are or their weights have changed."""
        members = self._readers()
        if members != self.readers.laid_out:
            self.readers = self._balancer(members)

    def of(self, client: bytes) -> "Routes | ClientRoutes":
        """Return the routes of one *client*: these, unless the strategy asks who it is."""
        return ClientRoutes(self, client) if self.settings.reads.strategy == "client_hash" else self

    def _balancer(self, members: list[tuple[Endpoint, int]]) -> Balancer[Endpoint]:
        """Return the strategy of the settings over *members*."""
        match self.settings.reads.strategy:
            case "least_outstanding":
                least = LeastOutstanding(members, lambda endpoint: endpoint.outstanding)
                for endpoint in self.endpoints.values():
                    endpoint.tell = least.changed
                return least
            case "latency":
                return LeastLatency(members, self._cost, self.chance)
            case "client_hash":
                return ClientHash(members, lambda endpoint: endpoint.server.name.encode())
            case "random":
                return Chance(members, self.chance)
            case _:
                return RoundRobin(members)

    def _cost(self, endpoint: Endpoint) -> float:
        return endpoint.latency.cost(self.now(), endpoint.outstanding)

    def _readers(self) -> list[tuple[Endpoint, int]]:
        reads = self.settings.reads
        now = self.now()
        primary = self.primary
        if primary is not None and primary.server.state is not State.UP:
            primary = None
        replicas = [
            (endpoint, max(1, round(endpoint.server.weight * endpoint.server.ramp)))
            for endpoint in self.endpoints.values()
            if endpoint.server.role is Role.REPLICA
            and endpoint.server.state is State.UP
            and endpoint.server.weight > 0
            and not endpoint.circuit.is_open(now)
        ]
        if not replicas:
            return [(primary, 1)] if primary is not None and reads.fallback == "primary" else []
        zone = self.settings.zone
        near = [(endpoint, weight) for endpoint, weight in replicas if endpoint.server.zone == zone]
        if zone and near:
            replicas = near
            if primary is not None and primary.server.zone != zone:
                primary = None
        if primary is not None and reads.primary_weight:
            replicas.append((primary, reads.primary_weight))
        return replicas

    def shun(self, endpoint: Endpoint, why: str) -> float:
        """Leave *endpoint* alone for a while: no connection could be opened. Return for how many seconds."""
        now = self.now()
        if not endpoint.circuit.is_open(now):
            log.warning('event=shunned server=%s reason="%s"', endpoint.server.name, why)
        endpoint.circuit.failed(now)
        self.rebuild()
        return endpoint.circuit.open_until - now

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


class ClientRoutes:
    """The routes as one client sees them: its own order of the readers."""

    __slots__ = ("_client", "_ranked", "_ranking", "_routes")

    def __init__(self, routes: Routes, client: bytes) -> None:
        self._routes = routes
        self._client = client
        self._ranked: Balancer[Endpoint] | None = None  # what *_ranking* was made of
        self._ranking: Balancer[Endpoint] = routes.readers

    @property
    def readers(self) -> Balancer[Endpoint]:
        """Who may answer a read of this client."""
        readers = self._routes.readers
        if readers is not self._ranked:
            self._ranked = readers
            self._ranking = readers.of(self._client) if isinstance(readers, ClientHash) else readers
        return self._ranking

    @property
    def primary(self) -> Endpoint | None:
        """The primary, the same for all clients."""
        return self._routes.primary

    @property
    def writable(self) -> Endpoint | None:
        """The primary, while it takes writes."""
        return self._routes.writable

    @property
    def has_gtids(self) -> bool:
        """The primary tells positions: its writes carry GTIDs."""
        return self._routes.has_gtids


def client_key(peer: str, number: int) -> bytes:
    """Return what tells a client from others to `client_hash`: its address without the port, as *peer* has it.

    Clients of a Unix socket have no address: each connection, by its *number*, counts as a client.
    """
    host, colon, port = peer.rpartition(":")
    return host.encode() if colon and port.isdecimal() else b"%d" % number


def host_of(peer: str) -> str:
    """Return the address in *peer*, without port and brackets; what is no address comes back as it is."""
    host, colon, port = peer.rpartition(":")
    return host.strip("[]") if colon and port.isdecimal() else peer
