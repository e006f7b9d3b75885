"""A client without a library: any command, any capability, every byte of the reply."""

import socket
import ssl
from collections.abc import Mapping
from typing import Self

from rwrouter.protocol import flags
from rwrouter.protocol.auth import Secret
from rwrouter.protocol.compression import CompressionLayer
from rwrouter.protocol.framing import frame
from rwrouter.protocol.handshake import ClientHandshake, Ready, Refused, StartTls

PLAIN = (
    flags.CLIENT_LONG_PASSWORD
    | flags.CLIENT_LONG_FLAG
    | flags.CLIENT_TRANSACTIONS
    | flags.CLIENT_MULTI_RESULTS
    | flags.CLIENT_PS_MULTI_RESULTS
    | flags.CLIENT_LOCAL_FILES
    | flags.CLIENT_DEPRECATE_EOF
)


class RefusedLogin(Exception):
    """The server's own error."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"{refused.code} {refused.message}")
        self.code = refused.code


class RawClient:
    """One connection, logged in. *capabilities*: what it asks for; `ready.capabilities` is what was agreed.

    *first* is sent before anything else. *compression* is used where it was agreed.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        *,
        capabilities: int = PLAIN,
        schema: str | None = None,
        tls: bool = False,
        first: bytes = b"",
        attributes: Mapping[bytes, bytes] | None = None,
        timeout: float = 20.0,
    ) -> None:
        self.socket: socket.socket = socket.create_connection((host, port), timeout)
        self.layer: CompressionLayer | None = None
        self.received = 0  # bytes on the link
        self._secure = tls
        self._buffer = bytearray()
        if first:
            self.socket.sendall(first)
        machine = ClientHandshake(
            user=user,
            secret=Secret.of(password.encode()),
            capabilities=capabilities,
            collation=45,
            schema=schema,
            attributes=attributes or {},
            max_packet=1 << 30,
            tls="required" if tls else "disabled",
        )
        try:
            self.ready = self._log_in(machine)
        except BaseException:
            self.socket.close()
            raise
        agreed = self.ready.capabilities
        if agreed & (flags.CLIENT_COMPRESS | flags.CLIENT_ZSTD):
            self.layer = CompressionLayer("zlib" if agreed & flags.CLIENT_COMPRESS else "zstd")

    def _log_in(self, machine: ClientHandshake) -> Ready:
        while True:
            event = machine.next_event()
            out = machine.data_to_send()
            if out:
                self.write(out, 1)
            if isinstance(event, StartTls):
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                self.socket = context.wrap_socket(self.socket)
                machine.tls_started()
            elif isinstance(event, Refused):
                raise RefusedLogin(event)
            elif isinstance(event, Ready):
                return event
            elif machine.error is not None:
                raise machine.error
            elif event is None:
                machine.receive(self.read())

    # -- bytes

    def read(self) -> bytes:
        """Return what comes next. Raises ConnectionError at the end."""
        while True:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError("the connection has ended")
            self.received += len(data)
            if self.layer is None:
                return data
            clear = self.layer.receive(data)
            while self.layer.has_more:
                clear += self.layer.receive(b"")
            assert self.layer.error is None, self.layer.error
            if clear:
                return clear

    def write(self, data: bytes, sequence_id: int = 0) -> None:
        """Send packets; *sequence_id* 0: they begin a command."""
        if self.layer is None:
            self.socket.sendall(data)
            return
        if not sequence_id:
            self.layer.begin_command()
        self.layer.send(data)
        self.socket.sendall(self.layer.data_to_send())

    # -- packets

    def packet(self) -> bytes:
        """Return the payload of the next packet (the first 16 MB of it)."""
        while len(self._buffer) < 4 or len(self._buffer) < 4 + int.from_bytes(self._buffer[:3], "little"):
            self._buffer += self.read()
        size = int.from_bytes(self._buffer[:3], "little")
        payload = bytes(self._buffer[4 : 4 + size])
        del self._buffer[: 4 + size]
        return payload

    def send(self, payload: bytes) -> None:
        """Send one command."""
        self.write(frame(payload, 0))

    def ask(self, payload: bytes) -> bytes:
        """Send one command; return the first packet of its reply."""
        self.send(payload)
        return self.packet()

    def result(self) -> list[bytes]:
        """Return the packets of one result: an OK or ERR alone, or a result set up to its end."""
        packets = [self.packet()]
        if packets[0][0] in {0x00, 0xFF}:
            return packets
        ends = 1 if self.ready.capabilities & flags.CLIENT_DEPRECATE_EOF else 2
        while ends:
            packets.append(self.packet())
            if packets[-1][0] == 0xFF:
                break
            ends -= packets[-1][0] == 0xFE and len(packets[-1]) < 0xFFFFFF
        return packets

    def query(self, sql: str) -> list[bytes]:
        """Run *sql*; return the packets of its first result."""
        head = b"\x03\x00\x01" if self.ready.capabilities & flags.CLIENT_QUERY_ATTRIBUTES else b"\x03"
        self.send(head + sql.encode())
        return self.result()

    def value(self, sql: str) -> str | None:
        """Run *sql*; return the first value of its first row, None for NULL."""
        packets = self.query(sql)
        assert packets[0][0] != 0xFF, packets[0]
        first = packets[-2]
        return None if first[0] == 0xFB else first[1 : 1 + first[0]].decode()

    # -- another user

    def change_user(
        self,
        user: str,
        password: str,
        schema: str | None = None,
        attributes: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """COM_CHANGE_USER. Raises RefusedLogin."""
        machine = ClientHandshake.for_change_user(
            self.ready,
            user=user,
            secret=Secret.of(password.encode()),
            collation=45,
            schema=schema,
            attributes=attributes or {},
            is_secure=self._secure,
        )
        self._log_in(machine)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self.close()
