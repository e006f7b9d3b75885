"""asyncio.Protocol towards a client until it is logged in; then a ClientConnection takes the transport over."""

import asyncio
import logging
from typing import cast

from rwrouter.config.addresses import is_in
from rwrouter.errors import HandshakeError, NoServer, RouterError, TooManyConnections
from rwrouter.protocol import proxy_header
from rwrouter.protocol.flags import SESSION_STATUS
from rwrouter.protocol.handshake import Login as LoginEvent
from rwrouter.protocol.handshake import ServerHandshake, StartTls
from rwrouter.protocol.packets import build_error
from rwrouter.protocol.tls import TlsLayer
from rwrouter.protocol.wire import Malformed
from rwrouter.proxy.admission import admit
from rwrouter.proxy.client import ClientConnection
from rwrouter.proxy.compressed import CompressedTransport
from rwrouter.proxy.gateway import Gateway
from rwrouter.proxy.secure import SecureTransport

log = logging.getLogger("rwrouter.client")


def peer_address(transport: asyncio.BaseTransport) -> tuple[str, int] | None:
    """Return whom *transport* comes from; None: from a unix socket."""
    peer = transport.get_extra_info("peername")
    return (peer[0], peer[1]) if isinstance(peer, tuple) and len(peer) >= 2 else None


def peer_name(address: tuple[str, int] | None) -> str:
    """Return who a client is, for logs: its address, or its unix socket."""
    if address is None:
        return "unix"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ClientLogin(asyncio.Protocol):
    """Logs one client in: the proof is checked here where it can be, and by a server always."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._machine: ServerHandshake | None = None
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._scramble = b""
        self._secure = False
        self._head = b""  # the start of a PROXY header
        self._has_header = False
        self._spoke = False  # it has sent something: not the health check of a balancer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or say why nobody can be served."""
        gateway = self._gateway
        self._transport = cast("asyncio.Transport", transport)
        self._address = peer_address(transport)
        self._peer = peer_name(self._address)
        gateway.counters.clients_total += 1
        try:
            if len(gateway.clients) >= gateway.settings.limits.max_connections:
                raise TooManyConnections("Too many connections")
            greeting = gateway.greeting()
        except RouterError as error:
            self._reject(error)
            return
        self._number = gateway.connection_id()
        self._scramble = gateway.scramble()
        self._machine = ServerHandshake(
            greeting,
            self._number,
            self._scramble,
            tls_available=gateway.client_tls is not None,
            tls_required=gateway.settings.client_tls.mode == "REQUIRED",
            verifier=gateway.verifier,
            rsa=gateway.rsa,
            compression=gateway.settings.compression.clients,
            status=gateway.first_status,
        )
        self._deadline = gateway.loop.call_later(gateway.settings.limits.handshake_timeout, self._too_late)
        self._transport.write(self._machine.data_to_send())

    def _reject(self, error: RouterError) -> None:
        log.warning('event=rejected client=%s code=%d reason="%s"', self._peer, error.code, error)
        self._transport.write(build_error(error, 0, with_sqlstate=False))  # no version has been agreed
        self._transport.close()

    def _too_late(self) -> None:
        seconds = self._gateway.settings.limits.handshake_timeout
        if self._task is not None and self._machine is not None:  # the client has done its part
            self._task.cancel()
            error = NoServer(
                f"no server has let the client in within {seconds:g} s (limits.handshake_timeout)"
            )
            log.warning('event=refused client=%s reason="%s"', self._peer, error)
            self._machine.reject(error.code, error.sqlstate, str(error))
            self._finish(self._machine)
            return
        log.warning('event=ended client=%s reason="not logged in within %g s"', self._peer, seconds)
        self._transport.write(build_error(HandshakeError(f"not logged in within {seconds:g} s"), 1))
        self._transport.close()
        self._machine = None  # its end has been told

    def data_received(self, data: bytes) -> None:
        """Feed the machine, and act on what it says."""
        machine = self._machine
        if machine is None:
            return
        if not self._spoke:
            data = self._behind_proxy_header(data)
            if not data:
                return
        self._spoke = True
        machine.receive(data)
        while True:
            event = machine.next_event()
            out = machine.data_to_send()
            if out:
                self._transport.write(out)
            if event is None:
                break
            if isinstance(event, StartTls):
                context = self._gateway.client_tls
                if context is None:
                    break
                layer = TlsLayer(context, server_side=True)
                self._transport = SecureTransport.wrap(self._transport, layer, self, event.rest)
                self._secure = True
                machine.tls_started()
            elif isinstance(event, LoginEvent):
                self._transport.pause_reading()
                self._task = self._gateway.spawn(self._enter(machine, event))
        if machine.error is not None:
            why = "; ".join([str(machine.error), *getattr(machine.error, "__notes__", ())])
            log.warning('event=ended client=%s reason="%s"', self._peer, why)
            self._machine = None
            self._deadline.cancel()
            self._transport.close()

    def _behind_proxy_header(self, data: bytes) -> bytes:
        """Read the PROXY header at the start of a connection; return what follows it, b"" if that is still to come.

        There is one at most: a second would be the client's own, and could claim any address.
        """
        data = self._head + data
        if self._has_header or not proxy_header.begins(data):
            return data
        self._head = data
        if len(data) < 4:  # it can still be a packet
            return b""
        if not is_in(self._address[0] if self._address else "", self._gateway.balancers):
            self._break_off(f"a PROXY header from {self._peer}, which is in none of proxy_protocol.networks")
            return b""
        try:
            header = proxy_header.parse(data)
        except Malformed as exc:
            self._break_off(str(exc))
            return b""
        if header is None:
            return b""
        self._has_header = True
        self._head = b""
        if header.client is not None:
            self._address = header.client
            self._peer = peer_name(header.client)
        return data[header.size :]

    def _break_off(self, why: str) -> None:
        log.warning('event=ended client=%s reason="%s"', self._peer, why)
        self._machine = None
        self._deadline.cancel()
        self._transport.write(build_error(HandshakeError(why), 1))
        self._transport.close()

    async def _enter(self, machine: ServerHandshake, login: LoginEvent) -> None:
        """Log in to a server with what the client has proved; only then is the client in."""
        gateway = self._gateway
        admitted = await admit(gateway, machine, login, self._peer, self._address)
        if admitted is None:
            self._finish(machine)
            return
        account, backend = admitted
        if self._transport.is_closing():
            backend.close()
            return
        machine.accept(backend.reply.status & SESSION_STATUS)
        self._deadline.cancel()
        self._transport.write(machine.data_to_send())
        self._transport = CompressedTransport.wrap(
            self._transport, login.capabilities, self, level=login.zstd_level
        )
        client = ClientConnection(
            gateway,
            self._transport,
            self._number,
            login,
            account,
            backend,
            peer=self._peer,
            secure=self._secure,
            scramble=self._scramble,
        )
        self._transport.set_protocol(client)
        gateway.clients[self._number] = client
        self._transport.resume_reading()
        if machine.rest:
            transport = self._transport
            receiver = transport if isinstance(transport, CompressedTransport) else client
            receiver.data_received(machine.rest)

    def _finish(self, machine: ServerHandshake) -> None:
        self._machine = None
        self._deadline.cancel()
        self._transport.write(machine.data_to_send())
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went away before it was logged in."""
        if self._machine is not None:
            self._deadline.cancel()
            if exc is not None or self._spoke:
                why = exc or "hung up before it was logged in"
                log.info('event=ended client=%s reason="%s"', self._peer, why)
        if self._task is not None:
            self._task.cancel()
