"""The scenarios, by name. Each function brings a fault about and mends it; its docstring is what the table says.

`run.fault()` marks the moment of the fault; `run.servers_can_serve()` the one from which on a perfect router would
disturb nobody, where that is not the fault itself.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pymysql

from rwrouter.model import Flavor
from rwrouter.sandbox import SandboxServer
from rwrouter.sandbox.cluster import Topology
from tests.faults.lab import Bounds, Lab, Run, Scenario
from tests.integration.harness import eventually

SCENARIOS: Final[dict[str, Scenario]] = {}

LOST: Final = frozenset({2006, 2013, 9602, 9603, 9605, 1053})
"""What a client gets whose statement or session was on a server that went away."""

BY_METADATA: Final = {
    "MySQL Router": "does not apply: it learns of a new primary from what MySQL Shell writes"
}

GONE: Final = LOST | {2003, 1290, 9604, 9610, 9611, 1040}
"""What a client gets while there is nobody who could serve it."""


def scenario(
    bounds: Bounds | None = None, **options: Any
) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Enter a function into SCENARIOS."""

    def enter(do: Callable[[Run], None]) -> Callable[[Run], None]:
        SCENARIOS[do.__name__] = Scenario(do.__name__, do, bounds or Bounds(), **options)
        return do

    return enter


# -- one server


@scenario(short=True)
def replica_killed(run: Run) -> None:
    """A replica is killed (`kill -9`) and comes back."""
    victim = run.lab.replicas[0]
    run.fault()
    victim.kill()
    run.hold()
    victim.start()


@scenario()
def replica_shut_down(run: Run) -> None:
    """A replica is shut down in order (SIGTERM) and comes back."""
    victim = run.lab.replicas[0]
    run.fault()
    victim.stop()
    run.hold()
    victim.start()


@scenario(short=True)
def replica_hung(run: Run) -> None:
    """A replica hangs (SIGSTOP): it accepts connections and never answers; later it goes on."""
    victim = run.lab.replicas[0]
    run.fault()
    victim.pause()
    run.hold(6)
    victim.resume()


@scenario(short=True)
def replica_unplugged(run: Run) -> None:
    """All packets from and to a replica are dropped, and pass again later."""
    lab = run.lab
    run.fault()
    lab.network.drop(lab.number(lab.replicas[0]))
    run.hold(6)
    lab.network.mend()


@scenario()
def replica_refuses(run: Run) -> None:
    """Each packet to a replica is answered with a reset."""
    lab = run.lab
    victim = lab.replicas[0]
    run.fault()
    lab.network.refuse(lab.number(victim), "--dport", str(victim.port))
    run.hold()
    lab.network.mend()


@scenario()
def replica_loses_packets(run: Run) -> None:
    """A replica loses one packet in ten, both ways."""
    lab = run.lab
    run.fault()
    lab.network.drop(
        lab.number(lab.replicas[0]), "-m", "statistic", "--mode", "random", "--probability", "0.1"
    )
    run.hold(6)
    lab.network.mend()


@scenario()
def connections_swallowed(run: Run) -> None:
    """All open connections to a replica are swallowed without a word (half-open); new ones work."""
    lab = run.lab
    victim = lab.replicas[0]
    run.fault()
    for port in _open_ports(victim):
        lab.network.drop_incoming(lab.number(victim), "-p", "tcp", "--sport", str(port))
    run.hold(6)


@scenario(Bounds(write_errors=None, codes=GONE), short=True)
def primary_killed(run: Run) -> None:
    """The primary is killed (`kill -9`) and comes back as the primary; nobody takes over."""
    victim = run.lab.primary
    run.fault()
    victim.kill()
    run.hold()
    victim.start()
    run.servers_can_serve()


@scenario(Bounds(write_errors=None, codes=GONE))
def primary_shut_down(run: Run) -> None:
    """The primary is shut down in order (SIGTERM) and comes back."""
    victim = run.lab.primary
    run.fault()
    victim.stop()
    run.hold()
    victim.start()
    run.servers_can_serve()


@scenario(Bounds(write_errors=None, codes=GONE))
def primary_hung(run: Run) -> None:
    """The primary hangs (SIGSTOP) for six seconds."""
    victim = run.lab.primary
    run.fault()
    victim.pause()
    run.hold(6)
    victim.resume()
    run.servers_can_serve()


