"""The sandbox does what the other tests rely on."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pymysql
import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox, Topology
from rwrouter.sandbox.records import ran_on, statements
from tests.integration.harness import REPOSITORY, eventually, start


def test_a_write_on_the_primary_reaches_every_replica(cluster: Sandbox, schema: str) -> None:
    """After wait_in_sync each replica has what was committed before."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    cluster.primary.query(f"INSERT INTO {schema}.t VALUES (1), (2)")
    cluster.wait_in_sync()
    for replica in cluster.replicas:
        assert replica.query(f"SELECT a FROM {schema}.t ORDER BY a") == [{"a": 1}, {"a": 2}]


def test_servers_are_who_they_say(cluster: Sandbox) -> None:
    """Each server has its own id and UUID, and replicas alone are read-only."""
    assert [s.value("SELECT @@server_id") for s in cluster.servers] == [1, 2, 3]
    assert [s.value("SELECT @@global.read_only") for s in cluster.servers] == [0, 1, 1]
    if cluster.flavor is Flavor.MYSQL:
        assert len({s.value("SELECT @@server_uuid") for s in cluster.servers}) == 3
        assert [s.value("SELECT @@global.super_read_only") for s in cluster.servers] == [0, 1, 1]


def test_the_application_may_not_write_on_a_replica(cluster: Sandbox, schema: str) -> None:
    """The account app is bound by read_only: 1290."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    cluster.wait_in_sync()
    app = {"user": cluster.app.user, "password": cluster.app.password}
    for server in cluster.servers:
        with server.connect(**app) as connection, connection.cursor() as cursor:
            if server is cluster.primary:
                cursor.execute(f"INSERT INTO {schema}.t VALUES (1)")
            else:
                with pytest.raises(pymysql.MySQLError, match="read-only") as caught:
                    cursor.execute(f"INSERT INTO {schema}.t VALUES (2)")
                assert caught.value.args[0] == 1290


def test_the_monitor_sees_replication_and_no_data(cluster: Sandbox, schema: str) -> None:
    """The account monitor reads the replica status, and no table."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    cluster.wait_in_sync()
    monitor = {"user": cluster.monitor.user, "password": cluster.monitor.password}
    with cluster.replicas[0].connect(**monitor) as connection, connection.cursor() as cursor:
        assert cursor.execute("SHOW REPLICA STATUS") == 1
        with pytest.raises(pymysql.MySQLError) as caught:
            cursor.execute(f"SELECT * FROM {schema}.t")
        assert caught.value.args[0] == 1142


def test_records_tell_where_a_statement_ran(cluster: Sandbox, marker: str, schema: str) -> None:
    """One entry per execution by a client; what replication applies counts for nothing."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY) /* {marker} */")
    cluster.wait_in_sync()
    cluster.replicas[1].query(f"SELECT 1 /* {marker} */")
    cluster.replicas[1].query(f"SELECT 2 /* {marker} */")
    assert ran_on(cluster, marker) == ["primary", "replica2", "replica2"]
    assert statements(cluster.replicas[1], marker) == [f"SELECT {n} /* {marker} */" for n in (1, 2)]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_comes_back_as_it_was(cluster: Sandbox, end: str, schema: str) -> None:
    """After an end by order or by force, the replica has the same port and data and catches up by itself."""
    replica = cluster.replicas[0]
    port, old_pid = replica.port, replica.pid
    getattr(replica, end)()
    assert replica.pid is None
    with pytest.raises(pymysql.OperationalError):
        replica.connect()
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    replica.start()
    cluster.wait_in_sync()
    assert replica.port == port
    assert replica.pid not in (None, old_pid)
    assert replica.query(f"SELECT * FROM {schema}.t") == []


def test_a_paused_server_hangs_and_goes_on(cluster: Sandbox) -> None:
    """Paused it accepts and never answers; resumed, it answers."""
    replica = cluster.replicas[1]
    replica.pause()
    try:
        with pytest.raises(pymysql.OperationalError, match="timed out"):
            replica.connect(read_timeout=1)
    finally:
        replica.resume()
    assert replica.value("SELECT 1") == 1


OWNER = """
import sys
from rwrouter.sandbox import Sandbox, Topology
from rwrouter.model import Flavor
sandbox = Sandbox.start(1, flavor=Flavor.MARIADB)
print(*(server.pid for server in sandbox.servers), sandbox.servers[0].socket, flush=True)
sys.stdin.read()
"""


def test_nothing_is_left_of_a_sandbox_whose_owner_was_killed(mariadb: Sandbox) -> None:
    """SIGKILL to the owner ends the servers and removes their files."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    *pids, socket = owner.stdout.readline().split()
    directory = Path(socket).parents[1]
    assert directory.exists()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    eventually(lambda: not directory.exists() and not any(_is_alive(int(pid)) for pid in pids), "all is gone")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_what_one_needs_and_leaves_nothing(mariadb: Sandbox, end: signal.Signals) -> None:
    """`rwrouter sandbox up --json`: one line with all one needs; nothing is left after Ctrl-C."""
    command = [sys.executable, "-m", "rwrouter.cli.main", "sandbox", "up", "--json"]
    with subprocess.Popen(
        [*command, "--replicas=1", "--flavor=mariadb", "--set", "max-connections=77"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        primary, replica = told["servers"]
        account = told["accounts"]["root"]
        with (
            pymysql.connect(
                host=replica["host"], port=replica["port"], user=account["user"], password=account["password"]
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT @@server_id, @@read_only, @@max_connections")
            assert cursor.fetchone() == (2, 1, 77)
        process.send_signal(end)
        assert process.wait(30) == 0
    assert not Path(primary["socket"]).parents[1].exists()
    assert not _is_alive(primary["pid"])


def _is_alive(pid: int) -> bool:
    """Tell whether *pid* runs; one that waits to be reaped does not."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_options_reach_every_server() -> None:
    """What a caller sets wins over the sandbox's own settings."""
    with start(Flavor.MARIADB, replicas=0, options={"max_connections": "77"}) as sandbox:
        assert sandbox.primary.value("SELECT @@global.max_connections") == 77
        directory = Path(sandbox.primary.socket).parents[1]
    assert not directory.exists()


def test_a_chain_replicates_from_one_to_the_next() -> None:
    """The last one's source is a replica."""
    with start(Flavor.MARIADB, topology=Topology.CHAIN) as chain:
        status = chain.servers[2].query("SHOW SLAVE STATUS")[0]
        assert status["Master_Port"] == chain.servers[1].port
        chain.primary.query("CREATE DATABASE chained")
        chain.wait_in_sync()
