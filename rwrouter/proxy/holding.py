"""Statements that wait for a primary which takes writes: a fair, bounded queue in each worker.

    nobody is primary             the monitor has found none: gone, read-only, or two that claim to be it
    the primary is doubted        it has refused a write (1290, 1836) or a connection since the monitor saw it last
    writes are held               a planned switchover: `hold`, until `release`

`Routes.writable` is the primary while none of these holds, else None: a write finds nobody to go to, and comes here
by way of `pair`. Nothing is asked of the hot path. Who waits has not run: it was never written to a server, or the
server has said that nothing was changed. First come, first served; nobody waits longer than `limits.primary_wait`.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rwrouter.errors import NoServer, PrimaryTimeout, RouterError, TooManyHeld
from rwrouter.model import Role
from rwrouter.protocol.packets import build_error
from rwrouter.sql import plans
from rwrouter.sql.plans import Target

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.gateway import Gateway
    from rwrouter.proxy.servers import Endpoint

log = logging.getLogger("rwrouter.holding")

DOUBT_SECONDS: Final = 2.0
"""How long a primary is doubted at most: the monitor speaks sooner, unless it is gone itself."""

PER_TURN: Final = 64
"""How many statements flow at once when the primary is there: each may have a connection to open."""

ENDING_ERRORS: Final = frozenset({1053, 1927})
"""The server, or the connection, is being ended: in a login, or a read that is run again elsewhere.