@scenario(Bounds(write_errors=None, codes=GONE))
def primary_unplugged(run: Run) -> None:
    """All packets from and to the primary are dropped for six seconds."""
    lab = run.lab
    run.fault()
    lab.network.drop(lab.number(lab.primary))
    run.hold(6)
    lab.network.mend()
    run.servers_can_serve()


# -- several servers


@scenario(short=True)
def all_replicas_killed(run: Run) -> None:
    """All replicas are killed at once; the primary has to answer everything."""
    victims = run.lab.replicas
    run.fault()
    for victim in victims:
        victim.kill()
    run.hold()
    for victim in victims:
        victim.start()


@scenario(Bounds(read_errors=None, write_errors=None, codes=GONE), short=True)
def everything_killed(run: Run) -> None:
    """All servers are killed at once, and come back."""
    victims = run.lab.servers.servers
    run.fault()
    for victim in victims:
        victim.kill()
    run.hold(3)
    for victim in victims:
        victim.launch()
    for victim in victims:
        victim.wait_ready()
    run.servers_can_serve()


@scenario()
def replicas_parted_from_primary(run: Run) -> None:
    """The primary and a replica lose each other; clients still reach both."""
    lab = run.lab
    run.fault()
    lab.network.part(lab.number(lab.primary), lab.number(lab.replicas[0]))
    run.hold(8)
    lab.network.mend()


# -- servers with limits


@contextlib.contextmanager
def _set(servers: Iterable[SandboxServer], variable: str, value: str) -> Iterator[None]:
    """Give a global variable another value for a while."""
    before = [(server, server.value(f"SELECT @@global.{variable}")) for server in servers]
    for server, _ in before:
        server.query(f"SET GLOBAL {variable} = {value}")
    try:
        yield
    finally:
        for server, old in before:
            server.query(f"SET GLOBAL {variable} = {old}")


@scenario()
def replica_full(run: Run) -> None:
    """A replica takes no more connections (1040), its open ones are cut."""
    victim = run.lab.replicas[0]
    with victim.connect() as control, control.cursor() as cursor:
        cursor.execute("SELECT @@global.max_connections")
        before = cursor.fetchone()[0]
        run.fault()
        cursor.execute("SET GLOBAL max_connections = 1")
        cut_clients(cursor, run.lab.servers.app.user)
        run.hold()
        cursor.execute(f"SET GLOBAL max_connections = {before}")


def cut_clients(cursor: Any, user: str) -> None:
    """Kill all connections of *user*."""
    cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (user,))
    for (number,) in cursor.fetchall():
        with contextlib.suppress(pymysql.MySQLError):
            cursor.execute(f"KILL {number}")


@scenario(works=("sleepy",) * 6, statements=4, short=True)
def idle_connections_ended(run: Run) -> None:
    """`wait_timeout` is 1 s on every server, and clients pause for longer."""
    lab = run.lab
    with _set(lab.servers.servers, "wait_timeout", "1"):
        run.load.sessions += 1  # it holds for sessions that begin now
        run.fault()
        run.hold(8)
    run.load.sessions += 1


@scenario(Bounds(write_errors=None, codes=frozenset({1114, 1021})))
def disk_full(run: Run) -> None:
    """The file system of the table that is written to is full on the primary, and has room again later."""
    lab = run.lab
    with small_file_system(lab) as (folder, table):
        run.load.table = table
        run.hold(1)
        filler = folder / "filler"
        run.fault()
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], check=True, capture_output=True)
        run.hold(6)
        filler.unlink()
        run.servers_can_serve()
        run.hold(2)
        run.load.table = "faults.w"
        run.hold(1)
        lab.primary.query(f"INSERT INTO faults.w (tag) SELECT tag FROM {table}")


@contextlib.contextmanager
def small_file_system(lab: Lab, megabytes: int = 6) -> Iterator[tuple[Path, str]]:
    """Give the primary a schema on a tiny file system: its folder, and a table in it like the load's own."""
    schema = "tiny"
    lab.primary.query(f"CREATE DATABASE {schema}")
    lab.wait_in_sync()
    folder = lab.primary.data / schema
    owner = folder.stat()
    options = f"size={megabytes}m,uid={owner.st_uid},gid={owner.st_gid},mode=750"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "rwlab", str(folder)], check=True)
    try:
        lab.primary.query(f"CREATE TABLE {schema}.w LIKE faults.w")
        bulk = "ADD bulk VARCHAR(4000) NOT NULL DEFAULT (REPEAT('x', 4000))"  # so that it grows at once
        lab.primary.query(f"ALTER TABLE {schema}.w {bulk}")
        yield folder, f"{schema}.w"
    finally:
        lab.primary.query(f"DROP TABLE IF EXISTS {schema}.w")
        subprocess.run(["umount", "-l", str(folder)], check=True)
        lab.primary.query(
            f"DROP DATABASE {schema}"
        )  # not before: its folder can't be removed while it is mounted


