"""One seed, one history: the router's real code between modelled clients and servers, then the promises checked."""

import asyncio
import functools
import logging
import random
from collections.abc import Callable

from rwrouter.config.model import Settings
from rwrouter.proxy.gateway import Gateway
from rwrouter.proxy.login import ClientLogin
from tests.simulation.clients import SHARED, Client
from tests.simulation.faults import Watch, torment, unrest
from tests.simulation.loop import Loop, Stuck
from tests.simulation.network import Network
from tests.simulation.servers import Cluster, Server

SLOWEST = 12.0
"""Seconds that a statement may take beside its wait for a primary: servers that hang for 3 s, connections that are
never answered, a stall. A client that waits longer waits for ever, as far as it can tell."""

LIMIT = 150.0
"""Virtual seconds after which a history is stuck."""


@functools.lru_cache(maxsize=64)
def settings_of(
    servers: int,
    interval: float,
    wait: float,
    primary_weight: int,
    strategy: str,
    consistency: str,
    primary_wait: float,
    monotonic: bool,
) -> Settings:
    """Return the router's settings."""
    return Settings.model_validate(
        {
            "servers": [
                {"address": f"db{number}:3306", "name": f"db{number}"} for number in range(1, servers + 1)
            ],
            "monitor": {"user": "monitor", "interval": interval, "timeout": 0.5},
            "reads": {
                "wait": wait,
                "primary_weight": primary_weight,
                "max_lag": 2.0,
                "strategy": strategy,
                "consistency": consistency,
                "monotonic": monotonic,
            },
            "limits": {"connect_timeout": 1.0, "primary_wait": primary_wait},
            "server_tls": {"mode": "DISABLED"},
        }
    )


