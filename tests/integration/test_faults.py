"""What the application does not notice, and what it is told: servers that die, hang, or are not there."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

import pymysql
import pytest

from rwrouter.sandbox import Sandbox
from tests.integration.harness import RouterFactory, eventually


class Readers:
    """Clients that read without pause and count what goes wrong."""

    def __init__(self, process: object, count: int = 4) -> None:
        self.errors: list[str] = []
        self.slowest = 0.0
        self.reads = 0
        self._process = process
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _read(self) -> None:
        try:
            with self._process.connect() as connection, connection.cursor() as cursor:  # type: ignore[attr-defined]
                while not self._stop.is_set():
                    began = time.monotonic()
                    cursor.execute("SELECT @@server_id, 'x'")
                    assert cursor.fetchone()[1] == "x"
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    self.reads += 1
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test tells it
            self.errors.append(repr(exc))

    def go_on(self, reads: int = 200) -> None:
        """Wait until so many more reads have been answered."""
        goal = self.reads + reads
        eventually(lambda: self.reads >= goal or bool(self.errors), "reads go on")


def test_a_killed_replica_costs_no_read_an_error(cluster: Sandbox, router: RouterFactory) -> None:
    """Kill -9 under load: what had not begun to answer is answered by another; it comes back by itself."""
    process = router(cluster)
    victim = cluster.replicas[0]
    with Readers(process) as readers:
        readers.go_on()
        victim.kill()
        readers.go_on(500)
        victim.start()
        eventually(
            lambda: f"server_up server=127.0.0.1:{victim.port}" in process.log().split("server_down")[-1],
            "up",
        )
        readers.go_on()
    assert readers.errors == []


def test_a_hung_replica_costs_a_time_out_once(mysql: Sandbox, router: RouterFactory) -> None:
    """SIGSTOP: a read waits until the monitor has seen it, and is answered by another; nobody gets an error."""
    process = router(mysql)
    victim = mysql.replicas[0]
    with Readers(process) as readers:
        readers.go_on()
        victim.pause()
        try:
            readers.go_on(500)
        finally:
            victim.resume()
        readers.go_on()
    assert readers.errors == []
    assert readers.slowest < 30.0  # much longer only where it waited for ever


def test_reads_go_on_without_a_primary(mysql: Sandbox, router: RouterFactory, schema: str) -> None:
    """Writes are told who is missing; they work again when it is back."""
    process = router(mysql)
    with process.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        mysql.wait_in_sync()
        mysql.primary.kill()
        try:
            for _ in range(20):
                cursor.execute("SELECT @@server_id")
                assert cursor.fetchone() is not None
            connection.ping(reconnect=False)
            with process.connect(init_command="SET autocommit = 1") as newcomer, newcomer.cursor() as other:
                newcomer.select_db(schema)
                newcomer.ping(reconnect=False)
                other.execute("SELECT @@server_id")
                assert other.fetchone() is not None
            with pytest.raises(pymysql.err.MySQLError):
                cursor.execute("CREATE DATABASE not_now")
        finally:
            mysql.primary.start()

    def writes() -> bool:
        try:
            with process.connect() as again, again.cursor() as cursor:
                cursor.execute("DO 1")
        except pymysql.err.MySQLError:
            return False
        return True

    eventually(writes, "writes work again")


def run_with(*options: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run `rwrouter run` to its end."""
    command = [sys.executable, "-m", "rwrouter.cli.main", "run", *options]
    environ = os.environ | {"RWROUTER_MONITOR_PASSWORD": "x"}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environ, check=False)


def test_a_port_in_use_is_told(mysql: Sandbox, router: RouterFactory) -> None:
    """The second router ends at once, and says which address and what to do."""
    process = router(mysql)
    ended = run_with(
        "--listen",
        f"127.0.0.1:{process.port}",
        "--server",
        "127.0.0.1:1",
        "--monitor-user",
        "m",
        "--admin",
        "",
    )
    assert ended.returncode == 1
    assert f"127.0.0.1:{process.port}" in ended.stderr
    assert "in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_key_is_told_with_its_line(tmp_path: Path) -> None:
    """Key, line and the nearest right one."""
    file = tmp_path / "rwrouter.toml"
    file.write_text('[monitor]\nuser = "m"\n[reads]\nmax_lagg = "5s"\n')
    ended = run_with("--config", str(file), "--server", "127.0.0.1:1")
    assert ended.returncode == 1
    assert f'{file}:4: reads.max_lagg: unknown key; did you mean "max_lag"?' in ended.stderr
