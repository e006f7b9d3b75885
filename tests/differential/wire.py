"""A client that keeps every packet of a reply: two connections are compared by what each was sent.

Its reading of replies is its own ("Text Resultset", "COM_STMT_PREPARE Response", "COM_STMT_FETCH Response" of the MySQL
source documentation), and knows nothing of the router's: what both got wrong would be equal.
"""

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Final, Self

from rwrouter.protocol.auth import Secret
from rwrouter.protocol.flags import (
    CLIENT_DEPRECATE_EOF,
    CLIENT_QUERY_ATTRIBUTES,
    COM_CHANGE_USER,
    COM_FIELD_LIST,
    COM_QUERY,
    COM_QUIT,
    COM_STATISTICS,
    COM_STMT_CLOSE,
    COM_STMT_FETCH,
    COM_STMT_PREPARE,
    COM_STMT_SEND_LONG_DATA,
    SERVER_MORE_RESULTS_EXISTS,
    SERVER_PS_OUT_PARAMS,
    SERVER_STATUS_CURSOR_EXISTS,
)
from rwrouter.protocol.framing import frame, frames
from rwrouter.protocol.handshake import ClientHandshake, Ready, Refused
from rwrouter.sandbox.options import Account

PATIENCE: Final = 30.0  # seconds without a byte, after which an answer is taken for missing
MALFORMED: Final = "no EOF behind the columns"
SILENT: Final = b"no answer: TimeoutError"  # what such an answer is told as
BIGGEST: Final = 0xFFFFFF
NO_REPLY: Final = frozenset({COM_STMT_CLOSE, COM_STMT_SEND_LONG_DATA, COM_QUIT})


@dataclass(frozen=True, slots=True)
class Packet:
    """One payload of a reply, and what it stands for: ok, err, eof, count, column, row, prepared, text, infile."""

    kind: str
    payload: bytes


class Lost(Exception):
    """The connection has ended, or nothing came for long, or what came is no reply."""


