"""One server of a sandbox: a child process with files and a port of its own."""

import contextlib
import os
import shutil
import signal
import socket as sockets
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow

import pymysql

from rwrouter.sandbox.access import Access
from rwrouter.sandbox.binaries import Binary, SandboxError
from rwrouter.sandbox.options import Accounts, option_file

PORTS = range(13_000, 32_000)  # below the ports that Linux gives to outgoing connections
POLL = 0.02  # seconds between two looks at a server that starts or stops
TRIES = 5  # ports tried, where somebody else takes each between our look and the server's
PORT_TAKEN = ("Address already in use", "Bind on TCP/IP port", "Can't start server: Bind on")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now. It may be taken before it is used."""
    while True:
        port = PORTS[randbelow(len(PORTS))]
        with sockets.socket() as probe:
            # As servers do it: a port whose last connections are in TIME_WAIT is free.
            probe.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server of a sandbox runs: the address it listens on, and what its command line begins with.

    *enter* is a program that becomes the server (by exec, so that the process id stays), for example
    `("nsenter", "--net=/run/netns/db1")`: a network namespace of its own, in which *host* is an address.
    """

    host: str = "127.0.0.1"
    enter: tuple[str, ...] = ()


class SandboxServer(Access):
    """A primary or replica. Made and closed by a Sandbox; tests stop, kill, pause and start it at will."""

    def __init__(
        self,
        name: str,
        binary: Binary,
        home: Path,
        accounts: Accounts,
        *,
        server_id: int,
        is_replica: bool,
        user: str | None,
        options: Mapping[str, str],
        on_process: Callable[[int], None],
        place: Place | None = None,
    ) -> None:
        self._place = place or Place()
        super().__init__(name, binary.flavor, self._place.host, free_port(), accounts)
        self.server_id = server_id
        self._binary = binary
        self._home = home  # as the server sees it
        self._is_replica = is_replica
        self._user = user
        self._options = options
        self._on_process = on_process
        self._process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}  # more variables, from the next start on
        self._may_move = True  # the port is promised to nobody until the first start has succeeded

    def __repr__(self) -> str:
        return f"<{self.name} {self.address} pid {self.pid}>"

    @property
    def socket(self) -> str:
        """The path of its unix socket, as this process sees it."""
        return str(self._binary.outside(self._home / "sock"))

    @property
    def pid(self) -> int | None:
        """Its process id, None while it does not run."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        """Whether its process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def data(self) -> Path:
        """Its data directory, as this process sees it."""
        return self._binary.outside(self._home / "data")

    def put(self, file: Path) -> Path:
        """Copy *file* to where the server can read it; return its path as the server sees it."""
        inside = self._home / file.name
        shutil.copy(file, self._binary.outside(inside))
        return inside

    def log(self) -> str:
        """Return its error log."""
        path = self._binary.outside(self._home / "log.err")
        return path.read_text(errors="replace") if path.exists() else ""

    def launch(self) -> None:
        """Start the process, on the same port and data as before; `wait_ready` tells when it serves."""
        if self.is_running:
            raise SandboxError(f"{self.name} runs already")
        home = self._binary.outside(self._home)
        for folder in ("files", "tmp"):
            (home / folder).mkdir(exist_ok=True)
        (home / "log.err").unlink(missing_ok=True)
        (home / "my.cnf").write_text(
            option_file(
                self.flavor,
                self._home,
                server_id=self.server_id,
                port=self.port,
                is_replica=self._is_replica,
                user=self._user,
                extra=self._options,
                host=self.host,
            )
        )
        self._process = subprocess.Popen(
            [*self._place.enter, *self._binary.command(f"--defaults-file={self._home / 'my.cnf'}")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | self.environment,
            start_new_session=True,  # a Ctrl-C in the terminal is for the owner, who then stops the server
        )
        self._on_process(self._process.pid)

    def wait_ready(self, timeout: float = 120.0) -> None:
        """Return when it answers; SandboxError after *timeout* seconds, or when it ended instead."""
        deadline = time.monotonic() + timeout
        tries = 0
        while True:
            try:
                with self.connect(connect_timeout=5, read_timeout=5):
                    self._may_move = False
                    return
            except (pymysql.MySQLError, OSError) as error:
                last = error
            if not self.is_running:
                tries += 1
                taken = any(sign in self.log() for sign in PORT_TAKEN)
                if not taken or tries >= TRIES:
                    tail = "\n".join(self.log().splitlines()[-15:])
                    raise SandboxError(f"{self.name} ended instead of starting:\n{tail}")
                if self._may_move:
                    self.port = free_port()
                time.sleep(POLL)
                self.launch()
            if time.monotonic() > deadline:
                raise SandboxError(f"{self.name} did not answer within {timeout:g} s: {last}")
            time.sleep(POLL)

    def start(self, timeout: float = 120.0) -> None:
        """Start it again, on the same port and data, and wait until it answers."""
        self.launch()
        self.wait_ready(timeout)

    def stop(self, timeout: float = 60.0) -> None:
        """Shut it down in order (SIGTERM) and wait for its end."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL) and wait for its end."""
        self._end(signal.SIGKILL, 60.0)

    def pause(self) -> None:
        """Make it hang (SIGSTOP): it accepts connections, and never answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause` (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or not self.is_running:
            raise SandboxError(f"{self.name} does not run")
        return self._process

    def _end(self, by: signal.Signals, timeout: float) -> None:
        if not self.is_running:
            return
        process = self._running()
        process.send_signal(by)
        if by is not signal.SIGKILL:
            process.send_signal(signal.SIGCONT)  # a paused process takes its signals when it goes on
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise SandboxError(f"{self.name} did not end within {timeout:g} s") from None
