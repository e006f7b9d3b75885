"""What follows a session to each server: its role, its new password, its variables, what a reset takes away."""

import secrets
from typing import Any

import pymysql
import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import ran_on
from tests.integration.harness import RouterFactory

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
