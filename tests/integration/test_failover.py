"""The primary changes by other hands than the router's: writes wait, reads go on, sessions move."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest

from rwrouter.cli.router import RunningRouter
from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox, SandboxServer
from rwrouter.sandbox.options import replication_statements
from rwrouter.sandbox.router import RouterProcess
from tests.integration import harness
from tests.integration.harness import RouterFactory, eventually

WAIT = """
[limits]
primary_wait = "{wait}"
[monitor]
interval = "250ms"
"""


@pytest.fixture(scope="module", params=list(Flavor))
def set_of_three(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Run servers of this module's own: their roles change."""
    with harness.start(request.param) as sandbox:
        yield sandbox


def read_only(server: SandboxServer, *, on: bool) -> None:
    """Make *server* take writes or not."""
    variable = "super_read_only" if server.flavor is Flavor.MYSQL and on else "read_only"
    server.query(f"SET GLOBAL {variable} = {int(on)}")


def promote(sandbox: Sandbox, old: SandboxServer, new: SandboxServer, pause: float = 0.0) -> None:
    """Change the primary by hand, as a script would that knows nothing of the router."""
    word = "REPLICA" if sandbox.flavor is Flavor.MYSQL else "SLAVE"
    mysql = sandbox.flavor is Flavor.MYSQL
    if old.is_running:
        read_only(old, on=True)
        wanted = old.value("SELECT @@global.gtid_executed" if mysql else "SELECT @@gtid_binlog_pos")
        wait = "WAIT_FOR_EXECUTED_GTID_SET" if mysql else "MASTER_GTID_WAIT"
        assert new.value(f"SELECT {wait}(%s, 20)", (wanted,)) == 0
    time.sleep(pause)
    new.query(f"STOP {word}")
    new.query(f"RESET {word} ALL")
    read_only(new, on=False)


def follow(sandbox: Sandbox, one: SandboxServer, source: SandboxServer) -> None:
    """Make *one* a replica of *source*."""
    word = "REPLICA" if sandbox.flavor is Flavor.MYSQL else "SLAVE"
    one.query(f"STOP {word}")
    for statement in replication_statements(sandbox.flavor, source.port, sandbox.accounts.replication):
        one.query(statement)


