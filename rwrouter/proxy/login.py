"""asyncio.Protocol towards a client until it is logged in; then a ClientConnection takes the transport over."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from rwrouter.errors import AccessDenied, HandshakeError, NoServer, RouterError, TooManyConnections
from rwrouter.protocol.auth import Secret
from rwrouter.protocol.flags import (
    CLIENT_CONNECT_WITH_DB,
    CLIENT_SESSION_TRACK,
    CLIENT_SSL,
)
from rwrouter.protocol.handshake import Login as LoginEvent
from rwrouter.protocol.handshake import ServerHandshake, StartTls
from rwrouter.protocol.packets import build_error
from rwrouter.protocol.tls import TlsLayer
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.client import ClientConnection
from rwrouter.proxy.dial import Account, Refusal
from rwrouter.proxy.gateway import Gateway
from rwrouter.proxy.secure import SecureTransport

if TYPE_CHECKING:
    from rwrouter.proxy.servers import Endpoint

log = logging.getLogger("rwrouter.client")

_NOT_FOR_SERVERS: Final = CLIENT_SSL | CLIENT_CONNECT_WITH_DB


def peer_name(transport: asyncio.BaseTransport) -> str:
    """Return who the client is, for logs: its address, or its unix socket."""
    peer = transport.get_extra_info("peername")
    if isinstance(peer, tuple) and len(peer) >= 2:
        return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
    return "unix"


class ClientLogin(asyncio.Protocol):
    """Logs one client in: the proof is checked here where it can be, and by a server always."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._machine: ServerHandshake | None = None
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._secure = False
        self._spoke = False  # it has sent something: not the health check of a balancer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or say why nobody can be served."""
        gateway = self._gateway
        self._transport = cast("asyncio.Transport", transport)
        self._peer = peer_name(transport)
        gateway.counters.clients_total += 1
        try:
            if len(gateway.clients) >= gateway.settings.limits.max_connections:
                raise TooManyConnections("Too many connections")
            greeting = gateway.greeting()
        except RouterError as error:
            self._reject(error)
            return
        self._number = gateway.connection_id()
        self._machine = ServerHandshake(
            greeting,
            self._number,
            gateway.scramble(),
            tls_available=gateway.client_tls is not None,
            tls_required=gateway.settings.client_tls.mode == "REQUIRED",
            verifier=gateway.verifier,
            rsa=gateway.rsa,
        )
        self._deadline = gateway.loop.call_later(gateway.settings.limits.handshake_timeout, self._too_late)
        self._transport.write(self._machine.data_to_send())

    def _reject(self, error: RouterError) -> None:
        log.warning('event=rejected client=%s code=%d reason="%s"', self._peer, error.code, error)
        self._transport.write(build_error(error, 0, with_sqlstate=False))  # no version has been agreed
        self._transport.close()

    def _too_late(self) -> None:
        seconds = self._gateway.settings.limits.handshake_timeout
        log.warning('event=ended client=%s reason="not logged in within %g s"', self._peer, seconds)
        self._transport.write(build_error(HandshakeError(f"not logged in within {seconds:g} s"), 1))
        self._transport.close()
        self._machine = None  # its end has been told

    def data_received(self, data: bytes) -> None:
        """Feed the machine, and act on what it says."""
        machine = self._machine
        if machine is None:
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
            log.warning('event=ended client=%s reason="%s"', self._peer, machine.error)
            self._machine = None
            self._deadline.cancel()
            self._transport.close()

    async def _enter(self, machine: ServerHandshake, login: LoginEvent) -> None:
        """Log in to a server with what the client has proved; only then is the client in."""
        gateway = self._gateway
        try:
            account = self._account(login)
            backend = await self._open(account, (login.schema or "").encode("utf-8", "surrogateescape"))
        except Refusal as refusal:
            gateway.forget(login.user)
            gateway.counters.logins_failed += 1
            log.warning('event=refused client=%s user=%s reason="%s"', self._peer, login.user, refusal)
            machine.reject(refusal.number, refusal.state, str(refusal))
            self._finish(machine)
            return
        except (RouterError, OSError) as exc:
            error = exc if isinstance(exc, RouterError) else NoServer(str(exc) or "no server answers")
            log.warning('event=refused client=%s user=%s reason="%s"', self._peer, login.user, error)
            machine.reject(error.code, error.sqlstate, str(error))
            self._finish(machine)
            return
        if self._transport.is_closing():
            backend.close()
            return
        gateway.learn(login.user, account.secret)
        machine.accept()
        self._deadline.cancel()
        self._transport.write(machine.data_to_send())
        client = ClientConnection(
            gateway,
            self._transport,
            self._number,
            login,
            account,
            backend,
            peer=self._peer,
            secure=self._secure,
        )
        self._transport.set_protocol(client)
        gateway.clients[self._number] = client
        self._transport.resume_reading()
        if machine.rest:
            client.data_received(machine.rest)

    def _finish(self, machine: ServerHandshake) -> None:
        self._machine = None
        self._deadline.cancel()
        self._transport.write(machine.data_to_send())
        self._transport.close()

    def _account(self, login: LoginEvent) -> Account:
        gateway = self._gateway
        user, secret = login.user, login.secret
        configured = gateway.configured.get(user)
        if configured is not None:
            known, settings = configured
            if login.password_known and (secret.password or b"") != (known.password or b""):
                raise AccessDenied(f"Access denied for user '{user}'@'{self._peer}' (using password: YES)")
            user = settings.backend_user or user
            own = settings.backend_password
            secret = Secret.of(own.get_secret_value().encode()) if own is not None else known
        elif not login.password_known and user in gateway.secrets:
            secret = gateway.secrets[user][0]  # a server may ask for the whole password
        return Account(
            user=user,
            secret=secret,
            capabilities=(login.capabilities & ~_NOT_FOR_SERVERS) | CLIENT_SESSION_TRACK,
            collation=login.collation,
            attributes={**login.attributes, b"rwrouter_client": self._peer.encode()},
            client_tracks=bool(login.capabilities & CLIENT_SESSION_TRACK),
        )

    async def _open(self, account: Account, schema: bytes) -> BackendConnection:
        """Return a connection to the primary, or to another server while there is none."""
        gateway = self._gateway
        routes = gateway.routes
        tried: list[str] = []
        candidates: list[Endpoint] = [routes.primary] if routes.primary is not None else []
        candidates += [endpoint for endpoint, _ in routes.readers.laid_out if endpoint not in candidates]
        for endpoint in candidates:
            try:
                return await gateway.dialer.open(endpoint, account, schema)
            except Refusal:
                raise
            except (RouterError, OSError) as exc:
                why = str(exc) or f"no answer within {gateway.settings.limits.connect_timeout:g} s"
                tried.append(f"{endpoint.server.name}: {why}")
                gateway.refused(endpoint, why)
        raise NoServer("; ".join(tried) or routes.why_nobody())

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went away before it was logged in."""
        if self._machine is not None:
            self._deadline.cancel()
            if exc is not None or self._spoke:
                why = exc or "hung up before it was logged in"
                log.info('event=ended client=%s reason="%s"', self._peer, why)
        if self._task is not None:
            self._task.cancel()
