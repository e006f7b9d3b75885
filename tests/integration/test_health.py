"""What is wrong with one server, or with one account, and who notices: a router before real servers."""

import contextlib
import json
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

from rwrouter.model import Flavor, State
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox import router as sandbox_router
from rwrouter.sandbox.records import ran_on
from rwrouter.sandbox.router import RouterProcess
from rwrouter.sandbox.server import SandboxServer
from tests.integration.harness import RouterFactory, eventually, missing
from tests.integration.watch import Watch

PATIENT = '[monitor]\ntimeout = "10s"\nfall = 9\n'  # a busy machine must not look like a server that is down


def status(front: RouterProcess) -> dict[str, Any]:
    """Return /v1/status."""
    with urllib.request.urlopen(f"http://127.0.0.1:{front.admin_port}/v1/status", timeout=20) as answer:
        found = json.loads(answer.read())
    assert isinstance(found, dict)
    return found


def states(front: RouterProcess) -> list[str]:
    """Return the state of each server."""
    return [server["state"] for server in status(front)["servers"]]


def test_an_account_that_a_replica_refuses_concerns_its_clients_alone(
    cluster: Sandbox, router: RouterFactory, schema: str, marker: str
) -> None:
    """1045 there: its reads run where it may log in; the replica goes on serving others."""
    user = f"u_{schema}"[:32]
    with cluster.primary.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")  # the replicas never hear of it
        cursor.execute(f"CREATE USER {user} IDENTIFIED BY 'Only-here-1'")
    try:
        front = router(cluster, config=PATIENT)
        for _ in range(5):
            with (
                front.connect(user=user, password="Only-here-1") as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute(f"SELECT 1 /* {marker} */")
                assert cursor.fetchone() == (1,)
        assert set(ran_on(cluster, marker)) == {"primary"}
        assert states(front) == ["up"] * 3
        assert "event=shunned" not in front.log()
        assert "event=server_down" not in front.log()
    finally:
        with cluster.primary.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET sql_log_bin = 0")
            cursor.execute(f"DROP USER {user}")


@contextmanager
def filled(server: SandboxServer) -> Iterator[None]:
    """Leave no room for one more connection of an application at *server*."""
    before = server.value("SELECT @@global.max_connections")
    user, password = server.accounts.app.user, server.accounts.app.password
    with ExitStack() as held:
        server.query("SET GLOBAL max_connections = 30")
        try:
            with pytest.raises(pymysql.MySQLError, match="Too many connections"):
                fill(server, held, user, password)
            yield
        finally:
            held.close()
            server.query(f"SET GLOBAL max_connections = {before}")


def fill(server: SandboxServer, held: ExitStack, user: str, password: str) -> None:
    """Open connections to *server* until it refuses one."""
    while True:
        held.enter_context(server.connect(user=user, password=password))


def test_a_full_server_stays_and_is_opened_less(
    cluster: Sandbox, router: RouterFactory, schema: str, marker: str
) -> None:
    """1040: who has a connection there goes on reading there; new clients read elsewhere, without an error."""
    full = cluster.replicas[0]
    front = router(cluster, config=PATIENT)
    with front.connect() as connection, connection.cursor() as old:
        for _ in range(20):
            old.execute("SELECT 1")
        with filled(full):
            for number in range(6):
                with front.connect() as other, other.cursor() as cursor:
                    for _ in range(4):
                        cursor.execute(f"SELECT {number} /* {marker} new */")
            for _ in range(20):
                old.execute(f"SELECT 2 /* {marker} old */")
            assert states(front) == ["up"] * 3
    assert full.name in ran_on(cluster, f"{marker} old")
    assert full.name not in ran_on(cluster, f"{marker} new")
    assert "event=full server=" in front.log()
    assert "event=server_down" not in front.log()


def test_a_full_primary_answers_word_for_word(cluster: Sandbox, router: RouterFactory) -> None:
    """Who comes new gets the server's own 1040, and who is there goes on; when there is room, all is as before."""
    front = router(cluster, config=PATIENT)
    with front.connect() as connection, connection.cursor() as cursor:
        with filled(cluster.primary):
            with pytest.raises(pymysql.MySQLError, match="Too many connections") as caught:
                front.connect().close()
            assert caught.value.args[0] == 1040
            cursor.execute("DO 1")
            assert states(front) == ["up"] * 3
        cursor.execute("DO 2")
    eventually(lambda: can_log_in(front), "a login, when there is room", 60)


def can_log_in(front: RouterProcess) -> bool:
    """Tell whether an application can."""
    try:
        front.connect().close()
    except pymysql.MySQLError:
        return False
    return True


def test_a_monitor_that_is_refused_raises_an_alarm_and_takes_nobody_out(cluster: Sandbox) -> None:
    """The server lives; the alarm says what to set."""
    replica = cluster.replicas[0]
    account = cluster.monitor
    with Watch(
        cluster, monitor={"timeout": 10.0, "fall": 9}
    ) as watch:  # a busy machine takes nobody out either
        watch.until_state(replica, State.UP)
        cluster.primary.query(f"ALTER USER {account.user} IDENTIFIED BY 'Changed-1'")
        cluster.wait_in_sync()
        try:
            end_sessions(replica, account.user)
            wanted = f"{replica.name} refuses the monitor's account"
            watch.until(lambda seen: any(alarm.startswith(wanted) for alarm in seen.alarms))
            assert watch.snapshot.server(replica.name).state is not State.DOWN
        finally:
            cluster.primary.query(f"ALTER USER {account.user} IDENTIFIED BY '{account.password}'")
        watch.until(lambda seen: not any(alarm.startswith(wanted) for alarm in seen.alarms))
    cluster.wait_in_sync()


def test_a_right_that_the_monitor_loses_takes_nobody_out(cluster: Sandbox) -> None:
    """REPLICATION CLIENT, SLAVE MONITOR: roles and lag are known by other words, and the alarm says what to grant."""
    right = "REPLICATION CLIENT" if cluster.flavor is Flavor.MYSQL else "SLAVE MONITOR"
    account = cluster.monitor
    with Watch(cluster, monitor={"timeout": 10.0, "fall": 9}) as watch:
        for server in cluster.servers:
            watch.until_state(server, State.UP)
        cluster.primary.query(f"REVOKE {right} ON *.* FROM '{account.user}'@'%'")
        cluster.wait_in_sync()
        try:
            for server in cluster.servers:  # a right is looked up at the login
                end_sessions(server, account.user)
            wanted = f"grant {right} to the monitor"
            watch.until(lambda seen: sum(wanted in alarm for alarm in seen.alarms) == len(cluster.servers))
            assert {server.state for server in watch.snapshot.servers} == {State.UP}
            assert watch.snapshot.primary == cluster.primary.name
            assert watch.snapshot.server(cluster.replicas[0].name).lag.seconds is not None
        finally:
            cluster.primary.query(f"GRANT {right} ON *.* TO '{account.user}'@'%'")
            cluster.wait_in_sync()
        for server in cluster.servers:
            end_sessions(server, account.user)
        watch.until(lambda seen: not any(wanted in alarm for alarm in seen.alarms))


def end_sessions(server: SandboxServer, user: str) -> None:
    """Kill the connections of *user*."""
    for row in server.query(KILLED[server.flavor], (user,)):
        with contextlib.suppress(pymysql.MySQLError):  # it has ended by itself
            server.query(f"KILL {row['id']}")


KILLED = {
    Flavor.MYSQL: "SELECT PROCESSLIST_ID AS id FROM performance_schema.threads WHERE PROCESSLIST_USER = %s",
    Flavor.MARIADB: "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = %s",
}


def test_a_hung_replica_costs_new_clients_no_error_and_comes_back_slowly(
    cluster: Sandbox, router: RouterFactory, marker: str
) -> None:
    """SIGSTOP: it accepts and never answers. Who was sent there reads elsewhere; later it takes a part of its share."""
    hung, other = cluster.replicas
    config = '[reads]\nslow_start = "1h"\n[monitor]\ntimeout = "5s"\nfall = 1\n'
    front = router(cluster, config=config)
    hung.pause()
    try:
        for number in range(6):
            with front.connect() as connection, connection.cursor() as cursor:
                for _ in range(4):
                    cursor.execute(f"SELECT {number}")
        eventually(lambda: "down" in states(front), "it is found down", 60)
    finally:
        hung.resume()
    eventually(lambda: states(front) == ["up"] * 3, "it is back", 60)
    ramps = {server["name"]: server["ramp"] for server in status(front)["servers"]}
    assert ramps == {cluster.primary.address: 1.0, hung.address: 0.1, other.address: 1.0}
    with front.connect() as connection, connection.cursor() as cursor:
        for _ in range(111):
            cursor.execute(f"SELECT 1 /* {marker} */")
    shares = Counter(ran_on(cluster, marker))
    assert 0 < shares[hung.name] < shares[other.name] / 3


@contextmanager
def small_disk(server: SandboxServer, schema: str) -> Iterator[None]:
    """Put *schema* of *server* alone on a disk of 6 MB: a file system in memory, over the schema's directory."""
    place = Path(server.socket).parent / "data" / schema
    kept = {file.name: file.read_bytes() for file in place.iterdir()}
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        missing("a test of a full disk mounts a file system, which root may do")
    try:
        for name, content in kept.items():
            (place / name).write_bytes(content)
        yield
    finally:
        server.query(f"DROP TABLE IF EXISTS {schema}.t")
        subprocess.run(["umount", str(place)], check=True)


def repeat(cursor: Any, sql: str) -> None:
    """Run *sql* until it fails."""
    while True:
        cursor.execute(sql)


def test_a_full_disk_is_told_word_for_word_and_reads_go_on(
    mysql: Sandbox, router: RouterFactory, schema: str, marker: str
) -> None:
    """1114 or 1021, as the primary itself says it; it stays the primary, and reads are answered.

    MariaDB 10.11 ends itself in this state: for its clients that is a primary that crashes.
    """
    primary = mysql.primary
    with small_disk(primary, schema):
        primary.query(f"CREATE TABLE {schema}.t (a LONGTEXT) ENGINE=InnoDB")
        mysql.wait_in_sync()
        insert = "INSERT INTO t VALUES (REPEAT('x', 1000000))"
        front = router(mysql, config=PATIENT)
        with front.connect(database=schema) as connection, connection.cursor() as cursor:
            with pytest.raises(pymysql.MySQLError) as caught:
                repeat(cursor, insert)
            with (
                primary.connect(database=schema) as direct,
                direct.cursor() as own,
                pytest.raises(pymysql.MySQLError) as told,
            ):
                own.execute(insert)
            assert caught.value.args == told.value.args
            assert caught.value.args[0] in {1021, 1114}
            for _ in range(10):
                cursor.execute(f"SELECT COUNT(*) FROM t /* {marker} */")
        assert {"replica1", "replica2"} & set(ran_on(mysql, marker))
        assert states(front) == ["up"] * 3
        mysql.wait_in_sync()


def test_a_router_without_descriptors_goes_on(
    cluster: Sandbox, router: RouterFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes new waits or is turned away; who is connected notices nothing, and no server is held to be down."""
    honest = sandbox_router.command
    monkeypatch.setattr(
        sandbox_router, "command", lambda *given: ["prlimit", "--nofile=90:90", *honest(*given)]
    )
    front = router(cluster, config=PATIENT)
    with front.connect() as connection, connection.cursor() as old, ExitStack() as held:
        for _ in range(6):
            old.execute("SELECT 1")
        with pytest.raises(pymysql.MySQLError):
            crowd(front, held)
        for _ in range(20):
            assert old.execute("SELECT 1") == 1
        old.execute("DO 1")
        assert states(front) == ["up"] * 3
        held.close()
        eventually(lambda: can_log_in(front), "a login, when there are descriptors again")
    assert "event=server_down" not in front.log()


def crowd(front: RouterProcess, held: ExitStack) -> None:
    """Connect, and read on every server, until that fails."""
    while True:
        connection = held.enter_context(front.connect(connect_timeout=10, read_timeout=10))
        for _ in range(6):
            connection.query("SELECT 1")
