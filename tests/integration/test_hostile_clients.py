"""What is no MySQL client, or a bad one, ends its own connection with a line in the log, and touches nobody else."""

import contextlib
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.integration.bystander import bystander
from tests.integration.harness import RouterFactory, eventually

SOCKET_TIMEOUT = 60.0  # seconds: what hangs longer has failed
SHORT_HANDSHAKE = "[limits]\nhandshake_timeout = 1.0\n"
MEGABYTE = 1 << 20

Attack = Callable[[socket.socket], None]


def send_random(raw: socket.socket) -> None:
    """Send bytes that mean nothing."""
    raw.sendall(random.Random(7).randbytes(5000))


def send_half_handshake(raw: socket.socket) -> None:
    """Send a packet that announces more than comes, and stop."""
    raw.sendall(b"\x54\x00\x00\x01\x85\xa6\x0f\x00")
    raw.shutdown(socket.SHUT_WR)


def send_too_long(raw: socket.socket) -> None:
    """Announce a login of almost 16 MB."""
    raw.sendall(b"\xfe\xff\xff\x01" + b"x" * 1000)


def send_empty(raw: socket.socket) -> None:
    """Send packets without anything in them."""
    raw.sendall(b"\x00\x00\x00\x01" * 10)


def send_nothing_much(raw: socket.socket) -> None:
    """Send 16 MB of zeros."""
    raw.sendall(bytes(16 * MEGABYTE))


def send_http(raw: socket.socket) -> None:
    """Take it for a web server."""
    raw.sendall(b"GET / HTTP/1.1\r\nHost: db\r\n\r\n")


def send_half_tls(raw: socket.socket) -> None:
    """Ask for TLS, and then send no ClientHello."""
    raw.sendall(b"\x20\x00\x00\x01\x85\xae\x0f\x00\x00\x00\x00\x01\x21" + bytes(23) + b"no hello at all" * 20)


def say_nothing(_raw: socket.socket) -> None:
    """Connect, and wait."""


def drip(raw: socket.socket) -> None:
    """Send a byte at a time, slower than anybody would wait."""
    for byte in b"\x54\x00\x00\x01\x85\xa6\x0f" * 10:
        raw.sendall(bytes((byte,)))
        time.sleep(0.05)  # the drip is what is tested


ATTACKS: tuple[Attack, ...] = (
    send_random,
    send_half_handshake,
    send_too_long,
    send_empty,
    send_nothing_much,
    send_http,
    send_half_tls,
    say_nothing,
    drip,
)


def attack(process: RouterProcess, one: Attack) -> int:
    """Make *one* attack; return when the router has hung up. Return the port that it came from."""
    with socket.create_connection((process.host, process.port), SOCKET_TIMEOUT) as raw:
        port: int = raw.getsockname()[1]
        with contextlib.suppress(ConnectionError):  # it may hang up while we still send
            one(raw)
            while raw.recv(65536):
                pass
    return port


@pytest.mark.parametrize("one", ATTACKS, ids=lambda one: one.__name__)
def test_garbage_before_the_login(mysql: Sandbox, router: RouterFactory, one: Attack) -> None:
    """The connection ends, one line says which and why, and another session notices nothing."""
    process = router(mysql, config=SHORT_HANDSHAKE)
    with bystander(process):
        port = attack(process, one)
    eventually(lambda: f"client=127.0.0.1:{port} " in process.log(), "the log names the client")
    lines = [line for line in process.log().splitlines() if f"client=127.0.0.1:{port} " in line]
    assert len(lines) == 1, lines
    assert "reason=" in lines[0]


def test_a_bad_login_has_one_line(mysql: Sandbox, router: RouterFactory) -> None:
    """Nothing more is said of a connection that has been refused, when its time for the login is over."""
    process = router(mysql, config=SHORT_HANDSHAKE)
    garbage = attack(process, send_http)
    silent = attack(process, say_nothing)  # ends by the time-out, which is later than the garbage's
    eventually(lambda: f":{silent} " in process.log(), "the log names the silent client")
    assert process.log().count(f":{garbage} ") == 1, process.log()


