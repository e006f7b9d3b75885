"""A server that misbehaves on purpose: a real one, seen through a relay that answers some things itself.

Everything is as real as the server behind it, so that routers and their monitors take it for one, until a connection
of the account *user* sends a statement that holds MARK: then the fault at hand speaks instead of the server. A fault of
the login does so where it belongs, on each connection of that account, or of anybody before it is known who it is.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from rwrouter.protocol.flags import CLIENT_SSL

MARK: Final = b"FAULT"
HOLD: Final = 60.0  # seconds for which a fault that stalls says nothing, unless the other side leaves

Speak = Callable[["Link"], None]


@dataclass(frozen=True)
class Fault:
    """What is done: *greeting* and *verdict* speak instead of the server at these places, *reply* answers MARK."""

    name: str
    greeting: Speak | None = None
    verdict: Speak | None = None
    reply: Speak | None = None


class Link:
    """The faulty side of one connection."""

    def __init__(self, sock: socket.socket, genuine: bytes = b"") -> None:
        self._sock = sock
        self.genuine = genuine  # what the server would have said

    def say(self, data: bytes) -> None:
        """Send *data*, as far as the other side takes it."""
        with contextlib.suppress(OSError):
            self._sock.sendall(data)

    def stall(self) -> None:
        """Say nothing until the other side leaves."""
        self._sock.settimeout(HOLD)
        with contextlib.suppress(OSError):
            while self._sock.recv(4096):
                pass

    def reset(self) -> None:
        """End the connection by RST."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


class FaultyServer:
    """Listens before the real server at *address*; *fault* is what happens now, if anything."""

    def __init__(self, address: tuple[str, int], user: str) -> None:
        self._real = address
        self._user = user.encode()
        self.fault: Fault | None = None
        self.met = 0  # how often a fault has spoken
        self.left = 0  # how often it has been left by the other side, or has hung up
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for sock in tuple(self._open):
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._real, 20) as server:
            self._open |= {client, server}
            server.settimeout(None)
            try:
                self._relay(client, server)
            finally:
                self._open -= {client, server}

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        greeting = _packet(server)
        fault = self.fault
        if fault is not None and fault.greeting is not None:
            self._speak(fault.greeting, client, greeting)
            return
        client.sendall(_without_tls(greeting))
        response = _packet(client)
        server.sendall(response)
        is_users = self._user + b"\0" in response
        while True:
            answer = _packet(server)
            if is_users and fault is not None and fault.verdict is not None:
                self._speak(fault.verdict, client, answer)
                return
            client.sendall(answer)
            if answer[4] in {0x00, 0xFF}:
                break
            if answer[4:6] != b"\x01\x03":  # caching_sha2_password: what follows is the server's OK
                server.sendall(_packet(client))
        pump = threading.Thread(target=_pump, args=(server, client), daemon=True)
        pump.start()
        while True:
            command = _packet(client)
            fault = self.fault
            if is_users and fault is not None and fault.reply is not None and MARK in command:
                self._speak(fault.reply, client, b"")
                return
            server.sendall(command)

    def _speak(self, speak: Speak, client: socket.socket, genuine: bytes) -> None:
        self.met += 1
        speak(Link(client, genuine))
        self.left += 1


def _pump(server: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(1 << 16):
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)


def _packet(sock: socket.socket) -> bytes:
    """Return one packet, header included. Raises ConnectionError."""
    header = _exactly(sock, 4)
    return header + _exactly(sock, int.from_bytes(header[:3], "little"))


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("closed")
        data += piece
    return data


def _without_tls(packet: bytes) -> bytes:
    """Return a greeting that does not offer TLS: a relay could not read what comes then."""
    if packet[4] == 0xFF:
        return packet
    at = (
        packet.index(b"\0", 5) + 1 + 4 + 8 + 1
    )  # protocol version, server version, connection id, scramble, filler
    low = int.from_bytes(packet[at : at + 2], "little") & ~CLIENT_SSL
    return packet[:at] + low.to_bytes(2, "little") + packet[at + 2 :]