Not for a write: the same number is the reply to one that was killed (seen on MySQL 9.7), which must not run again.
"""

_SEVERAL: Final = plans.SEVERAL_RESULTS | plans.SEVERAL_STATEMENTS | plans.MAY_WRITE
"""Of these a part may have run before the server refused the rest."""

_REMEMBERED: Final = plans.SETS_VARIABLE | plans.SCHEMA | plans.TRACKERS
"""Effects that the session carries to every server, wherever they came about."""


class Held:
    """One statement that waits, or a login. *ready* tells whether somebody can take it now."""

    __slots__ = ("client", "ready", "turn")

    def __init__(
        self, client: "ClientConnection | None", turn: "asyncio.Future[None]", ready: Callable[[], bool]
    ) -> None:
        self.client = client
        self.turn = turn
        self.ready = ready


class Holding:
    """The waiting statements of one worker, in the order in which they came."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._queue: deque[Held] = deque()
        self._bytes = 0
        self._doubted: Endpoint | None = None
        self._why = ""  # the primary is doubted
        self._confirmed = 0  # what the snapshot said when it was
        self._is_flowing = False  # `_flow` will be called
        self.held_for = ""  # who is made the primary, while writes are held for that

    # -- who may be written to

    def doubt(self, endpoint: "Endpoint", why: str) -> None:
        """*endpoint*, taken for the primary, has refused a write or a connection: no writes until that is settled.

        It is settled by the next snapshot that has another primary, or says that the doubt was looked into.
        """
        gateway = self._gateway
        if endpoint is not gateway.routes.primary or endpoint is self._doubted:
            return
        self._doubted, self._why = endpoint, why
        self._confirmed = gateway.routes.snapshot.confirmed
        log.warning('event=primary_doubted server=%s reason="%s"', endpoint.server.name, why)
        gateway.nudge(endpoint.server.name, why, failed=False)
        gateway.loop.call_later(DOUBT_SECONDS, self._believe, endpoint)
        self.settle()

    def _believe(self, endpoint: "Endpoint") -> None:
        if self._doubted is endpoint:
            self._doubted = None
            self.settle()

    def hold(self, candidate: str) -> None:
        """Hold writes and the opening of transactions: *candidate* is being made the primary."""
        self.held_for = candidate
        self.settle()
        for client in tuple(self._gateway.clients.values()):
            leave_home(client)

    def release(self) -> None:
        """Let writes flow again, to whoever is the primary now."""
        self.held_for = ""
        self.settle()

    def under_way(self) -> int:
        """Return how many transactions, and statements that may write, are open on the primary."""
        return sum(map(self._is_under_way, self._gateway.clients.values()))

    def _is_under_way(self, client: "ClientConnection") -> bool:
        primary = self._gateway.routes.primary
        home, current = client.home, client.current
        if home is not None and home.endpoint is primary and client.session.in_transaction:
            return True
        return (
            current is not None
            and current.busy
            and current.endpoint is primary
            and not (client.plan.target is Target.REPLICA and client.session.free)
        )

    def end_transactions(self) -> None:
        """End the sessions that `under_way` counts: to their clients the server has gone."""
        for client in tuple(self._gateway.clients.values()):
            if self._is_under_way(client):
                log.warning(
                    'event=ended client=%s reason="its transaction is open in a switchover"', client.peer
                )
                client.shut_down()

    def topology_changed(self) -> None:
        """The monitor has spoken."""
        routes = self._gateway.routes
        if self._doubted is not None and (
            routes.primary is not self._doubted or routes.snapshot.confirmed != self._confirmed
        ):
            self._doubted = None
        self.settle()

    def settle(self) -> None:
        """Find who may be written to now, and let those go on whom that serves."""
        routes = self._gateway.routes
        primary = routes.primary
        routes.writable = None if self.held_for or primary is self._doubted else primary
        if self._queue and not self._is_flowing:
            self._flow()

    # -- who waits

    def __len__(self) -> int:
        """How many statements wait."""
        return len(self._queue)

    def is_waiting(self, client: "ClientConnection") -> bool:
        """Tell whether the statement of *client* waits here."""
        return any(held.client is client for held in self._queue)

    async def for_primary(self, client: "ClientConnection", size: int) -> None:
        """Return when the primary takes writes; at once if it does. Raises as `_wait`."""
        routes = self._gateway.routes
        while routes.writable is None:
            await self._wait(client, lambda: routes.writable is not None, until(client), size)

    async def for_anybody(self, client: "ClientConnection", size: int) -> None:
        """Return when some server may answer reads. Raises as `_wait`."""
        await self._wait(client, self._is_anybody_there, until(client), size)

    async def for_login(self, until: float) -> None:
        """Return when some server may be logged in to, or at *until*. Raises as `_wait`."""
        with contextlib.suppress(PrimaryTimeout):
            await self._wait(None, self._is_anybody_there, until, 0)

    def _is_anybody_there(self) -> bool:
        routes = self._gateway.routes
        return routes.primary is not None or bool(routes.readers.laid_out)

    async def _wait(
        self, client: "ClientConnection | None", ready: Callable[[], bool], until: float, size: int
    ) -> None:
        """Wait for a turn: it comes when something changes, and *ready* holds then.

        *until*: the loop's time of its end. *size*: bytes of the statement. Raises NoServer, PrimaryTimeout,
        TooManyHeld.
        """
        gateway = self._gateway
        limits = gateway.settings.limits
        if limits.primary_wait == 0:
            raise NoServer(self._reason())
        if len(self._queue) >= limits.held_statements or self._bytes + size > limits.held_bytes:
            raise TooManyHeld(
                f"{len(self._queue)} statements wait for a primary already "
                f"(limits.held_statements, limits.held_bytes): {self._reason()}"
            )
        held = Held(client, gateway.loop.create_future(), ready)
        self._queue.append(held)
        self._bytes += size
        gateway.counters.held += 1
        try:
            async with asyncio.timeout_at(until):
                await held.turn
        except TimeoutError:
            raise self.too_late(self._reason()) from None
        finally:
            self._bytes -= size
            if not held.turn.done() or held.turn.cancelled():
                self._queue.remove(held)

    def too_late(self, why: str) -> RouterError:
        """Return the error of a statement that could not be given to the primary in time, because of *why*."""
        seconds = self._gateway.settings.limits.primary_wait
        if seconds == 0:
            return NoServer(why)
        self._gateway.counters.held_timeouts += 1
        return PrimaryTimeout(
            f"no primary took it within {seconds:g} s (limits.primary_wait); it has not run: {why}"
        )

    def _flow(self) -> None:
        """Let the oldest go on whom somebody can take now, and the others in a moment."""
        self._is_flowing = False
        queue = self._queue
        turns = 0
        for _ in range(len(queue)):
            held = queue.popleft()
            if turns < PER_TURN and held.ready() and not held.turn.done():
                turns += 1
                held.turn.set_result(None)
            else:
                queue.append(held)
        if turns == PER_TURN:
            self._is_flowing = True
            self._gateway.loop.call_soon(self._flow)

    def _reason(self) -> str:
        routes = self._gateway.routes
        if self.held_for:
            return f"{self.held_for} is being made the primary"
        if self._doubted is not None and self._doubted is routes.primary:
            return f"{self._doubted.server.name}: {self._why}"
        return routes.why_nobody()


