"""Network namespaces for real servers: each has an address of its own, and packets that can be dropped.

    host ──veth── switch (a namespace with a bridge) ──veth── db1
                                                     ├─veth── db2 …

The switch is a namespace too, so that no firewall of the machine sees its packets. Everything is gone with `close`;
what a killed run has left behind, the next one removes. Needs root, iproute2, iptables and util-linux.
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rwrouter.sandbox.server import Place

RUN: Final = Path("/run")
NETWORKS: Final = range(200)  # 198.18.N.0/24, of the block for tests of network devices (RFC 2544)
PROGRAMS: Final = ("ip", "iptables", "nsenter")


def why_not() -> str:
    """Return why this machine can have no such network; empty where it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    lacking = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    return f"{', '.join(lacking)} not found (packages iproute2, iptables, util-linux)" if lacking else ""


class Network:
    """A network of *count* namespaces, which this process reaches too."""

    def __init__(self, count: int) -> None:
        _remove_leftovers()
        self._number, self._mark = _claim()
        self.count = count
        self._outer = f"rwlab{self._number}"
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return itself: it is there already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def host(self, number: int) -> str:
        """Return the address of namespace *number*, from 0."""
        return f"198.18.{self._number}.{10 + number}"

    @property
    def outside(self) -> str:
        """The address of this process, as the namespaces see it."""
        return f"198.18.{self._number}.1"

    def place(self, number: int) -> Place:
        """Return where a server runs that is started in namespace *number*."""
        return Place(self.host(number), (_program("nsenter"), f"--net=/run/netns/{self._inner(number)}"))

    def drop(self, number: int, *match: str) -> None:
        """Let namespace *number* lose each packet, in and out, that *match* (arguments of iptables) fits."""
        for chain in ("INPUT", "OUTPUT"):
            self._filter(number, "-A", chain, *match, "-j", "DROP")

    def drop_incoming(self, number: int, *match: str) -> None:
        """Let namespace *number* lose what comes in and fits *match*."""
        self._filter(number, "-A", "INPUT", *match, "-j", "DROP")

    def refuse(self, number: int, *match: str) -> None:
        """Let namespace *number* answer each TCP packet that fits *match* with a reset."""
        self._filter(number, "-A", "INPUT", "-p", "tcp", *match, "-j", "REJECT", "--reject-with", "tcp-reset")

    def part(self, one: int, other: int) -> None:
        """Let *one* and *other* lose each other; both still hear everybody else."""
        self.drop_incoming(one, "-s", self.host(other))
        self.drop_incoming(other, "-s", self.host(one))

    def mend(self) -> None:
        """Let every packet pass again."""
        for number in range(self.count):
            self._filter(number, "-F")

    def close(self) -> None:
        """Remove everything."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("ip", "link", "del", self._outer)
        _remove(self._number, self.count)
        self._mark.unlink(missing_ok=True)

    def _inner(self, number: int) -> str:
        return f"{self._outer}-{number}"

    def _filter(self, number: int, *arguments: str) -> None:
        _run("nsenter", f"--net=/run/netns/{self._inner(number)}", _program("iptables"), "-w", *arguments)

    def _make(self) -> None:
        switch = f"{self._outer}-switch"
        _run("ip", "netns", "add", switch)
        _run("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", switch, "link", "set", "bridge", "up")
        _run("ip", "link", "add", self._outer, "type", "veth", "peer", "name", "host", "netns", switch)
        _run("ip", "addr", "add", f"{self.outside}/24", "dev", self._outer)
        _run("ip", "link", "set", self._outer, "up")
        _run("ip", "-n", switch, "link", "set", "host", "master", "bridge", "up")
        for number in range(self.count):
            name, port = self._inner(number), f"port{number}"
            _run("ip", "netns", "add", name)
            _run(
                "ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", switch
            )
            _run("ip", "-n", name, "addr", "add", f"{self.host(number)}/24", "dev", "eth0")
            _run("ip", "-n", name, "link", "set", "eth0", "up")
            _run("ip", "-n", name, "link", "set", "lo", "up")
            _run("ip", "-n", switch, "link", "set", port, "master", "bridge", "up")


def _claim() -> tuple[int, Path]:
    """Return the number of a network that nobody has, and the file that says whose it is now."""
    for number in NETWORKS:
        mark = RUN / f"rwlab{number}.pid"
        try:
            with mark.open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            continue
        return number, mark
    raise RuntimeError(f"all of 198.18.0.0/16 is in use: see {RUN}/rwlab*.pid")


def _remove_leftovers() -> None:
    """Remove the networks of processes that are gone."""
    for mark in RUN.glob("rwlab*.pid"):
        with contextlib.suppress(OSError, ValueError):
            if (Path("/proc") / str(int(mark.read_text()))).exists():
                continue
            number = int(mark.stem.removeprefix("rwlab"))
            with contextlib.suppress(subprocess.CalledProcessError):
                _run("ip", "link", "del", f"rwlab{number}")
            _remove(number, 16)
            mark.unlink(missing_ok=True)


def _remove(number: int, count: int) -> None:
    for name in (f"rwlab{number}-switch", *(f"rwlab{number}-{each}" for each in range(count))):
        if (RUN / "netns" / name).exists():
            _run("ip", "netns", "del", name)


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def _program(name: str) -> str:
    return shutil.which(name, path=_path()) or name


def _run(*command: str) -> None:
    subprocess.run([_program(command[0]), *command[1:]], check=True, capture_output=True, timeout=30)