class History:
    """What happens from one seed. *violations* holds the broken promises, after `run`."""

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self._tell = tell
        self.violations: list[str] = []
        self.replies = 0
        self.shared = 0  # times that the shared counter was added to, as far as clients have been told
        self.errors: dict[int, int] = {}
        self.killed: set[int] = set()  # the router's numbers of sessions that somebody has asked to kill
        rng = random.Random(seed)
        self._later = random.Random(seed + 0.5)  # for what came later: other choices stay as seeds have them
        self.loop = Loop(random.Random(rng.random()))  # type: ignore[abstract]
        self.network = Network(self.loop, random.Random(rng.random()))
        self.loop.network = self.network
        self.network.whole = rng.choice((1.0, 0.95, 0.6))
        self.network.cut = rng.choice((0.0, 0.0, 0.05, 0.2))
        self.cluster = Cluster(self.loop, self.network, random.Random(rng.random()), self.trace)
        count = rng.choice((1, 2, 3, 3, 3, 4))
        for number in range(1, count + 1):
            Server(self.cluster, number).lag = rng.choice((0.0, 0.005, 0.05, 0.5))
        self.primary = self.cluster.servers["db1"]
        self.primary.is_read_only = False
        self.cluster.commit(self.primary, [])  # servers that have never had a transaction tell no GTIDs
        settings = (
            count,
            rng.choice((0.2, 1.0)),
            rng.choice((0.0, 0.05, 0.5)),
            rng.choice((0, 1, 100)),
            rng.choice(
                ("round_robin", "round_robin", "least_outstanding", "latency", "client_hash", "random")
            ),
            rng.choice(("session", "session", "global")),
            self._later.choice((0.0, 0.3, 2.0, 5.0)),
        )
        self.holds_writes = self._later.random() < 0.5
        self.settings = settings_of(*settings, self._later.random() < 0.3)
        self._rng = rng
        self.clients = [
            Client(self, number, random.Random(rng.random())) for number in range(1, rng.randrange(2, 7))
        ]

    def trace(self, *what: object) -> None:
        """Tell what happens, where somebody listens."""
        if self._tell is not None:
            self._tell(f"{self.loop.time():9.4f} " + " ".join(str(one) for one in what))

    def violation(self, what: str) -> None:
        """Note a broken promise."""
        self.trace("BROKEN", what)
        self.violations.append(f"at {self.loop.time():.4f}: {what}")

    def run(self) -> list[str]:
        """Let it happen; return the broken promises."""
        try:
            self.loop.run(self._main(), LIMIT)
        except Stuck as exc:
            waiting = [(c.number, c.waits_for) for c in self.clients if c.waits_since is not None]
            self.violation(f"{exc}; clients that wait: {waiting}")
        else:
            self._check_writes()
            self._check_transactions()
        self.violations += [
            f"nobody caught: {error}" for error in self.loop.errors if "never retrieved" not in error
        ]
        return self.violations

    async def _main(self) -> None:
        rng = self._rng
        loop = self.loop
        # Settings of a real router; only what is random there comes from the seed here.
        self.watch = Watch(self, random.Random(rng.random()))
        self.gateway = Gateway(self.settings, nudge=self.watch.nudge)
        self.gateway.routes.chance = random.Random(rng.random()).random
        self.gateway.scramble = lambda: b"r" * 20  # type: ignore[method-assign]
        self.network.listeners["router"] = lambda: ClientLogin(self.gateway)
        self.watch.start()
        await asyncio.sleep(1.0)
        faults = loop.create_task(torment(self, random.Random(rng.random()), rng.choice((2.0, 4.0, 8.0))))
        tasks = [loop.create_task(client.run(rng.randrange(5, 25))) for client in self.clients]
        beside = [loop.create_task(self._watch())]
        if self.settings.reads.monotonic:
            beside.append(loop.create_task(unrest(self, self._later)))
        for task in tasks:
            await task
        await faults
        for task in beside:
            task.cancel()
        await asyncio.sleep(3.0)
        if self.gateway.clients:
            self.violation(f"clients that are gone are still served: {list(self.gateway.clients)}")
        left = sum(e.counters.connections for e in self.gateway.routes.endpoints.values())
        if left:
            self.violation(f"{left} connections to servers are left behind")

    async def _watch(self) -> None:
        told: set[int] = set()
        while True:
            await asyncio.sleep(1.0)
            now = self.loop.time()
            for client in self.clients:
                since = client.waits_since
                bound = SLOWEST + self.settings.limits.primary_wait
                if since is not None and now - since > bound and client.number not in told:
                    told.add(client.number)
                    self.violation(f"client {client.number} waits since {since:.3f} for {client.waits_for!r}")

    def _check_writes(self) -> None:
        committed = self.cluster.committed
        for tag, times in committed.items():
            if times > 1:
                self.violation(f"the write {tag!r} was done {times} times")
        for client in self.clients:
            facts = client.facts
            for tag in sorted(facts.acknowledged):
                if tag not in committed:
                    self.violation(f"the write {tag!r} was acknowledged, and is lost")
            for tag in sorted(facts.refused - facts.acknowledged):
                if tag in committed:
                    self.violation(f"the write {tag!r} was refused or rolled back, and is there")
        added = self.cluster.counts.get(SHARED, [])
        known = sum(
            operation[:2] == ("add", SHARED) for one in self.cluster.log for operation in one.operations
        )
        assert len(added) == known

    def _check_transactions(self) -> None:
        runs = self.cluster.runs
        for client in self.clients:
            for tags in client.transactions:
                ran = [tag for tag in tags if tag in runs]
                if not ran:
                    continue
                # The first that ran may have been lost, and run again elsewhere: nothing had begun for the client. One
                # before it that the server refused (1290, with autocommit off) has begun nothing.
                began = {(run.server, run.session) for run in runs[ran[0]]}
                where = {(run.server, run.session) for tag in ran[1:] for run in runs[tag]}
                if len(where) > 1 or not where <= began:
                    self.violation(
                        f"the transaction of {ran[0]!r} began on {sorted(began)} and ran on {sorted(where)}"
                    )
                if any(not run.in_transaction for tag in ran for run in runs[tag]):
                    self.violation(f"a statement of the transaction of {tags[0]!r} ran outside of it")


def quiet() -> None:
    """Silence the router's log: a history has thousands of lines."""
    logging.getLogger("rwrouter").setLevel(logging.CRITICAL + 1)
