"""What no server should send costs one connection: another server answers, or the client is told, and nobody else."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.faults.malformed import AFTER_THE_REPLY, BEFORE_THE_FIRST_BYTE, IN_THE_RESULT, LOGIN
from tests.faults.misbehaving import Fault, FaultyServer
from tests.integration.bystander import bystander
from tests.integration.harness import eventually

PATIENCE = 50  # seconds: longer than every time-out of the router, shorter than a fault that stalls
CONFIG = "[limits]\nconnect_timeout = 3.0\n[reads]\nprimary_weight = 0\n"
FAULTY = "/* rwrouter: server=faulty */"  # where a read is to run, if it can


class Fronted:
    """A router before a primary and a replica that can be made to misbehave, and a replica that is always well."""

    def __init__(self, cluster: Sandbox, path: Path) -> None:
        self._stack = contextlib.ExitStack()
        user = cluster.app.user
        real = [(server.host, server.port) for server in cluster.servers]
        self.primary = self._stack.enter_context(FaultyServer(real[0], user))
        self.replica = self._stack.enter_context(FaultyServer(real[1], user))
        self._replica_id = cluster.replicas[0].server_id
        path.write_text(CONFIG)
        servers = [self.primary.address, f"{self.replica.address},name=faulty", cluster.servers[2].address]
        options = ("--workers", "1", "--config", str(path))
        self.router = self._stack.enter_context(RouterProcess(servers, cluster.monitor, cluster.app, options))
        self.router.wait_ready()

    def begin(self) -> None:
        """Be well, and wait until both faulty servers are used again."""
        self.primary.fault = self.replica.fault = None
        self.primary.met = self.replica.met = self.replica.left = 0
        eventually(self._is_well, "both servers are used", PATIENCE)

    def _is_well(self) -> bool:
        try:
            with self.router.connect(read_timeout=PATIENCE) as connection, connection.cursor() as cursor:
                cursor.execute("DO 1")
                cursor.execute(f"SELECT @@server_id {FAULTY}")
                return bool(cursor.fetchone() == (self._replica_id,))
        except pymysql.MySQLError:
            return False

    def close(self) -> None:
        """Stop misbehaving, and everything else."""
        self._stack.close()


@pytest.fixture(scope="module")
def front(mariadb: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    """Front the servers of the run, for all tests here."""
    made = Fronted(mariadb, tmp_path_factory.mktemp("front") / "rwrouter.toml")
    try:
        yield made
        assert "Traceback" not in made.router.log()
    finally:
        made.close()


@pytest.fixture
def fronted(front: Fronted) -> Fronted:
    """Give the same, all well."""
    front.begin()
    return front


def another_session(process: RouterProcess) -> contextlib.AbstractContextManager[None]:
    """Read and write on a session of its own all the while: it must notice nothing."""
    return bystander(process, timeout=PATIENCE, pause=0.02, writes=True)


def told(process: RouterProcess, sql: str) -> Any:
    """Run *sql* on a session of its own; return its first row, or the number of the error."""
    with process.connect(read_timeout=PATIENCE) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        try:
            cursor.execute(sql)
            return cursor.fetchone()
        except pymysql.MySQLError as error:
            return error.args[0]
        finally:
            with contextlib.suppress(pymysql.MySQLError):
                connection.ping(reconnect=False)


def lines(process: RouterProcess, since: int) -> list[str]:
    """Return the warnings of clients and connections that were logged after *since* characters."""
    return [line for line in process.log()[since:].splitlines() if "event=" in line]


def name_of(fault: Fault) -> str:
    """Return a test's id."""
    return fault.name.replace(" ", "_")


@pytest.mark.parametrize("fault", BEFORE_THE_FIRST_BYTE, ids=name_of)
def test_a_reply_that_is_none(fronted: Fronted, fault: Fault) -> None:
    """A read is answered by another server; a write gets an error, because it may have run; both are logged."""
    process = fronted.router
    with another_session(process):
        since = len(process.log())
        fronted.replica.fault = fault
        assert told(process, f"SELECT 'right' {FAULTY} /* FAULT */") == ("right",)
        assert fronted.replica.met == 1
        assert lines(process, since)
        since = len(process.log())
        fronted.primary.fault = fault
        assert told(process, "DO 'FAULT'") in {9605, 2013}
        assert fronted.primary.met == 1, "a write is never run again"
        assert lines(process, since)
    assert told(process, "SELECT 'well again'") == ("well again",)


@pytest.mark.parametrize("fault", IN_THE_RESULT, ids=name_of)
def test_a_result_that_breaks_off(fronted: Fronted, fault: Fault) -> None:
    """The rows are another server's, or the client loses its connection: half a result is never a whole one."""
    process = fronted.router
    with another_session(process):
        since = len(process.log())
        fronted.replica.fault = fault
        assert told(process, f"SELECT 'right' {FAULTY} /* FAULT */") in {("right",), 2013}
        assert fronted.replica.met == 1
        assert lines(process, since)


@pytest.mark.parametrize("fault", AFTER_THE_REPLY, ids=name_of)
def test_a_server_that_speaks_unasked(fronted: Fronted, fault: Fault) -> None:
    """What was asked for is passed on; the connection is left, and its session goes on with others."""
    process = fronted.router
    with (
        another_session(process),
        process.connect(read_timeout=PATIENCE) as connection,
        connection.cursor() as cursor,
    ):
        fronted.replica.fault = fault
        cursor.execute(f"SELECT 'right' {FAULTY} /* FAULT */")
        assert cursor.fetchone() == ("wrong",)  # the fault's own row, whole
        # What comes when the next statement has been sent can't be told from its reply, here or anywhere.
        eventually(lambda: fronted.replica.left > 0, "the connection is left")
        for number in range(20):
            cursor.execute("SELECT %s", (number,))
            assert cursor.fetchone() == (number,)


@pytest.mark.parametrize("fault", LOGIN, ids=name_of)
def test_a_login_that_is_none(fronted: Fronted, fault: Fault) -> None:
    """A read is answered by another server; without a primary to log in to, any other does; nobody waits for ever."""
    process = fronted.router
    with another_session(process):
        fronted.replica.fault = fault
        assert told(process, f"SELECT 'right' {FAULTY}") == ("right",)
        eventually(lambda: fronted.replica.met > 0, "the fault is met")
