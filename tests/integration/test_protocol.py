"""The protocol where it is unusual: big packets, files, several results, KILL, prepared statements."""

import threading
from pathlib import Path

import mysql.connector
import pymysql
import pytest

from rwrouter.sandbox import Sandbox
from tests.integration.harness import RouterFactory, eventually

EDGE = 1 << 24


@pytest.mark.parametrize("size", [EDGE - 2 - 30, EDGE - 1 - 30, EDGE - 30, EDGE + 1, 40_000_000])
def test_big_statements_and_results(mysql: Sandbox, router: RouterFactory, size: int) -> None:
    """Statements and rows at the edges of a packet, and far past them, arrive whole, in both directions."""
    process = router(mysql)
    for server in mysql.servers:
        server.query("SET GLOBAL max_allowed_packet = 1073741824")
    with process.connect(max_allowed_packet=1 << 30) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT LENGTH('" + "x" * size + "'), 7")
        assert cursor.fetchone() == (size, 7)
        cursor.execute(f"SELECT REPEAT('y', {size}), 7")
        row = cursor.fetchone()
        assert row is not None
        assert (len(row[0]), row[1]) == (size, 7)
        cursor.execute("SELECT 'still here'")
        assert cursor.fetchone() == ("still here",)


def test_a_file_of_the_client(cluster: Sandbox, router: RouterFactory, schema: str, tmp_path: Path) -> None:
    """LOAD DATA LOCAL INFILE above 16 MB: the client's file is streamed, and counted by the server."""
    process = router(cluster)
    cluster.primary.query("SET GLOBAL local_infile = 1")
    file = tmp_path / "rows.csv"
    lines = 400_000
    file.write_text(
        "".join(f"{number}\tsome text that makes the line long enough\n" for number in range(lines))
    )
    assert file.stat().st_size > EDGE
    with process.connect(local_infile=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {schema}.f (a INT PRIMARY KEY, b VARCHAR(60))")
        assert cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {schema}.f") == lines
        cursor.execute(f"SELECT COUNT(*), MAX(a) FROM {schema}.f")
        assert cursor.fetchone() == (lines, lines - 1)


def test_several_results(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """A procedure's result sets come all, and so do those of several statements in one packet."""
    process = router(cluster)
    with (
        process.connect(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE PROCEDURE {schema}.p() BEGIN SELECT 1; SELECT 2, 3; SELECT 4; END")
        cursor.execute(f"CALL {schema}.p()")
        results = [cursor.fetchall()]
        while cursor.nextset():
            results.append(cursor.fetchall())
        assert results[:3] == [((1,),), ((2, 3),), ((4,),)]
        cursor.execute(f"CREATE TABLE {schema}.t (a INT); INSERT INTO {schema}.t VALUES (5); SELECT 6")
        while cursor.nextset():
            pass
        cursor.execute(f"SELECT a FROM {schema}.t")
        assert cursor.fetchone() == (5,)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_kill_speaks_of_the_routers_ids(mysql: Sandbox, router: RouterFactory, workers: str) -> None:
    """CONNECTION_ID() is the greeting's, and KILL QUERY with it ends the statement, whichever worker has it."""
    process = router(mysql, "--workers", workers)
    with process.connect() as sleeper, process.connect() as killer:
        number = sleeper.server_thread_id[0]  # type: ignore[attr-defined]
        with sleeper.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            assert cursor.fetchone() == (number,)
        ended: list[object] = []

        def sleep() -> None:
            with sleeper.cursor() as cursor:
                try:
                    cursor.execute("SELECT SLEEP(60)")
                    ended.append(cursor.fetchone())
                except pymysql.err.MySQLError as exc:
                    ended.append(exc)

        thread = threading.Thread(target=sleep)
        thread.start()

        def killed() -> bool:
            with killer.cursor() as cursor:
                cursor.execute(f"KILL QUERY {number}")
            thread.join(0.2)
            return not thread.is_alive()

        eventually(killed, "the statement is killed")
        assert len(ended) == 1
        with sleeper.cursor() as cursor:
            cursor.execute("SELECT 'still here'")
            assert cursor.fetchone() == ("still here",)


def test_prepared_statements_are_spread(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """Executions run on the replicas, with their values, also where the types were not sent again."""
    process = router(cluster)
    options = {"host": process.host, "port": process.port, "autocommit": True, "use_pure": True}
    account = cluster.app
    with (
        mysql.connector.connect(user=account.user, password=account.password, **options) as connection,
        connection.cursor(prepared=True) as cursor,
    ):
        servers = set()
        for number in range(30):
            cursor.execute("SELECT @@server_id, ?, ?", (number, None))
            ((server, first, second),) = cursor.fetchall()
            assert (int(str(first)), second) == (number, None)
            servers.add(server)
        assert len(servers) >= 2
        cursor.execute(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY, b LONGTEXT)")
        for number in range(20):
            cursor.execute(f"INSERT INTO {schema}.t VALUES (?, ?)", (number, "x" * number))
            cursor.execute(f"SELECT LENGTH(b) FROM {schema}.t WHERE a = ?", (number,))
            assert cursor.fetchall() == [(number,)]