class Client:
    """One raw connection, logged in."""

    def __init__(
        self,
        address: tuple[str, int],
        account: Account,
        *,
        capabilities: int,
        collation: int = 45,
        schema: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._socket = socket.create_connection(address, timeout=patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._account = account
        self._collation = collation
        self._next = 0
        handshake = ClientHandshake(
            user=account.user,
            secret=Secret.of(account.password.encode()),
            capabilities=capabilities,
            collation=collation,
            schema=schema,
            attributes={},
            max_packet=1 << 30,
            tls="disabled",
        )
        self.ready = self._agree(handshake)
        self.capabilities = self.ready.capabilities
        self._deprecate_eof = bool(self.capabilities & CLIENT_DEPRECATE_EOF)

    def _agree(self, handshake: ClientHandshake) -> Ready:
        while True:
            event = handshake.next_event()
            out = handshake.data_to_send()
            if out:
                self._socket.sendall(out)
            if isinstance(event, Ready):
                return event
            if isinstance(event, Refused):
                raise Lost(f"refused: {event.code} {event.sqlstate} {event.message}")
            if handshake.error is not None:
                raise Lost(f"login: {handshake.error}")
            if event is None:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise Lost("closed in the login")
                handshake.receive(data)

    # -- commands

    def send(self, payload: bytes) -> None:
        """Send a command. Raises Lost."""
        try:
            self._socket.sendall(frame(payload, 0))
        except OSError as exc:
            raise Lost(f"not sent: {type(exc).__name__}") from None
        self._next = 1

    def receive(self, command: int, file: bytes = b"") -> list[Packet]:
        """Return the reply to *command*, all of it; *file* is sent where the server asks for one. Raises Lost."""
        if command in NO_REPLY:
            return []
        reply: list[Packet] = []
        if command in {COM_FIELD_LIST, COM_STMT_FETCH}:
            self._rows(reply, "column" if command == COM_FIELD_LIST else "row")
        elif command == COM_STATISTICS:
            reply.append(Packet("text", self._payload()))
        elif command == COM_STMT_PREPARE:
            self._prepared(reply)
        else:
            while self._result(reply, file):
                pass
        return reply

    def change_user(self, schema: str | None) -> list[Packet]:
        """COM_CHANGE_USER to the same account; return what ended it."""
        handshake = ClientHandshake.for_change_user(
            self.ready,
            user=self._account.user,
            secret=Secret.of(self._account.password.encode()),
            collation=self._collation,
            schema=schema,
            attributes={},
            is_secure=False,
        )
        try:
            self._agree(handshake)
        except OSError as exc:
            raise Lost(type(exc).__name__) from None
        return [Packet("text", bytes((COM_CHANGE_USER,)))]

    # -- replies

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                data = self._socket.recv(1 << 18)
            except OSError as exc:
                raise Lost(f"no answer: {type(exc).__name__}") from None
            if not data:
                raise Lost("closed")
            self._buffer += data
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _payload(self) -> bytes:
        pieces = []
        while True:
            header = self._take(4)
            if header[3] != self._next:
                raise Lost(f"packet number {header[3]} where {self._next} is due")
            self._next = (self._next + 1) & 0xFF
            size = int.from_bytes(header[:3], "little")
            pieces.append(self._take(size))
            if size < BIGGEST:
                return b"".join(pieces)

    def _result(self, reply: list[Packet], file: bytes) -> bool:
        """Read one result; return whether another follows."""
        payload = self._payload()
        first = payload[0] if payload else -1
        if first == 0xFB:
            reply.append(Packet("infile", payload))
            packets = [file, b""] if file else [b""]
            self._socket.sendall(frames(packets, self._next))
            self._next += len(packets)
            payload = self._payload()
            first = payload[0]
        if first == 0xFF:
            reply.append(Packet("err", payload))
            return False
        if first == 0x00:
            reply.append(Packet("ok", payload))
            return bool(status_of(payload) & SERVER_MORE_RESULTS_EXISTS)
        if first == 0xFE and len(payload) < 9:  # COM_SET_OPTION
            reply.append(Packet("eof" if len(payload) == 5 else "ok", payload))
            return False
        count, _ = lenenc(payload, 0)
        reply.append(Packet("count", payload))
        reply += [Packet("column", self._payload()) for _ in range(count)]
        if not self._deprecate_eof:
            end = self._payload()
            if end[0] == 0xFF:  # the first row could not be made
                reply.append(Packet("err", end))
                return False
            if end[0] != 0xFE:
                raise Lost(MALFORMED)
            reply.append(Packet("eof", end))
            if status_of(end) & SERVER_STATUS_CURSOR_EXISTS:
                return False
            if (
                status_of(end) & SERVER_PS_OUT_PARAMS
            ):  # MySQL: the EOF behind the row does not say that more comes
                self._rows(reply, "row")
                return True
        return bool(self._rows(reply, "row") & SERVER_MORE_RESULTS_EXISTS)

    def _rows(self, reply: list[Packet], kind: str) -> int:
        """Read rows, or definitions, up to their end; return the status there."""
        while True:
            payload = self._payload()
            if payload[:1] == b"\xff":
                reply.append(Packet("err", payload))
                return 0
            if payload[:1] == b"\xfe" and len(payload) < BIGGEST:
                reply.append(Packet("eof" if len(payload) == 5 else "ok", payload))
                return status_of(payload)
            reply.append(Packet(kind, payload))

    def _prepared(self, reply: list[Packet]) -> None:
        payload = self._payload()
        if payload[0] == 0xFF:
            reply.append(Packet("err", payload))
            return
        reply.append(Packet("prepared", payload))
        columns, parameters = struct.unpack_from("<HH", payload, 5)
        for count in (parameters, columns):
            reply += [Packet("column", self._payload()) for _ in range(count)]
            if count and not self._deprecate_eof:
                reply.append(Packet("eof", self._payload()))

    def close(self) -> None:
        """Hang up in order."""
        with contextlib.suppress(OSError):
            self._socket.sendall(frame(bytes((COM_QUIT,)), 0))
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def query(sql: str | bytes, capabilities: int = 0) -> bytes:
    """Return a COM_QUERY of *sql*; with CLIENT_QUERY_ATTRIBUTES agreed it says that there are none."""
    head = b"\x00\x01" if capabilities & CLIENT_QUERY_ATTRIBUTES else b""
    return bytes((COM_QUERY,)) + head + (sql.encode() if isinstance(sql, str) else sql)


def lenenc(data: bytes, pos: int) -> tuple[int, int]:
    """Return the int<lenenc> at *pos*, and where it ends."""
    first = data[pos]
    if first < 0xFB:
        return first, pos + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(data[pos + 1 : pos + 1 + width], "little"), pos + 1 + width


def status_at(payload: bytes) -> int:
    """Return where the status lies in an OK or EOF packet."""
    if payload[0] == 0xFE and len(payload) == 5:
        return 3
    _, pos = lenenc(payload, 1)
    _, pos = lenenc(payload, pos)
    return pos


def status_of(payload: bytes) -> int:
    """Return the status flags of an OK or EOF packet."""
    pos = status_at(payload)
    return payload[pos] | payload[pos + 1] << 8
