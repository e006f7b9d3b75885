"""Load that can prove what became of it: each write has a key of its own, each read asks for one's own last write.

Half of the clients speak by PyMySQL, half by Connector/Python. A client that gets an error notes it, with what it did,
and goes on by a new connection. Keys are not unique for the server: a write that is done twice would be seen.
"""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import mysql.connector
import pymysql

from rwrouter.sandbox import Sandbox, SandboxServer
from rwrouter.sandbox.router import RouterProcess

TABLE = "CREATE TABLE {schema}.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, k BIGINT, KEY (k))"
TIMEOUT = 90  # seconds that a driver waits for a reply


def by_pymysql(router: RouterProcess) -> Any:
    """Connect with PyMySQL."""
    return router.connect(read_timeout=TIMEOUT)


def by_connector(router: RouterProcess) -> Any:
    """Connect with MySQL Connector/Python, in pure Python."""
    return mysql.connector.connect(
        host=router.host,
        port=router.port,
        user=router.app.user,
        password=router.app.password,
        autocommit=True,
        use_pure=True,
        connection_timeout=TIMEOUT,
    )


DRIVERS: tuple[Callable[[RouterProcess], Any], ...] = (by_pymysql, by_connector)


@dataclass
class Tally:
    """What one client has seen."""

    done: list[tuple[int, float]] = field(default_factory=list)  # key, when it was acknowledged
    unknown: list[int] = field(default_factory=list)  # keys of writes that ended with an error
    write_errors: list[str] = field(default_factory=list)
    read_errors: list[str] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)  # when each was answered
    stale: int = 0


@dataclass(frozen=True)
class Verdict:
    """What became of all that clients did."""

    clients: int
    reads: int
    writes: int
    read_errors: tuple[str, ...]
    write_errors: tuple[str, ...]
    stale: int
    lost: int  # acknowledged, and not there, on any server
    doubled: int
    unasked: int  # there, and neither acknowledged nor in flight at an error
    pause: float  # longest time between two acknowledged writes, of all clients together
    reads_in_pause: int  # answered in that time

    @property
    def is_clean(self) -> bool:
        """No client has seen anything, and nothing is wrong on any server."""
        return self.keeps_promises and not self.read_errors and not self.write_errors

    @property
    def keeps_promises(self) -> bool:
        """Errors aside, nothing is wrong."""
        return not (self.stale or self.lost or self.doubled or self.unasked)


