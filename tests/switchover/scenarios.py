"""What is shown of switchovers and of a primary that dies: each scenario under load, on servers of its own."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox, SandboxServer, Topology
from rwrouter.sandbox.router import RouterProcess
from tests.integration import harness
from tests.switchover.command import switch
from tests.switchover.load import TABLE, Load, Verdict, in_sync

SCHEMA = "moved"

PATIENT = """
[limits]
handshake_timeout = "90s"
connect_timeout = "20s"
"""
"""A machine that runs other tests, too, may take long to log in; that is not what is measured."""


@dataclass(frozen=True)
class Outcome:
    """What a scenario has shown. *held*: seconds that writes were held in each switchover."""

    name: str
    verdict: Verdict
    held: list[float] = field(default_factory=list)


@contextmanager
def running(sandbox: Sandbox, *arguments: str) -> Iterator[RouterProcess]:
    """Run a router before *sandbox*, whose servers it calls by the sandbox's names."""
    servers = [f"{server.address},name={server.name}" for server in sandbox.servers]
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(PATIENT)
        file.flush()
        options = ("--workers", "2", "--config", file.name, *arguments)
        with RouterProcess(servers, sandbox.monitor, sandbox.app, options) as router:
            router.wait_ready(60)
            yield router


def make_table(primary: SandboxServer) -> None:
    """Make an empty table for the load."""
    primary.query(f"DROP DATABASE IF EXISTS {SCHEMA}")
    primary.query(f"CREATE DATABASE {SCHEMA}")
    primary.query(TABLE.format(schema=SCHEMA))


def back_and_forth(sandbox: Sandbox, times: int, clients: int, name: str, writes: int = 60) -> Outcome:
    """Switch over *times* times, from one server to the next and back, under load."""
    servers = sandbox.servers
    make_table(servers[0])
    in_sync(sandbox, servers[0])
    held = []
    primary = servers[0]
    with running(sandbox) as router:
        with Load(router, SCHEMA, clients, committers=clients // 4) as load:
            for turn in range(times):
                load.go_on(writes)
                candidate = servers[(turn + 1) % 2]
                status, report, said = switch(router, sandbox, candidate.name)
                assert status == 0, (
                    f"switchover {turn + 1} ended with {status}: {report} {said}\n{router.log()[-3000:]}"
                )
                held.append(report["held_seconds"])
                primary = candidate
            load.go_on(writes)
        in_sync(sandbox, primary)
        verdict = load.judge(servers)
        assert "Traceback" not in router.log(), router.log()
        for secret in (sandbox.accounts.root.password, sandbox.accounts.replication.password):
            assert secret not in router.log()
    return Outcome(name, verdict, held)


def killed_in_a_group(sandbox: Sandbox, clients: int, name: str) -> Outcome:
    """Kill -9 of the primary of a group of three: the group elects another one by itself."""
    servers = sandbox.servers
    make_table(servers[0])
    in_sync(sandbox, servers[0])
    with running(sandbox) as router, Load(router, SCHEMA, clients) as load:
        load.go_on(100)
        servers[0].kill()
        load.go_on(clients + 100, 120)
        load.stop()
        left = [server for server in servers if server.is_running]
        primary = next(server for server in left if not server.value("SELECT @@GLOBAL.super_read_only"))
        in_sync(sandbox, primary)
        verdict = load.judge(left)
    return Outcome(name, verdict)


def sandbox_of(flavor: Flavor, topology: Topology = Topology.REPLICAS) -> Sandbox:
    """Start a primary and two others."""
    return harness.start(flavor, 2, topology=topology)


ASYNCHRONOUS: dict[str, Callable[[], Sandbox]] = {
    "MySQL, asynchronous": lambda: sandbox_of(Flavor.MYSQL),
    "MariaDB, asynchronous": lambda: sandbox_of(Flavor.MARIADB),
    "MySQL, Group Replication": lambda: sandbox_of(Flavor.MYSQL, Topology.GROUP),
}