def refused_unrun(code: int, error: bytes) -> bool:
    """Tell whether *error*, an ERR packet with *code*, says that a server takes no writes and has changed nothing.

    1290 is the error of every option that forbids a statement (--secure-file-priv, …): only read-only is meant.
    1836 is a server in read-only mode. 1047 with WSREP is a node of Galera that has left its cluster.
    """
    if code == 1290:
        return b"read-only" in error or b"read_only" in error
    return code == 1836 or (code == 1047 and b"WSREP" in error)


def can_run_elsewhere(client: "ClientConnection") -> bool:
    """Tell whether the statement that *client* runs can be sent to another server, had it not run at all."""
    request = client.request
    statement = client.statement
    return (
        not client.started
        and client.upload is None
        and is_movable(client)
        and not client.plan.effects & _SEVERAL
        and int.from_bytes(request[:3], "little") + 4 == len(request)  # its head alone is kept of a long one
        and not (statement is not None and statement.has_long_data)
    )


def is_movable(client: "ClientConnection") -> bool:
    """Tell whether all that the session is can be brought to another server: no transaction, nothing pinned."""
    session = client.session
    return not session.in_transaction and not session.pins and not client.cursors


def leave_home(client: "ClientConnection") -> None:
    """Let a session that is tied to a connection by nothing that can't be brought along begin anew elsewhere.

    That is one with autocommit off between two transactions, at SERIALIZABLE, or in a schema of the server's own.
    """
    home = client.home
    if home is not None and is_movable(client) and (client.current is not home or not home.busy):
        client.home = None
        home.version = -1  # before it is used again, autocommit is compared


def follow_primary(client: "ClientConnection") -> None:
    """Leave a connection to a server that takes no writes now, where nothing else ties to it.

    That is one that is not the primary, or not any more, or whose writes are held: the next transaction waits, too.
    """
    home = client.home
    if home is None:
        return
    routes = client.gateway.routes
    if home.endpoint is not routes.writable and (
        routes.primary is not None or home.endpoint.server.role is Role.REPLICA
    ):
        leave_home(client)


def interrupt(client: "ClientConnection") -> bool:
    """End the statement of *client* as KILL QUERY does, if it waits here; False where it does not."""
    if client.work is None or not client.gateway.holding.is_waiting(client):
        return False
    client.work.cancel()
    client.fail_raw(build_error((1317, "70100", "Query execution was interrupted"), 1))
    return True


def until(client: "ClientConnection") -> float:
    """Return till when the statement of *client* may wait, by the loop's clock; the wait begins with the first call."""
    if not client.held_until:
        gateway = client.gateway
        client.held_until = gateway.loop.time() + gateway.settings.limits.primary_wait
    return client.held_until


def is_remembered(effects: int) -> bool:
    """Tell whether a statement does nothing but what the session carries anyway: any server can run it."""
    return bool(effects) and not effects & ~_REMEMBERED
