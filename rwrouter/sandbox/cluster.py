"""A primary and its replicas on this machine: real servers as child processes, gone without a trace after."""

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rwrouter.model import Flavor
from rwrouter.sandbox import binaries, template
from rwrouter.sandbox.access import ReplicationSet
from rwrouter.sandbox.binaries import Binary, SandboxError
from rwrouter.sandbox.janitor import Janitor
from rwrouter.sandbox.options import replication_statements
from rwrouter.sandbox.server import POLL, SandboxServer


class Sandbox(ReplicationSet[SandboxServer]):
    """A running replication set. Use as a context manager, or `close` it."""

    def __init__(self, binary: Binary) -> None:
        """Prepare an empty sandbox: `Sandbox.start` is what makes one that runs."""
        super().__init__(binary.flavor)
        self.binary = binary
        self._janitor = Janitor()
        parent = binary.outside(Path("/tmp")) if binary.root else Path(tempfile.gettempdir())  # noqa: S108
        # A short name: the path of a unix socket has 107 bytes at most.
        self._directory = Path(tempfile.mkdtemp(prefix="rwrouter-", dir=parent))
        self._janitor.directory(self._directory)

    @classmethod
    def start(
        cls,
        replicas: int = 2,
        *,
        flavor: Flavor | None = None,
        binary: str | None = None,
        root: Path | None = None,
        options: Mapping[str, str] | None = None,
        timeout: float = 120.0,
    ) -> Self:
        """Start a primary and *replicas* replicas, and return when they replicate.

        *binary* is the path of a mysqld or mariadbd; without it one is looked for, of *flavor* if given.
        *root* is a root file system to enter by chroot, in which the program lies. *options* are written
        to every server's option file. Raises SandboxError, after cleaning up.
        """
        sandbox = cls(binaries.find(flavor, binary, root))
        try:
            sandbox._bring_up(replicas, options or {}, timeout)
        except BaseException:
            sandbox.close()
            raise
        return sandbox

    def close(self) -> None:
        """End every process and remove every file that the sandbox made. May be called twice."""
        for server in self.servers:
            server.kill()  # nothing is worth a slow shutdown: the data go too
        self._janitor.close()

    def __enter__(self) -> Self:
        """Return itself: it runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _bring_up(self, replicas: int, options: Mapping[str, str], timeout: float) -> None:
        root = self.binary.root
        inside = Path("/") / self._directory.relative_to(root) if root else self._directory
        scratch = self._directory / "init"
        scratch.mkdir()
        data, self.accounts = template.prepare(self.binary, inside / "init")
        shutil.rmtree(scratch)
        for number in range(replicas + 1):
            name = f"replica{number}" if number else "primary"
            (self._directory / name).mkdir()
            template.copy(data, self._directory / name / "data")
            server = SandboxServer(
                name,
                self.binary,
                inside / name,
                self.accounts,
                server_id=number + 1,
                is_replica=number > 0,
                user="root" if os.geteuid() == 0 else None,
                options=options,
                on_process=self._janitor.process,
            )
            self.servers.append(server)
            server.launch()
        deadline = time.monotonic() + timeout
        for server in self.servers:
            server.wait_ready(max(1.0, deadline - time.monotonic()))
        for replica in self.replicas:
            for statement in replication_statements(
                self.flavor, self.primary.port, self.accounts.replication
            ):
                replica.query(statement)
        for replica in self.replicas:
            self._wait_replicating(replica, deadline)

    def _wait_replicating(self, replica: SandboxServer, deadline: float) -> None:
        word = "REPLICA" if self.flavor is Flavor.MYSQL else "SLAVE"
        while True:
            status = replica.query(f"SHOW {word} STATUS")[0]
            running = [
                status[f"{word.title()}_{thread}_Running"] for thread in ("IO", "SQL")
            ]  # the receiver says "Connecting" first
            if running == ["Yes", "Yes"]:
                return
            if time.monotonic() > deadline:
                why = status["Last_IO_Error"] or status["Last_SQL_Error"] or f"threads say {running}"
                raise SandboxError(f"{replica.name} does not replicate: {why}")
            time.sleep(POLL)
