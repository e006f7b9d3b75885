"""What goes wrong in a history: faults at random times, and the monitor, which sees all of it late."""

import asyncio
import random
from typing import TYPE_CHECKING

from rwrouter.cluster.monitor import Monitor, Probe
from rwrouter.cluster.probes import Answer, Failure, Greeted, Row, Topic
from rwrouter.model import State
from rwrouter.protocol.handshake import SUPPORTED
from tests.simulation.servers import Server

if TYPE_CHECKING:
    from rwrouter.model import Snapshot
    from tests.simulation.history import History


class Watch:
    """Carries the real monitor's probes to the modelled servers, and its snapshots to the worker: both late."""

    def __init__(self, history: "History", rng: random.Random) -> None:
        self.history = history
        self.rng = rng
        self.monitor = Monitor(history.settings, rng.random)
        self.lateness = rng.choice((0.001, 0.01, 0.1, 0.4))  # seconds, at most, of each way
        self.offsets = {name: rng.choice((0.0, 0.0, -3600.0, 5.0)) for name in history.cluster.servers}
        self._told: Snapshot | None = None
        self._last_delivery = 0.0

    def start(self) -> None:
        """Probe for ever."""
        self._tick()

    def nudge(self, server: str, why: str, *, failed: bool) -> None:  # noqa: ARG002
        """A worker saw something."""
        self.history.loop.call_later(self.rng.random() * self.lateness, self._nudged, server, failed)

    def _nudged(self, server: str, failed: bool) -> None:
        now = self.history.loop.time()
        if failed:
            self.monitor.passive_failure(server, now)
        else:
            self.monitor.nudge(server, now)
        self._send()

    def decree(self, server: str, state: State | None) -> None:
        """A person drains *server*, or lets it take reads again."""
        self.monitor.decree(server, self.history.loop.time(), state=state)
        self._send()

    def _tick(self) -> None:
        loop = self.history.loop
        for probe in self.monitor.due(loop.time()):
            loop.call_later(self.rng.random() * self.lateness, self._ask, probe)
        self._send()
        loop.call_later(0.05, self._tick)

    def _ask(self, probe: Probe) -> None:
        server = self.history.cluster.servers[probe.server]
        loop = self.history.loop
        if server.name in self.history.network.silent or server.is_hung:
            late, outcome = (
                probe.timeout,
                Failure(f"no answer within {probe.timeout:g} s", 0, is_timeout=True),
            )
            loop.call_later(late, self._answer, probe, outcome)
        elif not server.is_alive:
            loop.call_later(0.001, self._answer, probe, Failure("connection refused", 2003))
        elif server.is_full:
            loop.call_later(0.001, self._answer, probe, Failure("Too many connections (1040)", 1040))
        else:
            loop.call_later(self.rng.random() * self.lateness, self._answer, probe, self._look(server))

    def _look(self, server: Server) -> Answer:
        cluster = self.history.cluster
        now = self.history.loop.time() + 1e9 + self.offsets[server.name]
        facts: Row = {
            "version": "8.4.0",
            "uuid": server.uuid,
            "server_id": server.number,
            "read_only": int(server.is_read_only),
            "executed": cluster.executed(server.applied),
            "now": now,
        }
        channels: list[Row] = []
        if server.is_read_only:
            source = self.history.primary
            behind = cluster.log[server.applied].at if server.applied < len(cluster.log) else None
            seconds = 0 if behind is None else int(self.history.loop.time() - behind)
            channels.append(
                {
                    "Source_Host": source.name,
                    "Source_Port": 3306,
                    "Source_UUID": source.uuid,
                    "Source_Server_Id": source.number,
                    "Replica_IO_Running": "Yes" if source.is_alive else "Connecting",
                    "Replica_SQL_Running": "Yes" if server.is_applying else "No",
                    "Seconds_Behind_Source": seconds if server.is_applying else None,
                }
            )
        return Answer(Greeted("8.4.0", SUPPORTED, 45), {Topic.FACTS: [facts], Topic.REPLICATION: channels})

    def _answer(self, probe: Probe, outcome: Answer | Failure) -> None:
        self.monitor.answer(probe.server, self.history.loop.time(), outcome)
        self._send()

    def _send(self) -> None:
        for event in self.monitor.take_events():
            self.history.trace("monitor", event)
        snapshot = self.monitor.snapshot
        if snapshot is not self._told:
            self._told = snapshot
            loop = self.history.loop
            at = max(self._last_delivery, loop.time() + self.rng.random() * self.lateness)
            self._last_delivery = at + 1e-6
            loop.call_at(at, self.history.gateway.update, snapshot)


