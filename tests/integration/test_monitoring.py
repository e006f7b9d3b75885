"""The monitor on real servers: what it finds, what it makes of faults, and how soon."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rwrouter.model import Flavor, Role, State
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.options import Account
from rwrouter.sandbox.server import SandboxServer
from tests.integration.watch import INTERVAL, Watch

SLACK = 15.0  # seconds that a busy test machine may add: what is tested is that it comes at all


def word(sandbox: Sandbox, text: str) -> str:
    """Return *text*, written for MySQL, in the words of *sandbox*."""
    if sandbox.flavor is Flavor.MARIADB:
        for new, old in (("REPLICATION SOURCE", "MASTER"), ("REPLICA", "SLAVE"), ("SOURCE", "MASTER")):
            text = text.replace(new, old)
    return text


def set_read_only(server: SandboxServer, sandbox: Sandbox, *, on: bool) -> None:
    """Make *server* read-only, or writable."""
    name = "super_read_only" if sandbox.flavor is Flavor.MYSQL and on else "read_only"
    server.query(f"SET GLOBAL {name} = {int(on)}")


@contextmanager
def delayed(replica: SandboxServer, sandbox: Sandbox, seconds: int) -> Iterator[None]:
    """Have *replica* apply everything *seconds* later."""
    try:
        set_delay(replica, sandbox, seconds)
        yield
    finally:
        set_delay(replica, sandbox, 0)


def set_delay(replica: SandboxServer, sandbox: Sandbox, seconds: int) -> None:
    """Set SOURCE_DELAY. MariaDB changes nothing while the receiver runs."""
    thread = " SQL_THREAD" if sandbox.flavor is Flavor.MYSQL else ""
    replica.query(word(sandbox, f"STOP REPLICA{thread}"))
    replica.query(word(sandbox, f"CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}"))
    replica.query(word(sandbox, f"START REPLICA{thread}"))


def test_a_cluster_is_found_with_the_least_rights(cluster: Sandbox, schema: str) -> None:
    """Roles, versions, positions, the greeting and the session variables, by an account that sees little."""
    with Watch(cluster) as watch:
        watch.until(
            lambda snapshot: (
                snapshot.primary == "primary"
                and (len(snapshot.tracked_variables) > 100 or snapshot.tracked_variables == ("*",))
                # In whole seconds only, by Seconds_Behind_Source: the schema may just have come.
                and all(server.lag.seconds == 0.0 for server in snapshot.servers)
            )
        )
        snapshot = watch.snapshot
    roles = {server.name: server.role for server in snapshot.servers}
    assert roles == {"primary": Role.PRIMARY, "replica1": Role.REPLICA, "replica2": Role.REPLICA}
    assert {server.state for server in snapshot.servers} == {State.UP}
    assert {server.flavor for server in snapshot.servers} == {cluster.flavor}
    assert all(server.version and server.executed for server in snapshot.servers)
    assert snapshot.greeting is not None
    with cluster.primary.connect() as opened:
        connection: Any = opened  # its stubs leave these out
        assert snapshot.greeting.version == connection.server_version
        assert snapshot.greeting.capabilities == connection.server_capabilities
    assert snapshot.problem == ""
    assert all("monitor's account lacks" in alarm for alarm in snapshot.alarms)


def test_the_tracked_variables_are_accepted(mysql: Sandbox) -> None:
    """What was learned can be given to the tracker, without a warning, and has what applications set."""
    with Watch(mysql) as watch:
        watch.until(lambda snapshot: len(snapshot.tracked_variables) > 100)
        names = watch.snapshot.tracked_variables
    with mysql.primary.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION session_track_system_variables = %s", (",".join(names),))
        cursor.execute("SHOW WARNINGS")
        assert list(cursor.fetchall()) == []
    assert {"sql_mode", "time_zone", "collation_connection", "transaction_isolation", "binlog_format"} <= set(
        names
    )
    assert not {"statement_id", "timestamp", "port", "max_allowed_packet"} & set(names)


def test_a_killed_replica_is_out_within_two_intervals_and_comes_back(cluster: Sandbox) -> None:
    """Nobody has to tell the router, neither that it went nor that it came."""
    replica = cluster.replicas[0]
    with Watch(cluster) as watch:
        replica.kill()
        try:
            assert watch.until_state(replica, State.DOWN) <= 2 * INTERVAL + SLACK
            assert watch.snapshot.server(replica.name).reason == "connection refused"
        finally:
            replica.start()
        assert watch.until_state(replica, State.UP) <= 2 * INTERVAL + 5  # the receiver connects first
        assert watch.snapshot.primary == "primary"


def test_a_hung_replica_is_out_and_delays_nobody(cluster: Sandbox) -> None:
    """It accepts and never answers; the others are probed on time meanwhile."""
    replica, other = cluster.replicas
    with Watch(cluster) as watch:
        replica.pause()
        try:
            took = watch.until_state(replica, State.DOWN)
            assert took <= 3 * INTERVAL + 2 * SLACK
            assert "no answer within" in watch.snapshot.server(replica.name).reason
            start = time.monotonic()
            cluster.primary.query("CREATE DATABASE IF NOT EXISTS seen")
            executed = watch.snapshot.server(other.name).executed
            watch.until(lambda snapshot: snapshot.server(other.name).executed != executed)
            assert time.monotonic() - start <= 2 * INTERVAL + SLACK
        finally:
            replica.resume()
            cluster.primary.query("DROP DATABASE IF EXISTS seen")
        assert watch.until_state(replica, State.UP) <= 2 * INTERVAL + SLACK


@pytest.mark.parametrize(
    ("thread", "why"), [("SQL_THREAD", "applier stopped"), ("IO_THREAD", "receiver stopped")]
)
def test_a_stopped_thread_takes_a_replica_out(cluster: Sandbox, thread: str, why: str) -> None:
    """Its lag is unknown, which is never 0."""
    replica = cluster.replicas[0]
    with Watch(cluster) as watch:
        replica.query(word(cluster, f"STOP REPLICA {thread}"))
        try:
            assert watch.until_state(replica, State.LAGGING) <= 2 * INTERVAL + SLACK
            seen = watch.snapshot.server(replica.name)
            assert seen.lag.seconds is None
            assert why in seen.reason
        finally:
            replica.query(word(cluster, f"START REPLICA {thread}"))
        assert watch.until_state(replica, State.UP) <= 2 * INTERVAL + 1 + SLACK


@pytest.mark.parametrize("who", ["monitor", "root"])
def test_a_delayed_replica_lags_and_comes_back(cluster: Sandbox, who: str) -> None:
    """The lag is that of what was written, whether the monitor may read the commit times or not."""
    replica = cluster.replicas[0]
    account = getattr(cluster, who)
    with Watch(cluster, account, max_lag=2.0) as watch:
        with delayed(replica, cluster, 30):
            watch.until_state(replica, State.UP)
            cluster.primary.query("CREATE DATABASE IF NOT EXISTS late")
            written = time.monotonic()
            watch.until_state(replica, State.LAGGING)
            watch.until(lambda snapshot: (snapshot.server(replica.name).lag.seconds or 0) > 3)
            lag = watch.snapshot.server(replica.name).lag
            assert lag.seconds is not None
            assert abs(lag.seconds - (time.monotonic() - written)) <= 1 + SLACK, lag
            if who == "root" and cluster.flavor is Flavor.MYSQL:
                assert lag.why == "commit timestamps"
                assert abs(lag.seconds - (time.monotonic() - written)) <= SLACK, lag
        cluster.primary.query("DROP DATABASE late")
        watch.until_state(replica, State.UP)
    cluster.wait_in_sync()


def test_an_idle_primary_makes_nobody_lag(mysql: Sandbox) -> None:
    """Commit times grow old while nothing is written: that is not lag."""
    mysql.primary.query("CREATE DATABASE IF NOT EXISTS idle")
    mysql.primary.query("DROP DATABASE idle")
    mysql.wait_in_sync()
    with Watch(mysql, mysql.root, max_lag=1.0) as watch:
        time.sleep(3 * INTERVAL)  # what is tested is that time passes
        servers = watch.snapshot.servers
    assert {server.lag.seconds for server in servers} == {0.0}
    assert {server.lag.why for server in servers} == {"is the primary", "commit timestamps"}


ALL_RIGHTS = {
    Flavor.MYSQL: ("REPLICATION CLIENT ON *.*", "SELECT ON performance_schema.*", "SHOW_ROUTINE ON *.*"),
    Flavor.MARIADB: ("SLAVE MONITOR ON *.*", "SELECT ON mysql.proc"),
}


def test_an_account_with_the_rights_that_alarms_ask_for_raises_none(cluster: Sandbox, schema: str) -> None:
    """What an alarm tells to grant, ends it; and a function that only reads is known by its name."""
    account = Account(f"m_{schema}"[:32], "Seen-all-1")
    primary = cluster.primary
    primary.query(f"CREATE USER {account.user} IDENTIFIED BY '{account.password}'")
    try:
        for right in ALL_RIGHTS[cluster.flavor]:
            primary.query(f"GRANT {right} TO {account.user}")
        primary.query(f"CREATE FUNCTION {schema}.f() RETURNS INT READS SQL DATA RETURN 1")
        cluster.wait_in_sync()
        with Watch(cluster, account) as watch:
            watch.until(lambda snapshot: f"{schema}.f" in snapshot.reading_routines)
            assert watch.snapshot.alarms == ()
    finally:
        primary.query(f"DROP USER {account.user}")


def test_a_wrong_password_is_named(cluster: Sandbox) -> None:
    """Clients and logs are told what to set, for each server."""
    with Watch(cluster, Account(cluster.monitor.user, "wrong")) as watch:
        watch.until(lambda snapshot: snapshot.problem.count("refuses the monitor's account") == 3)
        assert "RWROUTER_MONITOR_PASSWORD" in watch.snapshot.problem
        assert watch.snapshot.primary is None


def test_a_switchover_is_followed(cluster: Sandbox) -> None:
    """Read-only switched on and off is believed with the next probe, there and back."""
    first, second = cluster.primary, cluster.replicas[0]
    with Watch(cluster) as watch:
        watch.until(lambda snapshot: snapshot.primary == first.name)
        set_read_only(first, cluster, on=True)
        try:
            assert watch.until(lambda snapshot: snapshot.primary is None) <= 2 * INTERVAL + SLACK
            assert watch.snapshot.server("replica2").state is State.UP
            assert "writable" in watch.snapshot.problem
            second.query(word(cluster, "STOP REPLICA"))
            set_read_only(second, cluster, on=False)
            assert watch.until(lambda snapshot: snapshot.primary == second.name) <= 2 * INTERVAL + SLACK
            set_read_only(first, cluster, on=False)
            watch.until(lambda snapshot: any("both" in a or "2 servers" in a for a in snapshot.alarms))
            assert watch.snapshot.primary == second.name
            set_read_only(second, cluster, on=True)
            assert watch.until(lambda snapshot: snapshot.primary == first.name) <= 2 * INTERVAL + SLACK
        finally:
            set_read_only(second, cluster, on=True)
            second.query(word(cluster, "START REPLICA"))
            set_read_only(first, cluster, on=False)


def test_reads_go_on_when_the_primary_is_killed(cluster: Sandbox) -> None:
    """The replicas lose their source, and stay; the problem says that there is no primary, and why."""
    with Watch(cluster, max_lag=1.0) as watch:
        cluster.primary.kill()
        try:
            assert watch.until(lambda snapshot: snapshot.primary is None) <= 2 * INTERVAL + SLACK
            time.sleep(3.0)  # past the lag limit: what is tested is that nothing grows
            assert {watch.snapshot.server(one.name).state for one in cluster.replicas} == {State.UP}
            assert "primary connection refused" in watch.snapshot.problem
        finally:
            cluster.primary.start()
        watch.until(lambda snapshot: snapshot.primary == "primary")
        for replica in cluster.replicas:
            watch.until_state(replica, State.UP)
    cluster.wait_in_sync()