@scenario()
def slow_disk(run: Run) -> None:
    """The primary's disk does ten writes a second, and each commit is synced."""
    primary = run.lab.primary
    with _set([primary], "sync_binlog", "1"), _set([primary], "innodb_flush_log_at_trx_commit", "1"):
        run.hold(1)
        run.fault()
        with slow_writes(primary, 10) as why_not:
            if why_not:
                run.notes.append(why_not)
            run.hold(5)
        run.servers_can_serve()


@contextlib.contextmanager
def slow_writes(server: SandboxServer, per_second: int) -> Iterator[str]:
    """Let the block device of *server* write so often a second; yields why that can't be had here, or nothing."""
    controller = Path("/sys/fs/cgroup/blkio")
    if not (controller / "blkio.throttle.write_iops_device").exists():
        yield "no blkio controller here: not slowed down"
        return
    device = server.data.stat().st_dev
    group = controller / f"rwlab-{server.pid}"
    group.mkdir()
    try:
        number = f"{device >> 8}:{device & 255}"
        (group / "blkio.throttle.write_iops_device").write_text(f"{number} {per_second}")
        (group / "cgroup.procs").write_text(str(server.pid))
        yield ""
    finally:
        if server.pid is not None:
            (controller / "cgroup.procs").write_text(str(server.pid))
        group.rmdir()


# -- replication


@scenario(short=True)
def replica_delayed(run: Run) -> None:
    """A replica applies everything 5 s late (`SOURCE_DELAY`)."""
    replica = run.lab.replicas[0]
    run.fault()
    replica.delay(5)
    run.hold(6)
    replica.delay(0)


@scenario()
def receiver_stopped(run: Run) -> None:
    """A replica's receiver is stopped; its applier has nothing to do and looks well."""
    replica = run.lab.replicas[0]
    run.fault()
    replica.query("STOP REPLICA IO_THREAD")
    run.hold(6)
    replica.query("START REPLICA IO_THREAD")


@scenario()
def applier_stopped(run: Run) -> None:
    """A replica's applier is stopped; its receiver goes on."""
    replica = run.lab.replicas[0]
    run.fault()
    replica.query("STOP REPLICA SQL_THREAD")
    run.hold(6)
    replica.query("START REPLICA SQL_THREAD")


@scenario()
def replication_broken(run: Run) -> None:
    """A replica's applier stops with an error (a table that only it lacks)."""
    lab = run.lab
    replica = lab.replicas[0]
    lab.primary.query("CREATE TABLE faults.torn (a INT PRIMARY KEY)")
    lab.wait_in_sync()
    mysql = lab.flavor is Flavor.MYSQL
    if mysql:  # read_only stays: root may write all the same
        replica.query("SET GLOBAL super_read_only = OFF")
    with replica.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_log_bin = 0")
        cursor.execute("DROP TABLE faults.torn")
        run.fault()
        lab.primary.query("INSERT INTO faults.torn VALUES (1)")
        run.hold(6)
        cursor.execute("CREATE TABLE faults.torn (a INT PRIMARY KEY)")
    if mysql:
        replica.query("SET GLOBAL super_read_only = ON")
    replica.query("START REPLICA SQL_THREAD")
    run.hold(1)
    lab.primary.query("DROP TABLE faults.torn")


@scenario()
def replica_with_new_uuid(run: Run) -> None:
    """A replica is killed, loses its `server_uuid`, and comes back with another."""
    victim = run.lab.replicas[0]
    run.fault()
    victim.kill()
    (victim.data / "auto.cnf").unlink(missing_ok=True)
    run.hold(2)
    victim.start()


# -- roles


@scenario(Bounds(write_errors=None, codes=GONE), short=True)
def primary_read_only(run: Run) -> None:
    """`super_read_only` (MariaDB: `read_only`) is switched on at the primary for three seconds, in transactions."""
    lab = run.lab
    mysql = lab.flavor is Flavor.MYSQL
    run.fault()
    lab.primary.query("SET GLOBAL super_read_only = ON" if mysql else "SET GLOBAL read_only = ON")
    run.hold(3)
    lab.primary.query("SET GLOBAL read_only = OFF")
    run.servers_can_serve()


