"""MySQL in containers: a primary and two replicas in a network of their own."""

import contextlib
import functools
import os
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pymysql

from rwrouter.model import Flavor
from rwrouter.sandbox.access import Access, ReplicationSet
from rwrouter.sandbox.binaries import SandboxError
from rwrouter.sandbox.options import Account, Accounts
from tests.integration.harness import REPOSITORY, eventually, missing

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

OFFICIAL = "mysql:8.4"
PULL_TIMEOUT = 300.0  # seconds
SETUP = REPOSITORY / "docker" / "compose"  # the example's own scripts, so that they are tested too
ACCOUNTS = Accounts(
    Account("root", "root-secret"),
    Account("app", "app-secret"),
    Account("monitor", "monitor-secret"),
    Account("replication", "replication-secret"),
)


class ContainerServer(Access):
    """A server in a container, at a port that the daemon publishes."""

    def __init__(self, name: str, container: "DockerContainer") -> None:
        host, port = container.get_container_host_ip(), int(container.get_exposed_port(3306))
        host = "127.0.0.1" if host == "localhost" else host
        super().__init__(name, Flavor.MYSQL, host, port, ACCOUNTS)
        self.container = container

    @property
    def is_running(self) -> bool:
        """Whether the daemon says so."""
        wrapped = self.container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status in ("running", "paused"))

    def answers(self) -> bool:
        """Tell whether root can log in."""
        if not self.is_running:
            logs = b"\n".join(self.container.get_logs()).decode(errors="replace")
            raise SandboxError(f"{self.name} ended:\n{logs[-2000:]}")
        try:
            return bool(self.value("SELECT 1"))
        except (pymysql.MySQLError, OSError):
            return False

    def kill(self) -> None:
        """End it as a crash would."""
        self.container.get_wrapped_container().kill()

    def start(self) -> None:
        """Start it again; its published port may be another."""
        self.container.get_wrapped_container().start()
        self.port = int(self.container.get_exposed_port(3306))
        eventually(self.answers, f"{self.name} answers", 120)


class Containers(ReplicationSet[ContainerServer]):
    """The replication set in containers."""

    accounts = ACCOUNTS


def image() -> str:
    """Return the image to test with: the one asked for, the official one, or one built from packages."""
    chosen = os.environ.get("RWROUTER_TEST_IMAGE")
    if chosen:
        return chosen
    here = subprocess.run(["docker", "image", "inspect", OFFICIAL], capture_output=True, check=False)
    if here.returncode == 0:
        return OFFICIAL
    with contextlib.suppress(subprocess.TimeoutExpired):
        pulled = subprocess.run(
            ["docker", "pull", "--quiet", OFFICIAL], capture_output=True, timeout=PULL_TIMEOUT, check=False
        )
        if pulled.returncode == 0:
            return OFFICIAL
    built = subprocess.run(
        [REPOSITORY / "docker" / "build-mysql-image"], stdout=subprocess.PIPE, text=True, check=True
    )
    # With no registry there is no reaper image either: what is started here is removed here.
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
    return built.stdout.strip()


@contextlib.contextmanager
def running() -> Iterator[Containers]:
    """Start the set, and remove it afterwards, whatever happened."""
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        missing("no Docker daemon answers: docker/with-daemon starts one")
    name = image()
    # Not before: the reaper's setting is read when this is imported.
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network

    with contextlib.ExitStack() as stack:
        network = stack.enter_context(Network())
        made = Containers(Flavor.MYSQL)
        for number, alias in enumerate(("primary", "replica1", "replica2"), start=1):
            setup = SETUP / ("primary.sql" if number == 1 else "replica.sql")
            container = (
                DockerContainer(name)
                .with_env("MYSQL_ROOT_PASSWORD", ACCOUNTS.root.password)
                .with_command(
                    f"--server-id={number} --gtid-mode=ON --enforce-gtid-consistency=ON "
                    "--innodb-buffer-pool-size=32M --innodb-use-native-aio=OFF "
                    "--performance-schema-consumer-events-statements-history-long=ON"
                )
                .with_volume_mapping(str(setup), "/docker-entrypoint-initdb.d/setup.sql")
                .with_exposed_ports(3306)
                .with_network(network)
                .with_network_aliases(alias)
            )
            # Registered before it starts: what failed half-way is removed too.
            stack.callback(container.stop)
            container.start()
            made.servers.append(ContainerServer(alias, container))
        for server in made.servers:
            eventually(server.answers, f"{server.name} answers", 180)
        for replica in made.replicas:
            eventually(functools.partial(_replicates, replica), f"{replica.name} replicates", 60)
        made.wait_in_sync()
        yield made


def _replicates(server: ContainerServer) -> bool:
    status = server.query("SHOW REPLICA STATUS")
    return bool(status) and status[0]["Replica_IO_Running"] == status[0]["Replica_SQL_Running"] == "Yes"