async def unrest(history: "History", rng: random.Random) -> None:
    """Drain one server after the other for a moment: sessions that keep to one have to leave it."""
    names = sorted(history.cluster.servers)
    while True:
        await asyncio.sleep(rng.choice((0.1, 0.3, 0.6)))
        name = rng.choice(names)
        history.watch.decree(name, State.DRAINING)
        await asyncio.sleep(rng.choice((0.1, 0.3)))
        history.watch.decree(name, None)


async def torment(history: "History", rng: random.Random, until: float) -> None:
    """Let things go wrong until *until*, then mend them all."""
    kinds = [
        crash,
        hang,
        hang,
        lag,
        lag,
        lag,
        stop_applying,
        promote,
        promote,
        fail_over,
        blip,
        silence,
        fill,
        slow,
        stall,
    ]
    kinds = rng.sample(kinds, rng.randrange(0, 6))
    loop = history.loop
    while kinds and loop.time() < until:
        await asyncio.sleep(rng.random() * 1.5)
        kind = rng.choice(kinds)
        server = rng.choice(list(history.cluster.servers.values()))
        history.trace("fault", kind.__name__, server.name)
        await kind(history, rng, server)
    for server in history.cluster.servers.values():
        server.resume()
        server.restart()
        server.is_applying, server.is_full, server.lag = True, False, 0.01
        server.apply()
    history.network.silent.clear()
    history.network.slowness = history.network.cut = 0.0


async def crash(history: "History", rng: random.Random, server: Server) -> None:
    """Kill -9, and back after a while: a primary as the primary that it was."""
    server.crash()
    await asyncio.sleep(rng.choice((0.05, 0.5, 2.0)))
    server.restart()


async def hang(history: "History", rng: random.Random, server: Server) -> None:
    """SIGSTOP, then SIGCONT."""
    server.hang()
    await asyncio.sleep(rng.choice((0.05, 0.5, 3.0)))
    server.resume()


async def lag(history: "History", rng: random.Random, server: Server) -> None:
    """Replication gets slower or faster."""
    server.lag = rng.choice((0.0, 0.01, 0.2, 1.0, 5.0))
    server.apply()


async def stop_applying(history: "History", rng: random.Random, server: Server) -> None:
    """Stop the applier for a while."""
    server.is_applying = False
    await asyncio.sleep(rng.random() * 2)
    server.is_applying = True
    server.apply()


async def promote(history: "History", rng: random.Random, server: Server) -> None:
    """Planned switchover: read_only on the old primary, catch up, writable."""
    old = history.primary
    if server is old or not server.is_alive or server.is_hung:
        return
    holding = history.gateway.holding
    if history.holds_writes:  # as `rwrouter switchover` does; else as it is done by hand
        holding.hold(server.name)
        history.loop.call_later(rng.random(), holding.release)
    old.is_read_only = True
    await asyncio.sleep(rng.choice((0.0, 0.01, 0.3)))
    if not server.is_alive or server.is_hung:
        old.is_read_only = False
        return
    server.catch_up()
    server.is_read_only = False
    history.primary = server
    old.apply()


async def fail_over(history: "History", rng: random.Random, server: Server) -> None:
    """The primary crashes, another takes over, the old one comes back as a replica."""
    old = history.primary
    if server is old or not server.is_alive or server.is_hung:
        return
    old.crash()
    old.is_read_only = True
    await asyncio.sleep(rng.choice((0.01, 0.5)))
    if server.is_alive and not server.is_hung:
        server.catch_up()
        server.is_read_only = False
        history.primary = server
    else:
        old.is_read_only = False
    await asyncio.sleep(rng.choice((0.1, 1.0)))
    old.restart()


async def blip(history: "History", rng: random.Random, server: Server) -> None:
    """The network resets connections to one server."""
    for end in history.network.links_to(server.name):
        if rng.random() < 0.7:
            end.break_link()


async def silence(history: "History", rng: random.Random, server: Server) -> None:
    """New connections to a server are never answered."""
    history.network.silent.add(server.name)
    await asyncio.sleep(rng.choice((0.2, 2.0)))
    history.network.silent.discard(server.name)


async def fill(history: "History", rng: random.Random, server: Server) -> None:
    """The server takes no more connections."""
    server.is_full = True
    await asyncio.sleep(rng.random() * 2)
    server.is_full = False


async def slow(history: "History", rng: random.Random, server: Server) -> None:
    """The network is slow now and then."""
    history.network.slowness = 0.1
    await asyncio.sleep(rng.random())
    history.network.slowness = 0.0


async def stall(history: "History", rng: random.Random, server: Server) -> None:
    """The router's machine stands still for a moment: everything is late at once."""
    history.loop.stall(rng.choice((0.1, 2.0)))