class Load:
    """Clients at work before *router*, in the schema *schema*, until `stop`."""

    def __init__(
        self, router: RouterProcess, schema: str, clients: int = 8, readers: int = 2, committers: int = 0
    ) -> None:
        """*clients* write and read back what they wrote; *readers* only read, what they need not have written.

        The last *committers* of the clients have autocommit off: each write is a transaction with a COMMIT.
        """
        self.tallies = [Tally() for _ in range(clients + readers)]
        self._readers = range(clients, clients + readers)
        self._committers = range(clients - committers, clients)
        self._router = router
        self._schema = schema
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(clients + readers)]

    def __enter__(self) -> Self:
        """Begin; return when every client has had an answer."""
        for thread in self._threads:
            thread.start()
        self.wait(lambda: all(tally.reads for tally in self.tallies), TIMEOUT)
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.stop()

    @property
    def writes(self) -> int:
        """How many are acknowledged."""
        return sum(len(tally.done) for tally in self.tallies)

    @property
    def reads(self) -> int:
        """How many are answered."""
        return sum(len(tally.reads) for tally in self.tallies)

    def go_on(self, writes: int, timeout: float = 60.0) -> None:
        """Return when so many more writes are acknowledged. Raises TimeoutError."""
        goal = self.writes + writes
        self.wait(lambda: self.writes >= goal, timeout)

    @staticmethod
    def wait(holds: Callable[[], bool], timeout: float = 60.0) -> None:
        """Return when *holds*. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the load does not go on within {timeout:g} s")
            time.sleep(0.01)

    def stop(self) -> None:
        """Let each client finish what it does."""
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT + 10)

    def _work(self, number: int) -> None:
        tally = self.tallies[number]
        key = (number + 1) * 1_000_000_000
        while not self._stop.is_set():
            try:
                connection = DRIVERS[number % len(DRIVERS)](self._router)
                if number in self._committers:
                    connection.cursor().execute("SET autocommit = 0")
            except (pymysql.MySQLError, mysql.connector.Error) as exc:
                tally.read_errors.append(f"login: {exc!r}")
                self._stop.wait(0.2)
                continue
            try:
                if number in self._readers:
                    self._read(connection, tally)
                else:
                    key = self._talk(connection, tally, key, commits=number in self._committers)
            finally:
                with contextlib.suppress(pymysql.MySQLError, mysql.connector.Error):  # it was lost
                    connection.close()

    def _talk(self, connection: Any, tally: Tally, key: int, *, commits: bool) -> int:
        """Write and read back until the end, or an error; return the last key."""
        cursor = connection.cursor()
        while not self._stop.is_set():
            key += 1
            try:
                cursor.execute(f"INSERT INTO {self._schema}.t (k) VALUES ({key})")
                if commits:
                    connection.commit()
            except (pymysql.MySQLError, mysql.connector.Error) as exc:
                tally.unknown.append(key)
                tally.write_errors.append(repr(exc))
                return key
            tally.done.append((key, time.monotonic()))
            for _ in range(2):
                try:
                    cursor.execute(f"SELECT COUNT(*) FROM {self._schema}.t WHERE k = {key}")
                    found = cursor.fetchall()[0][0]
                except (pymysql.MySQLError, mysql.connector.Error) as exc:
                    tally.read_errors.append(repr(exc))
                    return key
                tally.reads.append(time.monotonic())
                tally.stale += found != 1
        return key

    def _read(self, connection: Any, tally: Tally) -> None:
        """Read until the end, or an error."""
        cursor = connection.cursor()
        while not self._stop.is_set():
            try:
                cursor.execute(f"SELECT k, k + 1 FROM {self._schema}.t WHERE id BETWEEN 5 AND 20")
                rows = cursor.fetchall()
            except (pymysql.MySQLError, mysql.connector.Error) as exc:
                tally.read_errors.append(repr(exc))
                return
            tally.reads.append(time.monotonic())
            tally.stale += any(row[1] != row[0] + 1 for row in rows)
            self._stop.wait(0.005)  # the writers' time is what is measured

    def judge(self, servers: Iterable[SandboxServer]) -> Verdict:
        """Compare what clients were told with what is on *servers*, which must have caught up."""
        acknowledged = {key for tally in self.tallies for key, _ in tally.done}
        unknown = {key for tally in self.tallies for key in tally.unknown}
        lost = doubled = unasked = 0
        for server in servers:
            rows = server.query(f"SELECT k, COUNT(*) AS n FROM {self._schema}.t GROUP BY k")
            there = {row["k"]: row["n"] for row in rows}
            lost += len(acknowledged - there.keys())
            doubled += sum(times > 1 for times in there.values())
            unasked += len(there.keys() - acknowledged - unknown)
        times = sorted(at for tally in self.tallies for _, at in tally.done)
        before, after = max(itertools.pairwise(times), key=lambda pair: pair[1] - pair[0], default=(0.0, 0.0))
        return Verdict(
            clients=len(self.tallies),
            reads=self.reads,
            writes=len(acknowledged),
            read_errors=tuple(error for tally in self.tallies for error in tally.read_errors),
            write_errors=tuple(error for tally in self.tallies for error in tally.write_errors),
            stale=sum(tally.stale for tally in self.tallies),
            lost=lost,
            doubled=doubled,
            unasked=unasked,
            pause=after - before,
            reads_in_pause=sum(before < at < after for tally in self.tallies for at in tally.reads),
        )


def in_sync(sandbox: Sandbox, primary: SandboxServer, timeout: float = 60.0) -> None:
    """Return when each running server has what *primary* has. Raises TimeoutError."""
    mysql = "gtid_executed" if sandbox.flavor.value == "mysql" else "gtid_binlog_pos"
    function = "WAIT_FOR_EXECUTED_GTID_SET" if sandbox.flavor.value == "mysql" else "MASTER_GTID_WAIT"
    wanted = primary.value(f"SELECT @@GLOBAL.{mysql}")
    for server in sandbox.servers:
        if server is not primary and server.is_running:
            answer = server.value(f"SELECT {function}(%s, %s)", (wanted, timeout))
            if answer != 0:
                raise TimeoutError(f"{server.name} has not caught up within {timeout:g} s")
