"""The listening sockets: made by the master, inherited by the workers, so that none is lost when a worker is."""

import errno
import socket
from pathlib import Path
from typing import Final

from rwrouter.errors import ConfigError

BACKLOG: Final = 4096
"""Connections that wait to be accepted: a storm of clients after a restart must not be refused by the kernel."""


def bind(listen: str, copies: int) -> list[socket.socket]:
    """Return sockets that listen at *listen* (HOST:PORT, or unix:PATH): one for each of *copies* workers.

    TCP listeners are separate sockets with SO_REUSEPORT, between which the kernel spreads new connections; a unix
    socket can't be spread so, and is one that all share. Raises ConfigError.
    """
    if listen.startswith("unix:"):
        return [_bind_unix(listen.removeprefix("unix:"))] * copies
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    found: list[socket.socket] = []
    try:
        number = int(port)
        if number and copies > 1:
            # With SO_REUSEPORT a second router of the same user would silently take a part of the clients.
            _bind_tcp(host, number, shared=False).close()
        for _ in range(copies):
            sock = _bind_tcp(host, number, shared=copies > 1)
            number = sock.getsockname()[1]  # port 0: the others take the one that the first was given
            found.append(sock)
    except OSError as exc:
        for sock in found:
            sock.close()
        raise ConfigError(_reason(listen, exc)) from exc
    return found


def _bind_tcp(host: str, port: int, *, shared: bool) -> socket.socket:
    sock = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bind_unix(path: str) -> socket.socket:
    place = Path(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if place.is_socket():
            # A socket file that nobody listens at is left over from a router that was killed.
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                alive = probe.connect_ex(path) == 0
            if not alive:
                place.unlink()
        sock.bind(path)
        place.chmod(0o777)
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        raise ConfigError(_reason(f"unix:{path}", exc)) from exc
    return sock


def _reason(listen: str, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return (
            f"can't listen at {listen}: it is in use by another program; "
            "choose another with --listen, or stop that one"
        )
    if exc.errno == errno.EACCES:
        return f"can't listen at {listen}: not permitted (ports below 1024 need root)"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"can't listen at {listen}: this machine has no such address"
    return f"can't listen at {listen}: {exc.strerror or exc}"


def name_of(sock: socket.socket) -> str:
    """Return where *sock* listens, as in --listen."""
    name = sock.getsockname()
    if isinstance(name, tuple):
        host, port = name[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"unix:{name}"