@pytest.mark.parametrize(
    "packet",
    [b"\x05\x00\x00\x07\x03SELE", b"\x00\x00\x00\x00", b"\x04\x00\x00\x03\x03abc"],
    ids=["wrong sequence id", "empty", "wrong sequence id, whole"],
)
def test_garbage_after_the_login(mysql: Sandbox, router: RouterFactory, packet: bytes) -> None:
    """A command that breaks the framing ends its connection with a line in the log."""
    process = router(mysql)
    connection = process.connect()
    raw = connection._sock  # type: ignore[attr-defined]
    port = raw.getsockname()[1]
    with bystander(process):
        raw.sendall(packet)
        raw.settimeout(SOCKET_TIMEOUT)
        with contextlib.suppress(ConnectionError):
            while raw.recv(65536):
                pass
    connection._force_close()  # type: ignore[attr-defined]
    assert f"client=127.0.0.1:{port} " in process.log()


def test_a_command_that_the_server_does_not_know(cluster: Sandbox, router: RouterFactory) -> None:
    """It gets the server's own error, and the session goes on."""
    process = router(cluster)
    with process.connect() as connection, connection.cursor() as cursor:
        raw = connection._sock  # type: ignore[attr-defined]
        raw.sendall(b"\x01\x00\x00\x00\x7f")
        answer = raw.recv(65536)
        assert answer[4] == 0xFF
        assert int.from_bytes(answer[5:7], "little") == 1047
        assert cursor.execute("SELECT 1") == 1


def workers_rss(process: RouterProcess) -> int:
    """Return the resident bytes of the master's children."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    total = 0
    for child in children:
        for line in Path(f"/proc/{child}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) << 10
    return total


def test_a_client_that_stops_reading(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """Half-way through 200,000 rows nothing piles up in the worker, others are served, and the rest comes."""
    cluster.primary.query(f"CREATE TABLE {schema}.d (a INT PRIMARY KEY)")
    cluster.primary.query(
        f"INSERT INTO {schema}.d VALUES {','.join(f'({n})' for n in range(1000))}",
    )
    cluster.wait_in_sync()
    process = router(cluster)
    sql = f"SELECT x.a, REPEAT('x', 200) FROM {schema}.d x JOIN {schema}.d y WHERE y.a < 200"
    with process.connect() as connection:
        raw = connection._sock  # type: ignore[attr-defined]
        before = workers_rss(process)
        raw.sendall((len(sql) + 1).to_bytes(3, "little") + b"\x00\x03" + sql.encode())
        got = len(raw.recv(65536))
        with process.connect(read_timeout=30) as other, other.cursor() as cursor:
            for n in range(300):
                cursor.execute("SELECT %s", (n,))
                assert cursor.fetchone() == (n,)
        assert workers_rss(process) - before < 8 * MEGABYTE
        raw.settimeout(SOCKET_TIMEOUT)
        while got < 200_000 * 205:
            chunk = raw.recv(1 << 20)
            assert chunk
            got += len(chunk)
        assert workers_rss(process) - before < 8 * MEGABYTE
        connection._force_close()  # type: ignore[attr-defined]


def test_a_client_killed_in_a_transaction(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """What it did is rolled back at once, and its locks are free."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY, b INT)")
    cluster.primary.query(f"INSERT INTO {schema}.t VALUES (1, 0)")
    process = router(cluster)
    connection = process.connect(database=schema)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE t SET b = 1")
    connection._force_close()  # type: ignore[attr-defined]
    with process.connect(database=schema) as other, other.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 5")
        cursor.execute("SELECT b FROM t FOR UPDATE")
        assert cursor.fetchall() == ((0,),)


def test_the_statement_of_a_client_that_has_gone_ends(cluster: Sandbox, router: RouterFactory) -> None:
    """A statement that would run on for a minute is not left to run on the server."""
    process = router(cluster)
    connection = process.connect()
    raw = connection._sock  # type: ignore[attr-defined]
    sql = b"SELECT SLEEP(61)"
    raw.sendall((len(sql) + 1).to_bytes(3, "little") + b"\x00\x03" + sql)

    def running() -> int:
        column = "info" if cluster.flavor is Flavor.MARIADB else "INFO"
        question = f"SELECT COUNT(*) FROM information_schema.processlist WHERE {column} = 'SELECT SLEEP(61)'"
        return sum(int(server.value(question)) for server in cluster.servers)

    eventually(lambda: running() == 1, "the statement runs")
    connection._force_close()  # type: ignore[attr-defined]
    eventually(lambda: running() == 0, "the statement has ended")
