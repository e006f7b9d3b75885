"""`rwrouter run` as a child process before given servers: for the demo and the tests."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pymysql

from rwrouter.sandbox.binaries import SandboxError
from rwrouter.sandbox.janitor import Janitor
from rwrouter.sandbox.options import Account

if TYPE_CHECKING:
    from pymysql.connections import Connection

POLL = 0.02  # seconds between two looks at a router that starts
LISTENING = re.compile(r"\blistening on 127\.0\.0\.1:(\d+)")
ADMIN = re.compile(r"\badmin on 127\.0\.0\.1:(\d+)")


def command(servers: Iterable[str], monitor: Account, *arguments: str) -> list[str]:
    """Return the command line of a router on ports that the kernel chooses. *servers* are HOST:PORT."""
    line = [sys.executable, "-m", "rwrouter.cli.main", "run"]
    line += ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--monitor-user", monitor.user]
    for server in servers:
        line += ["--server", server]
    return [*line, *arguments]


class RouterProcess:
    """A running router. Its log is a file, so that it never waits for a reader."""

    host = "127.0.0.1"

    def __init__(
        self,
        servers: Iterable[str],
        monitor: Account,
        app: Account,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.app = app
        self.port = 0
        self.admin_port = 0
        self._janitor = Janitor()
        self._directory = Path(tempfile.mkdtemp(prefix="rwrouter-"))
        self._janitor.directory(self._directory)
        self._log = self._directory / "log"
        root = str(Path(__file__).parents[2])  # so that a checkout runs itself, installed or not
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command(servers, monitor, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "PYTHONPATH": path,
                    "PYTHONUNBUFFERED": "1",
                    "RWROUTER_MONITOR_PASSWORD": monitor.password,
                    **(environment or {}),
                },
                start_new_session=True,
            )
        self._janitor.process(self.process.pid)

    @property
    def dsn(self) -> str:
        """Where an application connects, as a URL."""
        return f"mysql://{self.app.user}:{self.app.password}@{self.host}:{self.port}/"

    @property
    def pid(self) -> int:
        """The master's process id."""
        return self.process.pid

    def log(self) -> str:
        """Return what it has printed so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def wait_listening(self, timeout: float = 60.0) -> None:
        """Return when it has said which ports it has. SandboxError after *timeout* s, or if it ended."""
        deadline = time.monotonic() + timeout
        while True:
            listening, admin = LISTENING.search(self.log()), ADMIN.search(self.log())
            if listening and admin:
                self.port, self.admin_port = int(listening[1]), int(admin[1])
                return
            self._give_up_after(deadline, "did not say where it listens")

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Return when an application can log in and read through it."""
        deadline = time.monotonic() + timeout
        self.wait_listening(timeout)
        while True:
            try:
                with (
                    self.connect(connect_timeout=5, read_timeout=5) as connection,
                    connection.cursor() as cursor,
                ):
                    cursor.execute("SELECT 1")
                    return
            except (pymysql.MySQLError, OSError) as error:
                self._give_up_after(deadline, f"does not serve: {error}")

    def connect(self, **options: Any) -> "Connection[Any]":
        """Connect as the application, with autocommit; the caller closes. *options* are PyMySQL's."""
        settings: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.app.user,
            "password": self.app.password,
            "autocommit": True,
            "connect_timeout": 20,
        }
        return pymysql.connect(**settings | options)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        self.process.send_signal(number)

    def stop(self, timeout: float = 60.0) -> int:
        """End it in order (SIGTERM); return its exit status. SandboxError after *timeout* seconds."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise SandboxError(f"the router did not end within {timeout:g} s\n{self._tail()}") from None

    def close(self) -> None:
        """End it at once and remove its files. May be called twice."""
        if self.process.poll() is None:
            self.process.terminate()  # the master ends its workers; only then is it killed
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._janitor.close()
        self.process.wait()

    def __enter__(self) -> Self:
        """Return itself: it runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _give_up_after(self, deadline: float, what: str) -> None:
        status = self.process.poll()
        if status is not None:
            raise SandboxError(f"the router ended with status {status}:\n{self._tail()}")
        if time.monotonic() > deadline:
            raise SandboxError(f"the router {what}:\n{self._tail()}")
        time.sleep(POLL)

    def _tail(self) -> str:
        return "\n".join(self.log().splitlines()[-25:])
