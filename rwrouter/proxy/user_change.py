"""COM_CHANGE_USER: another login on the same connection, after which nothing is left but what was written.

The client's connections to servers are given up at once, as a server rolls back before it asks who comes; those of the
new user are opened as for a new client. The new session is a new ClientConnection, so that nothing of the old one can
stay behind; it takes over the connection id, and the position of the old one's writes, which the new one must see.

A login that fails ends the connection, with the server's error. MariaDB goes on with the old user and a session that
has been reset, and after three failures takes no more (both seen on 9.7 and 10.11); so do we before a MariaDB.

Whoever proves a password here proves it for the scramble of the greeting: libmariadb's mysql_native_password does not
read the one of an authentication switch in COM_CHANGE_USER.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rwrouter.errors import HandshakeError, RouterError
from rwrouter.model import Flavor
from rwrouter.protocol.flags import CLIENT_IGNORE_SPACE, CLIENT_MULTI_STATEMENTS, SESSION_STATUS
from rwrouter.protocol.handshake import Login, ServerHandshake
from rwrouter.protocol.packets import build_error
from rwrouter.proxy.admission import admit, first_connection

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.dial import Account

log = logging.getLogger("rwrouter.client")

MAX_FAILURES: Final = 3
"""Failed changes on one connection, after which MariaDB answers that it does not know the command (sql_parse.cc)."""

UNKNOWN_COMMAND: Final = (1047, "08S01", "Unknown command")


def begin(client: "ClientConnection", transport: asyncio.Transport, data: bytes) -> None:
    """Change the user of *client*, whose bytes from COM_CHANGE_USER on are *data*."""
    if client.failed_changes >= MAX_FAILURES:
        client.reply_with(build_error(UNKNOWN_COMMAND, 1))
        return
    change = UserChange(client, transport)
    transport.set_protocol(change)
    change.data_received(data)


class UserChange(asyncio.Protocol):
    """Stands in the place of *client* until somebody is logged in again."""

    def __init__(self, client: "ClientConnection", transport: asyncio.Transport) -> None:
        gateway = client.gateway
        self._client = client
        self._gateway = gateway
        self._transport = transport
        client.let_go()
        greeting = gateway.routes.snapshot.greeting
        self._is_mariadb = greeting is not None and greeting.flavor is Flavor.MARIADB
        # COM_SET_OPTION is of the connection, whoever its user is.
        several = client.account.capabilities & CLIENT_MULTI_STATEMENTS
        agreed = (client.login.capabilities & ~CLIENT_MULTI_STATEMENTS & ~self._forgotten) | several
        self._machine: ServerHandshake | None = ServerHandshake.for_change_user(
            agreed,
            client.scramble,
            verifier=gateway.verifier,
            rsa=gateway.rsa,
            is_secure=client.secure,
        )
        self._deadline = gateway.loop.call_later(gateway.settings.limits.handshake_timeout, self._too_late)

    @property
    def _forgotten(self) -> int:
        """Capabilities of the login that servers do not look at again: MariaDB's reset of sql_mode (seen on 10.11)."""
        return CLIENT_IGNORE_SPACE if self._is_mariadb else 0

    def _too_late(self) -> None:
        seconds = self._gateway.settings.limits.handshake_timeout
        log.warning(
            'event=ended client=%s reason="no change of user within %g s"', self._client.peer, seconds
        )
        self._machine = None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Feed the machine, and act on what it says."""
        machine = self._machine
        if machine is None:
            return
        machine.receive(data)
        event = machine.next_event()
        out = machine.data_to_send()
        if isinstance(event, Login):
            self._transport.pause_reading()
            self._client.work = self._gateway.spawn(self._enter(machine, event))
        elif machine.error is not None:
            self._machine = None
            log.warning('event=refused client=%s reason="%s"', self._client.peer, machine.error)
            if isinstance(machine.error, HandshakeError):
                self._end(out)
            else:
                self._client.work = self._gateway.spawn(self._refused(out))
            return
        if out:
            self._transport.write(out)

    async def _enter(self, machine: ServerHandshake, login: Login) -> None:
        client = self._client
        admitted = await admit(self._gateway, machine, login, client.peer, client.account.address)
        self._machine = None
        if admitted is None:
            await self._refused(machine.data_to_send())
            return
        account, backend = admitted
        if self._transport.is_closing():
            backend.close()
            return
        machine.accept(backend.reply.status & SESSION_STATUS)
        self._transport.write(machine.data_to_send())
        self._go_on(login, account, backend, machine.rest)

    async def _refused(self, error: bytes) -> None:
        """Go on with the old user where the server would, else end."""
        client = self._client
        if not self._is_mariadb:
            self._end(error)
            return
        account = client.account
        account = account._replace(capabilities=account.capabilities & ~self._forgotten)
        try:
            backend = await first_connection(self._gateway, account, client.session.schema)
        except (RouterError, OSError):
            self._end(error)
            return
        if self._transport.is_closing():
            backend.close()
            return
        self._transport.write(error)
        self._go_on(client.login, account, backend, b"", failures=client.failed_changes + 1)

    def _go_on(
        self, login: Login, account: "Account", backend: "BackendConnection", rest: bytes, failures: int = 0
    ) -> None:
        self._deadline.cancel()
        fresh = self._heir(login, account, backend)
        fresh.failed_changes = failures
        self._gateway.clients[fresh.number] = fresh
        self._transport.set_protocol(fresh)
        self._transport.resume_reading()
        if rest:
            fresh.data_received(rest)

    def _heir(self, login: Login, account: "Account", backend: "BackendConnection") -> "ClientConnection":
        """Return the connection that follows the old one: only what was written is kept."""
        old, session = self._client, self._client.session
        old.closed = True  # whatever still waits for it has nobody to tell
        session.schema = backend.schema
        session.reset()
        session.version += 1
        return type(old)(
            self._gateway,
            self._transport,
            old.number,
            login,
            account,
            backend,
            peer=old.peer,
            secure=old.secure,
            scramble=old.scramble,
            session=session,
        )

    def _end(self, last_words: bytes) -> None:
        self._deadline.cancel()
        self._transport.write(last_words)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone: nobody is logged in."""
        self._machine = None
        self._deadline.cancel()
        self._client.connection_lost(exc)
