"""Listening sockets."""

import socket
from pathlib import Path

import pytest

from rwrouter.errors import ConfigError
from rwrouter.process import listeners


def test_copies_share_one_port() -> None:
    """Port 0 is chosen once, for all workers."""
    sockets = listeners.bind("127.0.0.1:0", 3)
    assert len({listeners.name_of(sock) for sock in sockets}) == 1
    for sock in sockets:
        sock.close()


@pytest.mark.parametrize("copies", [1, 2])
def test_a_port_in_use_is_said_plainly(copies: int) -> None:
    """Also when both would share it by SO_REUSEPORT."""
    taken = listeners.bind("127.0.0.1:0", copies)
    name = listeners.name_of(taken[0])
    with pytest.raises(ConfigError, match=r"in use by another program; choose another with --listen"):
        listeners.bind(name, copies)
    for sock in taken:
        sock.close()


def test_an_address_of_another_machine() -> None:
    """The error names the address."""
    with pytest.raises(ConfigError, match=r"192.0.2.1:3306: this machine has no such address"):
        listeners.bind("192.0.2.1:3306", 1)


def test_unix_sockets(tmp_path: Path) -> None:
    """A socket file left over is replaced; one in use is not."""
    path = tmp_path / "r.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    (sock,) = listeners.bind(f"unix:{path}", 1)
    assert listeners.name_of(sock) == f"unix:{path}"
    with pytest.raises(ConfigError, match="in use"):
        listeners.bind(f"unix:{path}", 1)
    sock.close()
