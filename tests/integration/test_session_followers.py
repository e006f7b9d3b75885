"""What follows a session to each server: its role, its new password, its variables, what a reset takes away."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import ran_on, statements
from rwrouter.sandbox.server import SandboxServer
from tests.integration.harness import RouterFactory
from tests.integration.raw import RawClient

REPLICAS = {"replica1", "replica2"}
WEIGHTS = (0, 100, 100)


def test_a_role_holds_on_every_server(
    cluster: Sandbox, router: RouterFactory, schema: str, marker: str
) -> None:
    """Rights of a role that is taken or left are those of the reads on replicas, too."""
    user, role = f"u{secrets.token_hex(3)}", f"r{secrets.token_hex(3)}"
    cluster.primary.run(
        [
            f"CREATE TABLE {schema}.t (a INT)",
            f"CREATE USER {user} IDENTIFIED BY 'pw'",
            f"CREATE ROLE {role}",
            f"GRANT SELECT ON {schema}.* TO {role}",
            f"GRANT {role} TO {user}",
        ]
    )
    cluster.wait_in_sync()
    process = router(cluster, weights=WEIGHTS)
    with process.connect(user=user, password="pw") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute(f"SET ROLE {role}")
        for _ in range(4):
            cursor.execute(f"SELECT COUNT(*) FROM {schema}.t /* {marker} */")
            assert cursor.fetchone() == (0,)
        cursor.execute("SELECT CURRENT_ROLE()")
        cursor.execute("SET ROLE NONE")
        for _ in range(2):
            with pytest.raises(pymysql.err.OperationalError) as refused:
                cursor.execute(f"SELECT COUNT(*) FROM {schema}.t")
            assert refused.value.args[0] == 1142
    assert set(ran_on(cluster, marker)) == REPLICAS
    cluster.primary.run([f"DROP USER {user}", f"DROP ROLE {role}"])
    cluster.wait_in_sync()


def test_a_session_goes_on_with_its_new_password(
    cluster: Sandbox, router: RouterFactory, marker: str
) -> None:
    """Connections that are opened after SET PASSWORD are logged in with it; no server is left for it by others."""
    user = f"u{secrets.token_hex(3)}"
    cluster.primary.query(f"CREATE USER {user} IDENTIFIED BY 'old'")
    cluster.wait_in_sync()
    new = "PASSWORD('it''s new')" if cluster.flavor is Flavor.MARIADB else "'it''s new'"
    process = router(cluster, weights=WEIGHTS)
    with process.connect(user=user, password="old") as connection, connection.cursor() as cursor:
        cursor.execute(f"SET PASSWORD = {new}")
        cluster.wait_in_sync()
        for _ in range(4):
            cursor.execute(f"SELECT 1 /* {marker} */")
    assert set(ran_on(cluster, marker)) == REPLICAS
    with process.connect(user=user, password="it's new") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    with pytest.raises(pymysql.err.OperationalError):
        process.connect(user=user, password="old")
    cluster.primary.query(f"DROP USER {user}")
    cluster.wait_in_sync()


def test_a_reset_ends_all_that_ties(
    cluster: Sandbox, router: RouterFactory, schema: str, marker: str
) -> None:
    """COM_RESET_CONNECTION on every connection of the session; its writes are still seen."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT)")
    cluster.wait_in_sync()
    process = router(cluster, weights=WEIGHTS)
    with process.connect(database=schema) as connection, connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute("SELECT 1")
        for statement in (
            "SET @x = 1, time_zone = '+05:00'",
            "CREATE TEMPORARY TABLE tmp (a INT)",
            f"SELECT GET_LOCK('{schema}', 1)",
            "INSERT INTO t VALUES (1)",
        ):
            cursor.execute(statement)
        wire: Any = connection  # PyMySQL has no COM_RESET_CONNECTION of its own
        wire._execute_command(31, b"")
        wire._read_ok_packet()
        for _ in range(4):
            cursor.execute(f"SELECT COUNT(*), @@time_zone FROM t /* {marker} */")
            assert cursor.fetchone() == (1, "SYSTEM")
        cursor.execute(f"SELECT @x, IS_FREE_LOCK('{schema}')")
        assert cursor.fetchone() == (None, 1)
        with pytest.raises(pymysql.err.ProgrammingError):
            cursor.execute("SELECT * FROM tmp")
    assert set(ran_on(cluster, marker)) == REPLICAS


@contextmanager
def time_zone(name: str, servers: list[SandboxServer]) -> Iterator[None]:
    """Make the time zone *name* known on *servers* alone: an hour ahead of UTC."""
    make = [
        "INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N')",
        f"INSERT INTO mysql.time_zone_name VALUES ('{name}', LAST_INSERT_ID())",
        "INSERT INTO mysql.time_zone_transition_type VALUES (LAST_INSERT_ID(), 0, 3600, 0, 'TST')",
    ]
    drop = [
        f"SET @id = (SELECT Time_zone_id FROM mysql.time_zone_name WHERE Name = '{name}')",
        "DELETE FROM mysql.time_zone_transition_type WHERE Time_zone_id = @id",
        "DELETE FROM mysql.time_zone WHERE Time_zone_id = @id",
        "DELETE FROM mysql.time_zone_name WHERE Time_zone_id = @id",
    ]
    for server in servers:
        on_its_own(server, make)
    try:
        yield
    finally:
        for server in servers:
            on_its_own(server, drop)


