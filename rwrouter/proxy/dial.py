"""Open a connection to a server: connect, log in, and hand over a BackendConnection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, cast

from rwrouter.config.addresses import is_loopback
from rwrouter.config.model import Settings, TlsMode
from rwrouter.errors import BackendProtocolError, RouterError
from rwrouter.protocol import proxy_header
from rwrouter.protocol.auth import Secret
from rwrouter.protocol.handshake import ClientHandshake, Ready, Refused, StartTls
from rwrouter.protocol.tls import TlsContext, TlsLayer
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.compressed import CompressedTransport
from rwrouter.proxy.measured import MeasuredConnection
from rwrouter.proxy.secure import SecureTransport
from rwrouter.proxy.servers import Endpoint

MAX_PACKET: Final = 1 << 30  # what a server allows is its own setting, and its own error

# A connection that waits for a reply is looked after like this, in seconds: one that is dead ends after 45 s.
KEEPALIVE_IDLE: Final = 30
KEEPALIVE_INTERVAL: Final = 5
KEEPALIVE_PROBES: Final = 3

_TLS: Final = {TlsMode.DISABLED: "disabled", TlsMode.PREFERRED: "preferred"}  # the others: "required"


_MAY_WANT_TLS: Final = frozenset({1045, 3159})
"""What a server says to an account that must use TLS (ER_ACCESS_DENIED_ERROR, ER_SECURE_TRANSPORT_REQUIRED)."""


class Refusal(RouterError):
    """A server's own ERR during login, word for word."""

    def __init__(self, code: int, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.number = code
        self.state = sqlstate


class Account(NamedTuple):
    """How to log in to the servers for one client."""

    user: str
    secret: Secret
    capabilities: int  # to agree with the server: those of the client, and what the router needs
    collation: int
    attributes: Mapping[bytes, bytes]
    client_tracks: bool  # the client asked for session tracking
    address: tuple[str, int] | None = None  # of the client; None: it came over a unix socket


class Login(asyncio.Protocol):
    """Logs in to one server; `done` gives the BackendConnection, or raises Refusal, BackendProtocolError, OSError."""

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        schema: bytes,
        tls: str,
        context: TlsContext | None,
        kind: type[BackendConnection] = BackendConnection,
        *,
        announces: bool = False,
    ) -> None:
        self.done: asyncio.Future[BackendConnection] = asyncio.get_running_loop().create_future()
        self._endpoint = endpoint
        self._account = account
        self._schema = schema
        self._context = context
        self._kind = kind
        self._announces = announces  # begins with a PROXY header
        self._machine = ClientHandshake(
            user=account.user,
            secret=account.secret,
            capabilities=account.capabilities,
            collation=account.collation,
            schema=schema.decode("utf-8", "surrogateescape") or None,
            attributes=account.attributes,
            max_packet=MAX_PACKET,
            tls=tls,  # type: ignore[arg-type]
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the server's greeting."""
        self._transport = cast("asyncio.Transport", transport)
        if self._announces:
            server = transport.get_extra_info("peername")
            self._transport.write(proxy_header.build(self._account.address, server[:2] if server else None))

    def data_received(self, data: bytes) -> None:
        """Feed the machine, and act on what it says."""
        self._machine.receive(data)
        self._act()

    def _act(self) -> None:
        machine = self._machine
        while True:
            event = machine.next_event()
            out = machine.data_to_send()
            if out:
                self._transport.write(out)
            if event is None:
                break
            if isinstance(event, StartTls):
                context = self._context
                if context is None:
                    self._fail(BackendProtocolError("TLS is asked for, but not set up"))
                    return
                layer = TlsLayer(
                    context, server_side=False, server_hostname=self._endpoint.server.address.host
                )
                self._transport = SecureTransport.wrap(self._transport, layer, self, event.rest)
                machine.tls_started()
            elif isinstance(event, Refused):
                self._fail(Refusal(event.code, event.sqlstate, event.message))
                return
            elif isinstance(event, Ready):
                account = self._account
                backend = self._kind(
                    self._endpoint,
                    event.connection_id,
                    event.capabilities,
                    client_tracks=account.client_tracks,
                    schema=self._schema,
                    status=event.status,
                )
                self._transport = CompressedTransport.wrap(
                    self._transport, event.capabilities, backend, towards_server=True
                )
                self._transport.set_protocol(backend)
                backend.connection_made(self._transport)
                if self.done.done():  # nobody waits any more
                    backend.close()
                else:
                    self.done.set_result(backend)
                return
        if machine.error is not None:
            self._fail(machine.error)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server hung up before the login was done."""
        self._fail(
            exc if isinstance(exc, OSError) else ConnectionResetError("it closed the connection during login")
        )

    def _fail(self, exc: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(exc)
        self._transport.abort()


def notice_silence(raw: socket.socket, timeout: float) -> None:
    """Let the kernel end a connection whose other end is gone without a word (tcp(7)).

    A firewall that has forgotten it, or a machine that lost its power, answers nothing: what is sent there counts as
    lost after *timeout* seconds without an acknowledgement, where the kernel would try for a quarter of an hour. That
    is no limit for statements: a server that works on one acknowledges what it got.
    """
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_USER_TIMEOUT", int(timeout * 1000)),  # milliseconds
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        option = getattr(socket, name, None)  # not every system has all
        if option is not None:
            raw.setsockopt(socket.IPPROTO_TCP, option, value)


@asynccontextmanager
async def _until_it_is_down(endpoint: Endpoint, limit: asyncio.Timeout) -> AsyncIterator[None]:
    """End *limit* as soon as the monitor finds *endpoint* down: a hung server must not cost the whole time-out."""

    def give_up() -> None:
        if not limit.expired():  # it ends already, and takes no other time any more
            limit.reschedule(0.0)

    endpoint.dialing.add(give_up)
    try:
        yield
    finally:
        endpoint.dialing.discard(give_up)


class Dialer:
    """Opens connections, by the settings of the router."""

    def __init__(self, settings: Settings, context: TlsContext | None) -> None:
        self._timeout = settings.limits.connect_timeout
        self._context = context
        measured = settings.reads.strategy in {"least_outstanding", "latency"}
        self._kind = MeasuredConnection if measured else BackendConnection
        self._announces = settings.proxy_protocol.to_servers
        self._tls = _TLS.get(settings.server_tls.mode, "required")

    async def open(self, endpoint: Endpoint, account: Account, schema: bytes) -> BackendConnection:
        """Return a logged-in connection. Raises Refusal, RouterError, OSError (TimeoutError too)."""
        if self._tls == "preferred" and is_loopback(endpoint.server.address):
            # Nobody listens between two programs of one machine; but the account may insist on TLS.
            try:
                return await self._open(endpoint, account, schema, "disabled")
            except Refusal as refusal:
                if refusal.number not in _MAY_WANT_TLS:
                    raise
        return await self._open(endpoint, account, schema, self._tls)

    async def _open(self, endpoint: Endpoint, account: Account, schema: bytes, tls: str) -> BackendConnection:
        loop = asyncio.get_running_loop()
        address = endpoint.server.address
        login: Login | None = None

        def factory() -> Login:
            return Login(endpoint, account, schema, tls, self._context, self._kind, announces=self._announces)

        async with asyncio.timeout(self._timeout) as limit, _until_it_is_down(endpoint, limit):
            transport, login = await loop.create_connection(factory, address.host, address.port)
            raw = transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                notice_silence(raw, self._timeout)
            try:
                return await login.done
            except asyncio.CancelledError:
                transport.abort()
                raise
