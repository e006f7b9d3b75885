"""One server of a sandbox, with a program that is no server."""

import socket
from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox.binaries import Binary, SandboxError
from rwrouter.sandbox.options import Account, Accounts
from rwrouter.sandbox.server import PORTS, SandboxServer, free_port

ACCOUNTS = Accounts(*(Account(name, "secret") for name in Accounts.__slots__))


def test_a_free_port_can_be_bound() -> None:
    """Nobody listens there, and outgoing connections don't use it."""
    port = free_port()
    assert port in PORTS
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def _server(tmp_path: Path, script: str) -> tuple[SandboxServer, list[int]]:
    program = tmp_path / "mysqld"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    pids: list[int] = []
    server = SandboxServer(
        "primary",
        Binary(Flavor.MYSQL, "9.7.4", program),
        tmp_path,
        ACCOUNTS,
        server_id=1,
        is_replica=False,
        user=None,
        options={},
        on_process=pids.append,
    )
    return server, pids


def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    """The error has the log's end in it; every process was told of."""
    server, pids = _server(tmp_path, f"echo 'unknown variable nonsense' > {tmp_path}/log.err; exit 1")
    with pytest.raises(SandboxError, match="primary ended instead of starting:\nunknown variable nonsense"):
        server.start(10)
    assert len(pids) == 1
    assert server.pid is None


@pytest.mark.slow
def test_a_port_taken_meanwhile_is_changed(tmp_path: Path) -> None:
    """Another port is tried, a few times, where somebody took the first one."""
    server, pids = _server(tmp_path, f"echo 'bind: Address already in use' > {tmp_path}/log.err; exit 1")
    first = server.port
    with pytest.raises(SandboxError, match="Address already in use"):
        server.start(10)
    assert len(pids) == 5
    assert server.port != first


def test_what_does_not_run_is_not_paused(tmp_path: Path) -> None:
    """Pausing a server that ended is an error; ending it again is none."""
    server, _ = _server(tmp_path, "exit 1")
    with pytest.raises(SandboxError, match="primary does not run"):
        server.pause()
    server.kill()
    server.stop()
    assert repr(server) == f"<primary 127.0.0.1:{server.port} pid None>"
