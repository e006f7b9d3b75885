"""The lab: servers in network namespaces, a router before them, a load through it, a fault, and the account of it."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox, SandboxServer
from rwrouter.sandbox.cluster import Topology
from rwrouter.sandbox.options import replication_statements
from tests.faults.load import SCHEMA, TABLES, Kind, Ledger, Load
from tests.faults.network import Network
from tests.faults.targets import MySQLRouter, RwRouter, Target
from tests.integration.harness import rootfs

REPLICAS: Final = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a scenario may cost clients of rwrouter. None is no bound; *codes* are the only errors allowed."""

    read_errors: int | None = 0
    write_errors: int | None = 0
    codes: frozenset[int] = frozenset()
    recovery: float = 60.0
    """Seconds: far above what is seen, because machines are slow now and then."""
    rolled_back: int | None = 0
    """Writes that were acknowledged, and that only the old primary has."""


@dataclass(frozen=True)
class Scenario:
    """A fault with a name. *do* brings it about and mends it; its docstring is what the table says of it."""

    name: str
    do: Callable[["Run"], None]
    bounds: Bounds
    works: tuple[str, ...] = ("all",) * 6
    statements: int = 25  # of each client in a row, before the fault and after it
    spoils: bool = False  # the servers can't be used again: roles have changed
    short: bool = False  # part of `make test`
    not_for: Mapping[str, str] = field(default_factory=dict)  # name of a target -> why it can't take part
    flavors: frozenset[Flavor] = frozenset(Flavor)
    topology: Topology = Topology.REPLICAS  # a group is on loopback: its packets can't be dropped

    def with_fault(self, do: Callable[["Run"], None]) -> "Scenario":
        """Return the same with another fault."""
        return replace(self, do=do)

    @property
    def title(self) -> str:
        """Return what happens, in a sentence."""
        return (self.do.__doc__ or "").split("\n\n")[0].replace("\n    ", " ").strip()


@dataclass
class Outcome:
    """What a scenario has cost."""

    scenario: str
    target: str
    flavor: Flavor
    statements: int
    reads: Counter[int]
    writes: Counter[int]
    stale: int
    wrong: list[str]
    lost: list[str]  # acknowledged, and on no server
    rolled_back: int  # acknowledged, and not on the last primary: a promotion lost it
    doubled: list[str]
    ghosts: list[str]  # refused, and there all the same
    torn: list[str]  # transactions of which a half is there
    longest: float
    recovery: float  # seconds until the last disturbed statement had ended
    settled: bool
    notes: list[str] = field(default_factory=list)

    def broken(self, bounds: Bounds) -> list[str]:
        """Return which of *bounds*, and of the promises that have no bounds, do not hold."""
        found = [
            f"{what}: {bad[:5]}"
            for what, bad in (
                ("wrong results", self.wrong),
                ("lost writes", self.lost),
                ("doubled writes", self.doubled),
                ("refused writes that were done", self.ghosts),
                ("torn transactions", self.torn),
            )
            if bad
        ]
        if self.stale:
            found.append(f"stale reads: {self.stale}")
        for what, errors, most in (
            ("reads", self.reads, bounds.read_errors),
            ("writes", self.writes, bounds.write_errors),
        ):
            if most is not None and errors.total() > most:
                found.append(f"{what} with errors: {dict(errors)}, at most {most} were expected")
            if bounds.codes and set(errors) - bounds.codes:
                found.append(f"errors of {what}: {dict(errors)}, expected were {sorted(bounds.codes)}")
        if bounds.rolled_back is not None and self.rolled_back > bounds.rolled_back:
            found.append(f"{self.rolled_back} writes are on another server than the primary alone")
        if not self.settled:
            found.append("clients were still disturbed at the end")
        if self.recovery > bounds.recovery:
            found.append(f"recovered after {self.recovery:.1f} s, expected were {bounds.recovery:g} s")
        return found


