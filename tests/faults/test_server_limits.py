"""Limits of a server: its own error reaches the client word for word, is harmless to others, and is not run again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mysql.connector
import pymysql
import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import OWN, ran_on
from tests.integration.conftest import SchemaFactory
from tests.integration.harness import RouterFactory, eventually


@contextmanager
def limited(servers: Sandbox, variable: str, value: int) -> Iterator[None]:
    """Give a global variable another value on all servers."""
    before = [(server, server.value(f"SELECT @@global.{variable}")) for server in servers.servers]
    for server, _ in before:
        server.query(f"SET GLOBAL {variable} = {value}")
    try:
        yield
    finally:
        for server, old in before:
            server.query(f"SET GLOBAL {variable} = {old}")


def error_of(connection: Any, sql: str, arguments: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    """Return the error that *sql* ends with."""
    with connection.cursor() as cursor, pytest.raises(pymysql.err.MySQLError) as caught:
        cursor.execute(sql, arguments or None)
    return caught.value.args


def test_no_prepared_statements_are_left(cluster: Sandbox, router: RouterFactory) -> None:
    """max_prepared_stmt_count=0: error 1461 as the server says it; text goes on on the same connection."""
    process = router(cluster)
    with limited(cluster, "max_prepared_stmt_count", 0):
        texts = []
        for host, port in ((cluster.primary.host, cluster.primary.port), (process.host, process.port)):
            connection = mysql.connector.connect(
                host=host,
                port=port,
                user=cluster.app.user,
                password=cluster.app.password,
                use_pure=True,
            )
            cursor = connection.cursor(prepared=True)
            with pytest.raises(mysql.connector.Error) as caught:
                cursor.execute("SELECT %s", (1,))
            texts.append((caught.value.errno, caught.value.msg))
            plain = connection.cursor()
            plain.execute("SELECT 1")
            assert plain.fetchall() == [(1,)]
            connection.close()
    assert texts[0] == texts[1]
    assert texts[0][0] == 1461


def test_a_packet_above_the_servers_limit(
    cluster: Sandbox, router: RouterFactory, make_schema: SchemaFactory
) -> None:
    """max_allowed_packet below the client's: an error or the end of that connection; nothing written; others go on."""
    schema = make_schema(cluster)
    cluster.primary.query(f"CREATE TABLE {schema}.t (a LONGBLOB)")
    process = router(cluster)
    bystander = process.connect()
    with limited(cluster, "max_allowed_packet", 1 << 20), process.connect() as connection:
        insert = f"INSERT INTO {schema}.t VALUES (%s)"
        assert error_of(connection, insert, (b"x" * 4_000_000,))[0] in {1153, 2006, 2013, 9605}
    with bystander, bystander.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {schema}.t")
        assert cursor.fetchone() == (0,)


@pytest.fixture
def heavy(request: pytest.FixtureRequest, schema: str, marker: str) -> str:
    """Give a read that takes hours, with the marker in it."""
    servers = request.getfixturevalue("cluster" if "cluster" in request.fixturenames else "mysql")
    servers.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    servers.primary.query(f"INSERT INTO {schema}.t VALUES " + ", ".join(f"({n})" for n in range(500)))
    servers.wait_in_sync()
    tables = ", ".join(f"{schema}.t t{n}" for n in range(5))
    return f"SELECT COUNT(*) FROM {tables} WHERE t0.a + t1.a + t2.a + t3.a + t4.a < 0 /* {marker} */"


def interrupted(servers: Sandbox, marker: str) -> int:
    """Return how many statements were interrupted so far. MySQL keeps no text of those, only their error."""
    if servers.flavor is Flavor.MARIADB:
        return len(ran_on(servers, marker))
    table = "performance_schema.events_statements_history_long"
    counts = [
        s.value(f"SELECT COUNT(*) FROM {table} WHERE mysql_errno IN (1317, 3024)") for s in servers.servers
    ]
    return sum(counts)


def test_a_statement_that_takes_too_long_is_not_run_again(
    mysql: Sandbox, router: RouterFactory, heavy: str, marker: str
) -> None:
    """max_execution_time: the read ran once, and the client has the server's error."""
    before = interrupted(mysql, marker)
    with router(mysql).connect() as connection:
        sql = heavy.replace("SELECT", "SELECT /*+ MAX_EXECUTION_TIME(200) */", 1)
        assert error_of(connection, sql)[0] in {3024, 1317}  # MySQL 9.7 says either
    eventually(lambda: interrupted(mysql, marker) > before, "it is in the server's history")
    assert interrupted(mysql, marker) == before + 1


def kill_query(servers: Sandbox, marker: str) -> None:
    """Kill the statement with *marker* in it, on whichever server it runs."""
    sql = (
        f"/* {OWN} */ SELECT id FROM information_schema.processlist "
        "WHERE info LIKE %s AND info NOT LIKE '%%processlist%%'"
    )

    def killed() -> bool:
        for server in servers.servers:
            for row in server.query(sql, (f"%{marker}%",)):
                server.query(f"KILL QUERY {next(iter(row.values()))}")
                return True
        return False

    eventually(killed, "the statement is found", 60)


def test_a_killed_read_is_not_run_again(
    cluster: Sandbox, router: RouterFactory, heavy: str, marker: str
) -> None:
    """1317 by KILL QUERY on the server itself: somebody wanted it to end."""
    before = interrupted(cluster, marker)
    with router(cluster).connect() as connection:
        killer = threading.Thread(target=kill_query, args=(cluster, marker))
        killer.start()
        assert error_of(connection, heavy)[0] == 1317
        killer.join()
    eventually(lambda: interrupted(cluster, marker) > before, "it is in the server's history")
    assert interrupted(cluster, marker) == before + 1
