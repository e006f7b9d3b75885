"""The lag that is reported, on real servers: a primary, its replica, and a replica of that one; four applier threads.

A lag is right if it is never more than what has passed since the write that is missing, and does not stand still: each
test waits until some seconds are reported. So it holds on a machine of any speed.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rwrouter.model import Flavor, Lag, State
from rwrouter.sandbox import Sandbox, Topology
from rwrouter.sandbox.server import SandboxServer
from tests.integration.harness import missing, start
from tests.integration.watch import Watch

PARALLEL = {Flavor.MYSQL: "replica_parallel_workers", Flavor.MARIADB: "slave_parallel_threads"}
PATIENT = {"timeout": 10.0, "fall": 9}  # a busy machine must not look like a server that is down
EXACT = {
    Flavor.MYSQL: {"commit timestamps", "GTID positions"},
    Flavor.MARIADB: {"Seconds_Behind_Source", "GTID positions"},
}
GROWN = 3.0  # seconds that a lag must reach
GRAIN = 1.0  # seconds: as fine as Seconds_Behind_Source is
BEATS = "beats.heartbeat"


@pytest.fixture(scope="module", params=list(Flavor))
def chain(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Run a primary, a replica and a replica's replica."""
    flavor = Flavor(request.param)
    with start(flavor, options={PARALLEL[flavor]: "4"}, topology=Topology.CHAIN) as sandbox:
        sandbox.primary.run(
            [
                "CREATE DATABASE lagging",
                "CREATE TABLE lagging.t (a INT AUTO_INCREMENT PRIMARY KEY)",
                "CREATE DATABASE beats",
                f"CREATE TABLE {BEATS} (ts VARCHAR(26) NOT NULL, server_id INT UNSIGNED NOT NULL PRIMARY KEY)",
            ]
        )
        sandbox.wait_in_sync()
        yield sandbox


def word(chain: Sandbox, text: str) -> str:
    """Return *text*, written for MySQL, in the words of *chain*."""
    if chain.flavor is Flavor.MARIADB:
        for new, old in (("REPLICATION SOURCE", "MASTER"), ("REPLICA", "SLAVE"), ("SOURCE", "MASTER")):
            text = text.replace(new, old)
    return text


def write(chain: Sandbox) -> float:
    """Write a row on the primary; return a time before that."""
    now = time.monotonic()
    chain.primary.query("INSERT INTO lagging.t VALUES ()")
    return now


def grows(watch: Watch, server: SandboxServer, since: float) -> Lag:
    """Return the first lag of *server* that had grown; it never was more than what had passed *since*."""
    watch.until(lambda seen: (seen.server(server.name).lag.seconds or 0.0) > GROWN)
    grown = []
    for at, snapshot in list(watch.seen):
        lag = snapshot.server(server.name).lag
        assert at < since or lag.seconds is None or lag.seconds <= at - since + GRAIN, (lag, at - since)
        if at >= since and (lag.seconds or 0.0) > GROWN:
            grown.append(lag)
    return grown[0]


def whys(watch: Watch, server: SandboxServer) -> set[str]:
    """Return where the lags of *server* came from."""
    return {snapshot.server(server.name).lag.why for _, snapshot in watch.seen}


def until_near(watch: Watch, server: SandboxServer) -> None:
    """Return when *server* has nearly caught up, while writes go on."""
    watch.until(lambda seen: (seen.server(server.name).lag.seconds or 0.0) < GROWN)


def until_none(watch: Watch, server: SandboxServer) -> None:
    """Return when *server* has caught up, and may be read from."""
    watch.until(lambda seen: seen.server(server.name).lag.seconds == 0.0)
    watch.until_state(server, State.UP)


@contextmanager
def locked(server: SandboxServer, table: str = "lagging.t") -> Iterator[None]:
    """Let the appliers of *server* wait for a lock on *table*."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLES {table} READ")
        try:
            yield
        finally:
            cursor.execute("UNLOCK TABLES")


def test_an_applier_that_waits(chain: Sandbox) -> None:
    """One of several workers is stuck: the oldest transaction that is not applied counts."""
    last = chain.servers[2]
    with Watch(chain, chain.root, monitor=PATIENT) as watch:
        until_none(watch, last)
        with locked(last):
            since = write(chain)
            write(chain)
            assert grows(watch, last, since).why in EXACT[chain.flavor]
        until_none(watch, last)
        assert chain.flavor is Flavor.MARIADB or "commit timestamps" in whys(watch, last)


def test_the_source_of_a_replica_stands_still(chain: Sandbox) -> None:
    """The last of the chain has all that its source has, and lags all the same: behind the primary."""
    middle, last = chain.replicas
    with Watch(chain, chain.root, monitor=PATIENT) as watch:
        until_none(watch, last)
        middle.query(word(chain, "STOP REPLICA SQL_THREAD"))
        try:
            watch.until(lambda seen: seen.server(middle.name).lag.seconds is None)
            since = write(chain)
            assert grows(watch, last, since).why == "GTID positions"
            assert watch.snapshot.server(middle.name).state is State.LAGGING
        finally:
            middle.query(word(chain, "START REPLICA SQL_THREAD"))
        until_none(watch, last)


@contextmanager
def fetching_from(chain: Sandbox, server: SandboxServer, port: int) -> Iterator[None]:
    """Have *server* fetch from another port than its source's for a while."""
    before = chain.servers[chain.servers.index(server) - 1].port
    try:
        for statement in (
            "STOP REPLICA",
            f"CHANGE REPLICATION SOURCE TO SOURCE_PORT = {port}",
            "START REPLICA",
        ):
            server.query(word(chain, statement))
        yield
    finally:
        for statement in (
            "STOP REPLICA",
            f"CHANGE REPLICATION SOURCE TO SOURCE_PORT = {before}",
            "START REPLICA",
        ):
            server.query(word(chain, statement))