class Lab:
    """Servers in namespaces and a router. *primary* follows promotions."""

    def __init__(
        self,
        flavor: Flavor,
        target: type[Target] = RwRouter,
        settings: str = "",
        topology: Topology = Topology.REPLICAS,
    ) -> None:
        self.flavor = flavor
        self.topology = topology
        self._stack = contextlib.ExitStack()
        try:
            self.network = self._stack.enter_context(Network(REPLICAS + 1))
            places = [self.network.place(number) for number in range(REPLICAS + 1)]
            if topology is Topology.GROUP:
                places = []
            root = rootfs() if flavor is Flavor.MYSQL else None
            self.servers = self._stack.enter_context(
                Sandbox.start(REPLICAS, flavor=flavor, root=root, places=places, topology=topology)
            )
            self.primary = self.servers.primary
            for statement in TABLES:
                self.primary.query(statement)
            self.servers.wait_in_sync()
            self.target: Target = (
                MySQLRouter(self.servers, rootfs())
                if target is MySQLRouter
                else RwRouter(self.servers, settings)
            )
            self._stack.callback(self.target.stop)
            self.target.start()
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    @property
    def replicas(self) -> list[SandboxServer]:
        """All servers but the primary."""
        return [server for server in self.servers.servers if server is not self.primary]

    def number(self, server: SandboxServer) -> int:
        """Return the number of the namespace of *server*."""
        return self.servers.servers.index(server)

    def mend(self) -> None:
        """Undo what a scenario may have left: packets pass, servers run, replicas replicate and are caught up."""
        self.network.mend()
        for server in self.servers.servers:
            if server.is_running:
                server.resume()
            else:
                server.start()
        if self.topology is Topology.GROUP:
            self.servers.wait_grouped()
            self.primary = self.elected() or self.primary
        else:
            for replica in self.replicas:
                replica.query("START REPLICA")
        self.wait_in_sync()

    def elected(self) -> SandboxServer | None:
        """Return the server that the group has for its primary now."""
        for name, (state, role) in self.servers.members().items():
            if (state, role) == ("ONLINE", "PRIMARY") and self.servers.server(name).is_running:
                return self.servers.server(name)
        return None

    def wait_in_sync(self, timeout: float = 60.0) -> None:
        """Return when all servers have what the primary has."""
        mysql = self.flavor is Flavor.MYSQL
        wanted = self.primary.value("SELECT @@global.gtid_executed" if mysql else "SELECT @@gtid_binlog_pos")
        wait = "WAIT_FOR_EXECUTED_GTID_SET" if mysql else "MASTER_GTID_WAIT"
        for replica in self.replicas:
            late = replica.value(f"SELECT {wait}(%s, %s)", (wanted, timeout))
            assert late == 0, f"{replica.name} has not caught up within {timeout:g} s"

    def promote(self, server: SandboxServer) -> None:
        """Make *server* the primary, as an operator does: the old one, if it runs, and the others follow it."""
        old, mysql = self.primary, self.flavor is Flavor.MYSQL
        if old.is_running:
            old.query("SET GLOBAL super_read_only = ON" if mysql else "SET GLOBAL read_only = ON")
            self.wait_in_sync()
        server.query("STOP REPLICA")
        server.query("RESET REPLICA ALL" if mysql else "RESET SLAVE ALL")
        server.query("SET GLOBAL read_only = OFF")
        self.primary = server
        self.target.promoted(server)
        for replica in self.replicas:
            if replica.is_running:
                self.follow(replica, was_primary=replica is old)

    def follow(self, replica: SandboxServer, *, was_primary: bool) -> None:
        """Let *replica* replicate from the primary."""
        if not was_primary:
            replica.query("STOP REPLICA")
        account, primary = self.servers.accounts.replication, self.primary
        for statement in replication_statements(self.flavor, primary.port, account, primary.host):
            if self.flavor is Flavor.MARIADB and was_primary and statement.startswith("CHANGE"):
                statement += ", MASTER_DEMOTE_TO_SLAVE=1"
            replica.query(statement)


class Run:
    """One scenario under way: what its function gets."""

    def __init__(self, lab: Lab, load: Load) -> None:
        self.lab = lab
        self.load = load
        self.began = 0.0  # time.monotonic() of the fault
        self.mended = 0.0  # from when on the servers could serve again; 0: they could all the time
        self.notes: list[str] = []

    def fault(self) -> None:
        """The fault begins now."""
        self.began = time.monotonic()

    def servers_can_serve(self) -> None:
        """From now on the servers could serve all there is: recovery is counted from here."""
        self.mended = time.monotonic()

    def hold(self, seconds: float = 4.0) -> None:
        """Let the load go on for *seconds*."""
        self.load.hold(seconds)


def perform(scenario: Scenario, lab: Lab) -> Outcome:
    """Run *scenario* in *lab*, and count."""
    lab.primary.query(f"TRUNCATE {SCHEMA}.w")
    lab.wait_in_sync()
    load = Load(lab.target.connect, scenario.works)
    run = Run(lab, load)
    with load:
        assert load.settle(120, scenario.statements), f"no quiet before the fault: {load.ledger.trouble[-3:]}"
        load.ledger.trouble.clear()
        scenario.do(run)
        settled = load.settle(90, scenario.statements)
    ended = time.monotonic()
    lab.mend()
    ledger = load.ledger
    begins = run.mended or run.began
    last = ledger.last_trouble() if settled else ended
    return Outcome(
        scenario.name,
        lab.target.name,
        lab.flavor,
        sum(client.answered for client in load.clients),
        ledger.errors(Kind.READ),
        ledger.errors(Kind.WRITE),
        len(ledger.stale),
        ledger.wrong,
        *_account(lab, ledger),
        ledger.longest(since=run.began),
        max(0.0, last - begins) if last else 0.0,
        settled,
        run.notes,
    )


def _account(lab: Lab, ledger: Ledger) -> tuple[list[str], int, list[str], list[str], list[str]]:
    """Compare what clients were told with what is on the servers: lost, rolled back, doubled, ghosts, torn."""
    there: dict[str, Counter[str]] = {}
    for server in lab.servers.servers:
        rows = server.query(f"SELECT tag, COUNT(*) AS n FROM {SCHEMA}.w GROUP BY tag")
        there[server.name] = Counter({str(row["tag"]): int(row["n"]) for row in rows})
    primary = there[lab.primary.name]
    anywhere = {tag for tags in there.values() for tag in tags}
    missing = [tag for tag in ledger.acknowledged if tag not in primary]
    return (
        [tag for tag in missing if tag not in anywhere],
        sum(tag in anywhere for tag in missing),
        [tag for tag, times in primary.items() if times > 1],
        [tag for tag in ledger.refused if tag in primary],
        [one for one, other in ledger.transactions if (one in primary) != (other in primary)],
    )