def on_its_own(server: SandboxServer, changes: list[str]) -> None:
    """Make *changes* on *server* that no other server hears of; a replica stays read-only for applications."""
    before = []
    if server.flavor is Flavor.MYSQL and server.value("SELECT @@GLOBAL.super_read_only"):
        before.append("SET GLOBAL super_read_only = 0")
    server.run([*before, "SET SESSION sql_log_bin = 0", *changes])
    if before:
        server.query("SET GLOBAL super_read_only = 1")


def times_refused(server: SandboxServer, zone: str) -> int:
    """Return how often *server* has been asked for the time *zone*, which it does not know."""
    if server.flavor is Flavor.MARIADB:
        return len(statements(server, zone))
    return int(
        server.value(
            "SELECT SUM_ERROR_RAISED FROM performance_schema.events_errors_summary_global_by_error "
            "WHERE ERROR_NUMBER = 1298"
        )
    )


def test_a_replica_that_refuses_a_sessions_variable_is_left_by_that_session_alone(
    cluster: Sandbox, router: RouterFactory, schema: str, marker: str
) -> None:
    """A time zone that one replica does not know: the session reads elsewhere, and there again with another one."""
    refusing, other = cluster.replicas
    zone = f"Test/{schema}"
    with time_zone(zone, [cluster.primary, other]):
        front = router(cluster, weights=WEIGHTS)
        before = times_refused(refusing, zone)
        with front.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SET time_zone = '{zone}'")
            for _ in range(12):
                cursor.execute(f"SELECT @@time_zone /* {marker} refused */")
                assert cursor.fetchone() == (zone,)
            assert set(ran_on(cluster, f"{marker} refused")) == {other.name}
            assert times_refused(refusing, zone) == before + 1  # it is not asked again
            with front.connect() as another, another.cursor() as reads:
                for _ in range(6):
                    reads.execute(f"SELECT 1 /* {marker} other */")
            assert set(ran_on(cluster, f"{marker} other")) == REPLICAS
            cursor.execute("SET time_zone = '+02:00'")
            for _ in range(6):
                cursor.execute(f"SELECT @@time_zone /* {marker} again */")
                assert cursor.fetchone() == ("+02:00",)
            assert set(ran_on(cluster, f"{marker} again")) == REPLICAS
        assert "event=server_down" not in front.log()
        assert "event=shunned" not in front.log()


def test_a_server_may_begin_sessions_with_autocommit_off(
    mariadb: Sandbox, router: RouterFactory, schema: str, marker: str
) -> None:
    """By its own settings: the login tells the client so, and the session is in a transaction, on the primary.

    MySQL's status flags do not follow `SET GLOBAL autocommit`.
    """
    mariadb.primary.query(f"CREATE TABLE {schema}.t (a INT)")
    for server in mariadb.servers:
        server.query("SET GLOBAL autocommit = 0")
    try:
        process = router(mariadb, weights=WEIGHTS)
        with (
            process.connect(database=schema, autocommit=None) as connection,
            process.connect(database=schema, autocommit=True) as other,
            connection.cursor() as cursor,
            other.cursor() as witness,
        ):
            assert not connection.get_autocommit()
            cursor.execute(f"SELECT COUNT(*) FROM t /* {marker} */")
            cursor.execute("INSERT INTO t VALUES (1)")
            wire: Any = connection
            wire._execute_command(31, b"")
            wire._read_ok_packet()
            assert not connection.get_autocommit()
            cursor.execute(f"SELECT COUNT(*) FROM t /* {marker} */")
            assert cursor.fetchone() == (0,)
            assert ran_on(mariadb, marker) == ["primary"] * 2
            cursor.execute("INSERT INTO t VALUES (2)")
            witness.execute("SELECT COUNT(*) FROM t")
            assert witness.fetchone() == (0,)
            connection.commit()
            for _ in range(2):
                witness.execute(f"SELECT COUNT(*) FROM t /* {marker}-on */")
            assert set(ran_on(mariadb, f"{marker}-on")) == REPLICAS
    finally:
        for server in mariadb.servers:
            server.query("SET GLOBAL autocommit = 1")


def test_a_client_is_hung_up_on_after_its_own_wait_timeout(cluster: Sandbox, router: RouterFactory) -> None:
    """As by the server, and in its words; also where nothing ties the session, and its reads went elsewhere."""
    process = router(cluster, weights=WEIGHTS)
    words = []
    for host, port in ((cluster.primary.host, cluster.primary.port), (process.host, process.port)):
        with RawClient(host, port, cluster.app.user, cluster.app.password, timeout=120) as client:
            client.query("SET SESSION wait_timeout = 1")
            for _ in range(3):
                client.query("SELECT 1")
            heard = b""
            with suppress(ConnectionResetError):
                while True:
                    heard += client.read()
            words.append(heard)
    assert words[0] == words[1]
