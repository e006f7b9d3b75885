"""A primary and its replicas on this machine: real servers as child processes, gone without a trace after."""

import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from rwrouter.model import Flavor
from rwrouter.sandbox import binaries, group, template
from rwrouter.sandbox.access import ReplicationSet
from rwrouter.sandbox.binaries import Binary, SandboxError
from rwrouter.sandbox.janitor import Janitor
from rwrouter.sandbox.options import replication_statements
from rwrouter.sandbox.server import POLL, Place, SandboxServer, free_port


class Topology(StrEnum):
    """Who replicates from whom."""

    REPLICAS = "replicas"  # all from the primary
    CHAIN = "chain"  # each from the one before it
    GROUP = "group"  # MySQL's Group Replication, with one primary


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
        topology: Topology = Topology.REPLICAS,
        places: Sequence[Place] = (),
        timeout: float = 120.0,
    ) -> Self:
        """Start a primary and *replicas* replicas, and return when they replicate.

        The servers are called primary, replica1 and so on; in a group, where roles move, member1 and so on.

        *binary* is the path of a mysqld or mariadbd; without it one is looked for, of *flavor* if given.
        *root* is a root file system to enter by chroot, in which the program lies. *options* are written
        to every server's option file. *places* says where they run, the primary first; without it all listen
        on 127.0.0.1. Raises SandboxError, after cleaning up.
        """
        if topology is Topology.GROUP:
            if flavor is Flavor.MARIADB:
                raise SandboxError("MariaDB has no Group Replication: take MySQL, or another topology")
            if places:
                raise SandboxError(
                    "the members of a group speak with each other on 127.0.0.1: leave places out"
                )
            flavor, options = Flavor.MYSQL, {**group.PLUGIN, **(options or {})}
        sandbox = cls(binaries.find(flavor, binary, root))
        try:
            sandbox._bring_up(replicas, options or {}, topology, places, timeout)
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

    def members(self) -> dict[str, tuple[str, str]]:
        """Return state and role of each member by its name, as one sees them that is ONLINE itself.

        Empty where no server that runs is in a group. A member that was killed is there until it is expelled.
        """
        for server in self.servers:
            if server.is_running:
                seen = self._members_of(server)
                if seen.get(server.name, ("", ""))[0] == "ONLINE":
                    return seen
        return {}

    def _members_of(self, server: SandboxServer) -> dict[str, tuple[str, str]]:
        names = {each.port: each.name for each in self.servers}
        rows = server.query(group.MEMBERS)
        return {names[row["port"]]: (row["state"], row["role"]) for row in rows if row["port"] in names}

    def wait_grouped(self, timeout: float = 120.0) -> None:
        """Return when each server that runs is ONLINE by its own word, and sees the others so.

        Raises SandboxError after *timeout* seconds.
        """
        deadline = time.monotonic() + timeout
        running = [server for server in self.servers if server.is_running]
        while True:
            seen = {server.name: self._members_of(server) for server in running}
            if all(
                members.get(server.name, ("", ""))[0] == "ONLINE"
                for members in seen.values()
                for server in running
            ):
                return
            if time.monotonic() > deadline:
                raise SandboxError(f"the group is not whole within {timeout:g} s: {seen}")
            time.sleep(POLL)

    def _bring_up(
        self,
        replicas: int,
        options: Mapping[str, str],
        topology: Topology,
        places: Sequence[Place],
        timeout: float,
    ) -> None:
        root = self.binary.root
        inside = Path("/") / self._directory.relative_to(root) if root else self._directory
        scratch = self._directory / "init"
        scratch.mkdir()
        data, self.accounts = template.prepare(self.binary, inside / "init")
        shutil.rmtree(scratch)
        for number in range(replicas + 1):
            name = f"replica{number}" if number else "primary"
            if topology is Topology.GROUP:
                name = f"member{number + 1}"
            (self._directory / name).mkdir()
            template.copy(data, self._directory / name / "data")
            server = SandboxServer(
                name,
                self.binary,
                inside / name,
                self.accounts,
                server_id=number + 1,
                is_replica=number > 0 and topology is not Topology.GROUP,
                user="root" if os.geteuid() == 0 else None,
                options=options,
                on_process=self._janitor.process,
                place=places[number] if places else None,
            )
            self.servers.append(server)
            server.launch()
        deadline = time.monotonic() + timeout
        for server in self.servers:
            server.wait_ready(max(1.0, deadline - time.monotonic()))
        if topology is Topology.GROUP:
            self._form_group(deadline)
        else:
            self._replicate(topology, deadline)

    def _form_group(self, deadline: float) -> None:
        name, ports = group.new_name(), [free_port() for _ in self.servers]
        for server, port in zip(self.servers, ports, strict=True):
            statements = group.prepare(name, port, ports, self.accounts.replication, self.monitor)
            server.run(statements)
        self.primary.run(group.bootstrap())
        for server in self.replicas:  # one after the other: two that join at a time make each other wait
            server.run([group.JOIN])
        self.wait_grouped(max(1.0, deadline - time.monotonic()))

    def _replicate(self, topology: Topology, deadline: float) -> None:
        for before, replica in zip(self.servers, self.replicas, strict=False):
            source = before if topology is Topology.CHAIN else self.primary
            account = self.accounts.replication
            replica.run(replication_statements(self.flavor, source.port, account, source.host))
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
