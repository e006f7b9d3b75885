"""Statements asked of the router itself, by real clients, before real servers."""

import shutil
import subprocess
from typing import Any

import mysql.connector
import pymysql
import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import ran_on
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory

UNKNOWN = 9607


def items(cursor: Any, sql: str) -> dict[str, str]:
    """Ask, and return items and values."""
    cursor.execute(sql)
    return dict(cursor.fetchall())


def test_no_server_sees_one(cluster: Sandbox, router: RouterFactory, schema: str, marker: str) -> None:
    """Text, prepared, unknown, or with another: answered or refused by the router, in and out of transactions."""
    process = router(cluster)
    good = [f"/* a */ rwrouter explain SELECT '{marker}' ;", f"RWROUTER SHOW SERVERS -- {marker}"]
    bad = [f"RWROUTER {marker}", f"RWROUTER 'x {marker}", f"RWROUTER SHOW SESSION; SELECT '{marker}'"]
    with process.connect(database=schema) as connection, connection.cursor() as cursor:
        for begin in ("SELECT 1", "BEGIN", "SET @a = 1"):
            cursor.execute(begin)
            for sql in good:
                cursor.execute(sql)
                assert cursor.fetchall()
            for sql in bad:
                with pytest.raises(pymysql.MySQLError) as caught:
                    cursor.execute(sql)
                assert caught.value.args[0] == UNKNOWN
    with (
        mysql.connector.connect(**account(process), use_pure=True) as other,
        other.cursor(prepared=True) as preparing,
    ):
        for sql in good:
            preparing.execute(sql)
            assert preparing.fetchall()
        with pytest.raises(mysql.connector.Error) as failed:
            preparing.execute(bad[0])
        assert failed.value.errno == UNKNOWN
    assert ran_on(cluster, marker) == []


def account(process: RouterProcess) -> dict[str, Any]:
    """Return what mysql.connector needs."""
    return {
        "host": process.host,
        "port": process.port,
        "user": process.app.user,
        "password": process.app.password,
        "autocommit": True,
    }


def test_explain_names_who_answers(cluster: Sandbox, router: RouterFactory, schema: str, marker: str) -> None:
    """The server that it names is the one that runs the statement next, by what that server recorded."""
    names = {server.address: server.name for server in cluster.servers}
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    cluster.wait_in_sync()
    with router(cluster).connect(database=schema) as connection, connection.cursor() as cursor:
        for number, sql in enumerate(
            ["SELECT a FROM t", "SELECT a FROM t", "SELECT a FROM t FOR UPDATE"] * 2
        ):
            if number == 3:
                cursor.execute("BEGIN")
            text = f"{sql} /* {marker}-{number} */"
            named = items(cursor, f"RWROUTER EXPLAIN {text}")["server"]
            cursor.execute(text)
            cursor.fetchall()
            address = next(address for address in names if named.startswith(address))
            assert ran_on(cluster, f"{marker}-{number}") == [names[address]]


def test_answers_are_in_the_sessions_character_set(mysql: Sandbox, router: RouterFactory) -> None:
    """A client that reads latin1 gets latin1, whichever way it asked for that."""
    process = router(mysql)
    for charset in ("latin1", "utf8mb4"):
        with process.connect(charset=charset) as connection, connection.cursor() as cursor:
            assert items(cursor, "RWROUTER EXPLAIN SELECT 1 FROM `é`")["digest"] == "SELECT ? FROM `é`"
            cursor.execute("SET NAMES ascii")
            assert items(cursor, "RWROUTER EXPLAIN SELECT 1")["digest"] == "SELECT ?"


@pytest.mark.parametrize("use_pure", [True, False])
def test_a_client_with_and_without_eof_packets(
    cluster: Sandbox, router: RouterFactory, use_pure: bool
) -> None:
    """Connector/Python in Python and in C differ in what they agree on: both read the answers, then go on."""
    try:
        connection = mysql.connector.connect(**account(router(cluster)), use_pure=use_pure)
    except ImportError:
        pytest.skip("no C form of the connector here")
    with connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        session = items(cursor, "RWROUTER SHOW SESSION")
        assert "transaction" in session["tied"]
        assert connection.in_transaction
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]
        cursor.execute("COMMIT")
        cursor.execute("RWROUTER SET consistency = 'primary', max_lag = '2s'")
        assert items(cursor, "RWROUTER SHOW SESSION")["max_lag"] == "2 s, by RWROUTER SET"
        connection.cmd_reset_connection()
        assert items(cursor, "RWROUTER SHOW SESSION")["consistency"] == "session, by reads.consistency"


def test_the_command_line_client(mariadb: Sandbox, router: RouterFactory) -> None:
    """A person types it into the `mariadb` client."""
    client = shutil.which("mariadb")
    if client is None:
        pytest.skip("no mariadb client here")
    process = router(mariadb)
    line = [
        client,
        f"-h{process.host}",
        f"-P{process.port}",
        f"-u{process.app.user}",
        f"-p{process.app.password}",
    ]
    line += ["--ssl", "-t", "-e", "RWROUTER SHOW SERVERS; SELECT 7; RWROUTER HELP"]
    if mariadb.flavor is Flavor.MARIADB:
        line.remove("--ssl")
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "| primary |" in done.stdout
    assert "| 7 |" in done.stdout
    assert "RWROUTER SET max_lag" in done.stdout