@scenario(short=True)
def two_writable_servers(run: Run) -> None:
    """A replica becomes writable too (split brain): nobody may write there."""
    lab = run.lab
    replica = lab.replicas[0]
    run.fault()
    replica.query("SET GLOBAL read_only = OFF")
    run.hold(5)
    mysql = lab.flavor is Flavor.MYSQL
    replica.query("SET GLOBAL super_read_only = ON" if mysql else "SET GLOBAL read_only = ON")
    if mysql:
        executed = replica.value("SELECT @@global.gtid_executed")
        own = replica.value("SELECT @@server_uuid")
        if own in executed:
            run.load.ledger.wrong.append(f"{replica.name} was written to")


@scenario(Bounds(write_errors=None, codes=GONE), spoils=True, short=True, not_for=BY_METADATA)
def new_primary(run: Run) -> None:
    """A replica is promoted by hand, as planned: old primary read-only, replica caught up, writable; all follow it."""
    lab = run.lab
    run.fault()
    lab.promote(lab.replicas[0])
    run.servers_can_serve()
    run.hold()


@scenario(Bounds(write_errors=None, codes=GONE, rolled_back=None), spoils=True, not_for=BY_METADATA)
def new_primary_after_crash(run: Run) -> None:
    """The primary is killed, a replica is promoted, and the old primary comes back, writable."""
    lab = run.lab
    old = lab.primary
    run.fault()
    old.kill()
    run.hold(2)
    lab.promote(_most_advanced(lab))
    run.servers_can_serve()
    run.hold(4)
    old.start()
    mysql = lab.flavor is Flavor.MYSQL
    executed = "SELECT @@global.gtid_executed" if mysql else "SELECT @@gtid_binlog_pos"
    before = old.value(executed)
    run.hold(5)
    if old.value(executed) != before:
        run.load.ledger.wrong.append("the old primary was written to")
    old.query("SET GLOBAL super_read_only = ON" if mysql else "SET GLOBAL read_only = ON")
    lab.follow(old, was_primary=True)
    run.hold(2)


@scenario(
    Bounds(write_errors=6, codes=LOST | {9610}),  # one for each client: what was in flight
    topology=Topology.GROUP,
    flavors=frozenset({Flavor.MYSQL}),
    not_for={"MySQL Router": "not run: it takes a group only with the metadata of an InnoDB Cluster"},
)
def group_primary_killed(run: Run) -> None:
    """The primary of a group of three (Group Replication) is killed (`kill -9`), another is elected, it joins again."""
    lab = run.lab
    victim = lab.primary
    run.fault()
    victim.kill()
    eventually(lambda: lab.elected() not in (None, victim), "another primary is elected", 120)
    run.servers_can_serve()
    run.hold(4)
    victim.start()
    lab.servers.wait_grouped()


def _most_advanced(lab: Lab) -> SandboxServer:
    """Return the replica that has received most: the one that loses least."""
    one, other = lab.replicas
    if lab.flavor is Flavor.MYSQL:
        received = "SELECT GROUP_CONCAT(received_transaction_set) FROM performance_schema.replication_connection_status"
        ahead = one.value("SELECT GTID_SUBSET(%s, %s)", (other.value(received), one.value(received)))
        best = one if ahead else other
        best.value("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, 20)", (best.value(received),))
        return best
    positions = {
        server: str(server.query("SHOW REPLICA STATUS")[0]["Gtid_IO_Pos"]) for server in (one, other)
    }
    best = max(positions, key=lambda server: int(positions[server].rpartition("-")[2] or 0))
    best.value("SELECT MASTER_GTID_WAIT(%s, 20)", (positions[best],))
    return best


def _open_ports(server: SandboxServer) -> list[int]:
    """Return the local ports of this machine's open connections to *server*."""
    wanted = ".".join(reversed(server.host.split(".")))
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, state = line.split()[1:4]
        address, _, port = remote.partition(":")
        dotted = ".".join(str(int(address[at : at + 2], 16)) for at in (0, 2, 4, 6))
        if state == "01" and dotted == wanted and int(port, 16) == server.port:
            found.append(int(local.partition(":")[2], 16))
    return found