class Writers:
    """Clients that insert unique keys without pause, each in a transaction of its own by autocommit."""

    def __init__(self, process: object, table: str, count: int = 4) -> None:
        self.errors: list[str] = []
        self.done: list[int] = []
        self._process = process
        self._table = table
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def _write(self, number: int) -> None:
        key = number * 1_000_000
        try:
            with self._process.connect() as connection, connection.cursor() as cursor:  # type: ignore[attr-defined]
                while not self._stop.is_set():
                    key += 1
                    cursor.execute(f"INSERT INTO {self._table} VALUES ({key})")
                    self.done.append(key)
        except pymysql.MySQLError as exc:
            self.errors.append(repr(exc))

    def go_on(self, writes: int = 50) -> None:
        """Return when so many more are done."""
        goal = len(self.done) + writes
        eventually(lambda: len(self.done) >= goal or bool(self.errors), "writes go on")

    def stop(self) -> None:
        """End them."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def test_writes_wait_while_the_primary_is_changed_by_hand(
    set_of_three: Sandbox, router: RouterFactory
) -> None:
    """read_only, catch up, writable elsewhere: not one error, and each row once, on every server."""
    servers = set_of_three
    primary, other, third = servers.servers
    primary.query("CREATE DATABASE IF NOT EXISTS moved")
    primary.query(
        "CREATE OR REPLACE TABLE moved.t (a INT PRIMARY KEY)"
        if servers.flavor is Flavor.MARIADB
        else "CREATE TABLE moved.t (a INT PRIMARY KEY)"
    )
    process = router(servers, config=WAIT.format(wait="30s"))
    writers = Writers(process, "moved.t")
    try:
        for old, new in ((primary, other), (other, primary)):
            writers.go_on()
            promote(servers, old, new, pause=0.5)
            for one in (old, third):
                follow(servers, one, new)
            writers.go_on()
    finally:
        writers.stop()
    assert writers.errors == []
    servers.wait_in_sync()
    for server in servers.servers:
        assert server.query("SELECT a FROM moved.t ORDER BY a") == [
            {"a": key} for key in sorted(writers.done)
        ]


def test_a_primary_that_is_gone_and_comes_back(set_of_three: Sandbox, router: RouterFactory) -> None:
    """Kill -9: reads go on, a write waits and is done when it is back; a short wait ends with 9610."""
    primary = set_of_three.primary
    primary.query("CREATE DATABASE IF NOT EXISTS gone")
    primary.query("CREATE TABLE IF NOT EXISTS gone.t (a INT)")
    set_of_three.wait_in_sync()
    patient = router(set_of_three, config=WAIT.format(wait="60s"))
    hasty = router(set_of_three, config=WAIT.format(wait="1s"))
    results: list[object] = []

    def write() -> None:
        with patient.connect() as connection, connection.cursor() as cursor:
            results.append(cursor.execute("INSERT INTO gone.t VALUES (1)"))

    primary.kill()
    thread = threading.Thread(target=write)
    try:
        thread.start()
        with hasty.connect(autocommit=False) as connection, connection.cursor() as cursor:
            with pytest.raises(pymysql.err.OperationalError, match="no primary took it within 1 s") as caught:
                cursor.execute("INSERT INTO gone.t VALUES (2)")
            assert caught.value.args[0] == 9610
        with patient.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            for _ in range(20):
                assert cursor.execute("SELECT @@server_id") == 1
        assert results == []
    finally:
        primary.start()
    thread.join(60)
    assert results == [1]


def test_a_transaction_gets_the_servers_own_error(set_of_three: Sandbox, router: RouterFactory) -> None:
    """1290 in a transaction is for the driver to act on; outside of one it is not seen."""
    primary = set_of_three.primary
    primary.query("CREATE DATABASE IF NOT EXISTS tied")
    primary.query("CREATE TABLE IF NOT EXISTS tied.t (a INT)")
    process = router(set_of_three, config=WAIT.format(wait="30s"))
    with process.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1")
        read_only(primary, on=True)
        try:
            with pytest.raises(pymysql.err.OperationalError) as caught:
                cursor.execute("INSERT INTO tied.t VALUES (1)")
            assert caught.value.args[0] == 1290
            cursor.execute("ROLLBACK")
            timer = threading.Timer(1.0, lambda: read_only(primary, on=False))
            timer.start()
            assert cursor.execute("INSERT INTO tied.t VALUES (2)") == 1
            timer.join()
        finally:
            if set_of_three.flavor is Flavor.MYSQL:
                primary.query("SET GLOBAL super_read_only = 0")
            read_only(primary, on=False)


@pytest.mark.parametrize("variable", ["read_only", "super_read_only"])
def test_a_primary_that_is_made_read_only_by_hand(
    set_of_three: Sandbox, router: RouterFactory, variable: str
) -> None:
    """Writes of every kind wait, and are done once when it is writable again; reads go on, and status says why."""
    if variable == "super_read_only" and set_of_three.flavor is Flavor.MARIADB:
        pytest.skip("MariaDB has read_only alone")
    primary = set_of_three.primary
    primary.query("DROP DATABASE IF EXISTS shut")
    primary.query("CREATE DATABASE shut")
    primary.query("CREATE TABLE shut.t (a INT)")
    set_of_three.wait_in_sync()
    process = router(set_of_three, config=WAIT.format(wait="90s"))
    done: list[str] = []

    def run(name: str, work: Callable[[Any], object]) -> None:
        with process.connect(database="shut", read_timeout=120) as connection, connection.cursor() as cursor:
            ready.wait()
            work(cursor)
            done.append(name)

    works: dict[str, Callable[[Any], object]] = {
        "insert": lambda cursor: cursor.execute("INSERT INTO t VALUES (1)"),
        "ddl": lambda cursor: cursor.execute("CREATE TABLE made (a INT)"),
        "transaction": lambda cursor: [
            cursor.execute(sql) for sql in ("BEGIN", "INSERT INTO t VALUES (2)", "COMMIT")
        ],
        "no autocommit": lambda cursor: [
            cursor.execute(sql) for sql in ("SET autocommit = 0", "INSERT INTO t VALUES (3)", "COMMIT")
        ],
    }
    ready = threading.Barrier(len(works) + 1)
    threads = [threading.Thread(target=run, args=work) for work in works.items()]
    for thread in threads:
        thread.start()
    with process.connect() as connection, connection.cursor() as cursor:
        primary.query(f"SET GLOBAL {variable} = 1")
        try:
            eventually(lambda: status_of(process)["primary"] is None, "it is no primary any more")
            assert "is writable" in status_of(process)["problem"]
            assert "read_only" in status_of(process)["problem"]
            ready.wait()
            eventually(lambda: status_of(process)["totals"]["held_now"] == len(works), "all of them wait")
            for _ in range(20):
                assert cursor.execute("SELECT COUNT(*) FROM shut.t") == 1
                assert cursor.fetchone() == (0,)
            assert done == []
        finally:
            primary.query("SET GLOBAL read_only = 0")
    for thread in threads:
        thread.join(120)
    assert sorted(done) == sorted(works)
    assert [row["a"] for row in primary.query("SELECT a FROM shut.t ORDER BY a")] == [1, 2, 3]
    eventually(lambda: status_of(process)["problem"] == "", "all is well again")
    set_of_three.wait_in_sync()


def status_of(process: RouterProcess) -> dict[str, Any]:
    """Return /v1/status."""
    return RunningRouter(f"127.0.0.1:{process.admin_port}").ask("/v1/status")


def test_everything_gone_and_back(set_of_three: Sandbox, router: RouterFactory) -> None:
    """All servers are killed and started: a read and a write that came between are answered."""
    set_of_three.primary.query("CREATE DATABASE IF NOT EXISTS back")
    set_of_three.primary.query("CREATE TABLE IF NOT EXISTS back.t (a INT)")
    set_of_three.wait_in_sync()
    process = router(set_of_three, config=WAIT.format(wait="90s"))
    results: list[object] = []
    connections = [process.connect(read_timeout=120) for _ in range(2)]

    def ask(connection: pymysql.Connection, sql: str) -> None:
        try:
            with connection.cursor() as cursor:
                results.append(cursor.execute(sql))
        except pymysql.MySQLError as exc:
            results.append(repr(exc))

    for server in set_of_three.servers:
        server.kill()
    statements = ("SELECT 1", "INSERT INTO back.t VALUES (1)")
    threads = [threading.Thread(target=ask, args=pair) for pair in zip(connections, statements, strict=True)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert results == []
    for server in set_of_three.servers:
        server.start()
    for thread in threads:
        thread.join(100)
    assert results == [1, 1]
    for connection in connections:
        connection.close()