def test_a_receiver_that_has_lost_its_source(chain: Sandbox) -> None:
    """Nothing is written, and the lag grows with the clock: nobody knows what is missing."""
    last = chain.servers[2]
    with Watch(chain, chain.root, monitor=PATIENT) as watch:
        until_none(watch, last)
        since = time.monotonic()
        with fetching_from(chain, last, 1):
            watch.until(lambda seen: seen.server(last.name).lag.why.startswith("receiver"))
            watch.until(lambda seen: seen.server(last.name).lag.seconds != 0.0)
            lag = watch.snapshot.server(last.name).lag
            assert lag.seconds is None or lag.seconds <= time.monotonic() - since + GRAIN
        until_none(watch, last)


class Link:
    """A connection between a replica and its source that can stall."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.flows = threading.Event()
        self.flows.set()
        self._sockets: list[socket.socket] = []
        self._run(self._accept)

    def _run(self, work: object, *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._listener.accept()
                other = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [one, other]
                self._run(self._carry, one, other)
                self._run(self._carry, other, one)

    def _carry(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flows.wait()
                to.sendall(data)

    def close(self) -> None:
        """Hang up."""
        self.flows.set()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def test_a_receiver_that_gets_nothing(chain: Sandbox) -> None:
    """The network stalls: the receiver says that it runs, and Seconds_Behind_Source that all is well."""
    last = chain.servers[2]
    link = Link(chain.servers[1].port)
    try:
        with Watch(chain, chain.root, monitor=PATIENT) as watch, fetching_from(chain, last, link.port):
            until_none(watch, last)
            link.flows.clear()
            since = write(chain)
            # Until the receiver itself gives up, its own word would be that all is well.
            assert grows(watch, last, since).why in {
                "GTID positions",
                "receiver has lost its source: it is connecting",
            }
            link.flows.set()
            until_none(watch, last)
    finally:
        link.close()


def test_a_heartbeat_table(chain: Sandbox) -> None:
    """In pt-heartbeat's layout, in the local time of a zone that no server has; what is missing of it is the lag."""
    last = chain.servers[2]
    stop = threading.Event()
    beat = f"REPLACE INTO {BEATS} VALUES (DATE_FORMAT(NOW(6) + INTERVAL 7 HOUR, '%Y-%m-%dT%H:%i:%s.%f'), 1)"

    def write_for_ever() -> None:
        while not stop.wait(0.2):
            chain.primary.query(beat)

    chain.primary.query(beat)
    writer = threading.Thread(target=write_for_ever)
    writer.start()
    try:
        with Watch(chain, chain.root, monitor=PATIENT | {"heartbeat": BEATS}) as watch:
            watch.until_state(last, State.UP)
            since = time.monotonic()
            with locked(last, BEATS):
                why = grows(watch, last, since - 1.0).why
            assert why in EXACT[chain.flavor] | {"heartbeat table"}
            until_near(watch, last)
            assert not any("heartbeat" in alarm for alarm in watch.snapshot.alarms)
            if chain.flavor is Flavor.MARIADB:
                assert "heartbeat table" in whys(watch, last)
    finally:
        stop.set()
        writer.join()
    chain.wait_in_sync()


def test_a_heartbeat_table_that_is_not_there_is_named(chain: Sandbox) -> None:
    """With the server's words; the other sources go on."""
    with Watch(chain, chain.root, monitor=PATIENT | {"heartbeat": "beats.nowhere"}) as watch:
        watch.until(
            lambda seen: any("monitor.heartbeat = beats.nowhere can't be read" in a for a in seen.alarms)
        )
        until_none(watch, chain.servers[2])


def test_an_idle_primary_makes_nobody_lag(chain: Sandbox) -> None:
    """What was written last grows old: that is no lag, by whatever source."""
    write(chain)
    chain.wait_in_sync()
    with Watch(chain, chain.root, monitor=PATIENT) as watch:
        for server in chain.replicas:
            until_none(watch, server)
        settled = len(watch.seen)
        time.sleep(3.0)  # what is tested is that time passes
        for _, snapshot in watch.seen[settled:]:
            assert {server.lag.seconds for server in snapshot.servers} == {0.0}


@contextmanager
def clock_ahead(server: SandboxServer, seconds: int) -> Iterator[None]:
    """Run *server* with a clock that is wrong by *seconds*."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        missing("a test of wrong clocks needs libfaketime (Debian's package of that name)")
        raise AssertionError
    server.environment = {
        "LD_PRELOAD": str(server.put(library)),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else MySQL 9.7 waits for ever at its start
    }
    server.stop()
    try:
        server.start()
        yield
    finally:
        server.stop()
        server.environment = {}
        server.start()


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_is_wrong(chain: Sandbox, seconds: int) -> None:
    """By an hour, either way: the lag is that of the right clocks."""
    last = chain.servers[2]
    with clock_ahead(last, seconds):
        apart = last.value("SELECT UNIX_TIMESTAMP()") - chain.primary.value("SELECT UNIX_TIMESTAMP()")
        assert abs(apart - seconds) < 600
        chain.wait_in_sync()
        with Watch(chain, chain.root, monitor=PATIENT) as watch:
            until_none(watch, last)
            with locked(last):
                since = write(chain)
                assert grows(watch, last, since).why in EXACT[chain.flavor]
            until_none(watch, last)
    chain.wait_in_sync()
