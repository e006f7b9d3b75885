"""A faulty link before a real server: passes bytes on, until a marked statement comes by; then it does as told.

A test puts a marker in a comment of a statement, arms the link with it, and so decides what becomes of just this
statement: lost on its way, its reply cut after so many packets or bytes, dripping byte by byte, or mangled.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

PIECE: Final = 1 << 16
TAIL: Final = 64  # bytes kept of what was passed on, for a marker that comes in two pieces


@dataclass
class Fault:
    """What happens to the statement that has *marker* in it, once.

    *forward*: the server gets the statement. *upload*: so many bytes after the marker reach the server, then the link
    is cut. *packets* of the reply reach the router, and *more* bytes; then the link is closed in order, so that what
    was sent arrives. None: the whole reply. *drip*: the reply comes byte by byte. *mangle*: number of the packet of
    the reply whose sequence id is wrong.
    """

    marker: bytes
    forward: bool = True
    upload: int | None = None
    packets: int | None = None
    more: int = 0
    drip: bool = False
    mangle: int | None = None


class Link:
    """Listens on 127.0.0.1 and leads to *host*:*port*.

    What new connections meet is in *greeting*. None: the server; bytes: these, then the end; a number: so many bytes
    of the server's, then the end; "silence": nothing, for ever.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self.greeting: bytes | int | str | None = None
        self.fired: list[bytes] = []  # markers of the faults that have happened
        self._armed: list[Fault] = []
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """HOST:PORT for a router."""
        return f"127.0.0.1:{self.port}"

    def arm(self, fault: Fault) -> None:
        """Let *fault* happen to the next statement that has its marker."""
        with self._lock:
            self._armed.append(fault)

    def mend(self) -> None:
        """Forget all faults, and let new connections through."""
        with self._lock:
            self._armed.clear()
            self.fired.clear()
        self.greeting = None

    def lead_to(self, host: str, port: int) -> None:
        """Lead new connections to another server; those that are open stay where they are."""
        self._to = (host, port)

    def cut_all(self) -> None:
        """End all connections."""
        with self._lock:
            sockets, self._open = self._open, []
        for one in sockets:
            _end(one)

    def close(self) -> None:
        """End everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                router, _ = self._listener.accept()
            except OSError:
                return
            greeting = self.greeting
            with self._lock:
                self._open.append(router)
            if greeting == "silence":
                continue
            if isinstance(greeting, bytes):
                with contextlib.suppress(OSError):
                    router.sendall(greeting)
                _end(router)
                continue
            try:
                server = socket.create_connection(self._to, 10)
            except OSError:
                _end(router)
                continue
            with self._lock:
                self._open.append(server)
            server.settimeout(None)
            for one in (router, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Passage(self, router, server, greeting if isinstance(greeting, int) else None)

    def take(self, data: bytes) -> Fault | None:
        """Return the fault that is armed for what stands in *data*: it happens now."""
        with self._lock:
            for fault in self._armed:
                if fault.marker in data:
                    self._armed.remove(fault)
                    self.fired.append(fault.marker)
                    return fault
        return None


class _Passage:
    """One connection through a link: a thread for each direction."""

    def __init__(self, link: Link, router: socket.socket, server: socket.socket, limit: int | None) -> None:
        self._link = link
        self._router = router
        self._server = server
        self._limit = limit  # bytes of the server that are passed on at all
        self._fault: Fault | None = None
        self._reply = bytearray()  # of the marked statement, not yet passed on
        self._packets = 0  # of it that have been
        for work in (self._up, self._down):
            threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def _run(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            work()
        _end(self._router)
        _end(self._server)

    def _up(self) -> None:
        """Pass on what the router sends."""
        tail = b""
        while data := self._router.recv(PIECE):
            seen = tail + data
            fault = self._link.take(seen)
            if fault is None:
                self._server.sendall(data)
                tail = seen[-TAIL:]
                continue
            if not fault.forward:
                return
            self._fault = fault
            if fault.upload is None:
                self._server.sendall(data)
                continue
            left = fault.upload
            while data and left > 0:
                self._server.sendall(data[:left])
                left -= len(data)
                data = self._router.recv(PIECE) if left > 0 else b""
            return

    def _down(self) -> None:
        """Pass on what the server sends."""
        while data := self._server.recv(PIECE):
            if self._limit is not None:
                self._router.sendall(data[: self._limit])
                self._limit -= len(data)
                if self._limit <= 0:
                    return
            elif self._fault is None:
                self._router.sendall(data)
            elif not self._reply_of(self._fault, data):
                return

    def _reply_of(self, fault: Fault, data: bytes) -> bool:
        """Pass on a piece of the marked statement's reply; False when the link is to be cut."""
        if fault.drip:
            for at in range(len(data)):
                self._router.sendall(data[at : at + 1])
                time.sleep(0.0005)
            return True
        self._reply += data
        while len(self._reply) >= 4:
            size = int.from_bytes(self._reply[:3], "little") + 4
            if self._packets == fault.packets:
                if len(self._reply) < min(fault.more, size):
                    return True
                self._router.sendall(bytes(self._reply[: fault.more]))
                return False
            if len(self._reply) < size:
                return True
            packet = self._reply[:size]
            del self._reply[:size]
            if self._packets == fault.mangle:
                packet[3] = packet[3] + 7 & 255
            self._packets += 1
            self._router.sendall(bytes(packet))
        return self._packets != fault.packets


def _end(one: socket.socket) -> None:
    """Close in order, in both directions, also while another thread reads."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
