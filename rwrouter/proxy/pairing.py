"""Joins a client to a server for a statement, where that takes more than a look: the slow half of the proxy.

`pair` chooses a server, opens or brings a connection to the session's state, waits for the session's own writes, and
sends. What fails before anything ran is tried on the next server.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from rwrouter.errors import BackendLost, CountsLost, NoServer, RouterError
from rwrouter.model import State
from rwrouter.protocol.flags import (
    COM_INIT_DB,
    COM_PING,
    COM_RESET_CONNECTION,
)
from rwrouter.protocol.packets import build_error
from rwrouter.proxy import commands, diagnostics, executing, fallback, holding, trackers, waiting
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.carrying import StateLost, is_kept_elsewhere, keep_on
from rwrouter.proxy.dial import Refusal
from rwrouter.proxy.holding import ENDING_ERRORS
from rwrouter.proxy.opening import LeftAlone, open_connection, reason
from rwrouter.proxy.restoring import RefusesVariables, bring, learn_collation
from rwrouter.proxy.servers import Endpoint
from rwrouter.proxy.waiting import Unfit
from rwrouter.routing.consistency import Position
from rwrouter.routing.decision import Where
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection

log = logging.getLogger("rwrouter.pairing")


ACCESS_DENIED = 1045

RETRY_SECONDS = 0.1
"""Between two tries to connect to a primary that the monitor finds well: many may wait for that, and try together."""


_ANYWHERE = frozenset({COM_PING, COM_INIT_DB, COM_RESET_CONNECTION})
"""Commands that any server can run while there is no primary: the session remembers what they do."""


async def pair(
    client: "ClientConnection",
    data: bytes,
    plan: Plan,
    command: int,
    where: Where,
    endpoint: Endpoint | None,
    server: str | None = None,
) -> None:
    """Find, prepare and use a connection for one command. Answers the client with an error where there is none."""
    goal: Position | None = None
    try:
        if where is Where.READ and waiting.level_of(client, plan) == "global":
            goal = await _everything(client)
            if goal is None:
                where, endpoint = Where.PRIMARY, None
        if where is Where.READ:
            backend = await _for_read(client, data, plan, command, endpoint, server, goal)
        else:
            backend = await _for_write(client, data, plan, command, where, endpoint)
    except Refusal as refusal:
        client.fail_raw(build_error((refusal.number, refusal.state, str(refusal)), 1))
    except StateLost as lost:
        client.fail(BackendLost(str(lost)), close=True)
    except RouterError as error:
        client.fail(error)
    except Exception:
        # A bug of ours must not leave the client waiting.
        client.fail(BackendLost("an error inside the router: see its log"), close=True)
        raise
    else:
        if not client.closed:
            client.dispatch(backend, data, plan, command)


async def _for_read(
    client: "ClientConnection",
    data: bytes,
    plan: Plan,
    command: int,
    endpoint: Endpoint | None,
    server: str | None,
    goal: Position | None,
) -> BackendConnection:
    """Return a connection for a read, on *endpoint* if it is fit. Raises NoServer, PrimaryTimeout, TooManyHeld.

    While all are gone, the read waits for the first that comes back; while all that are there are unfit, for the
    primary.
    """
    gateway = client.gateway
    tried: dict[Endpoint, str] = {}
    version = client.session.version
    tried |= {e: "it refuses the session's variables" for e, v in client.left_out.items() if v == version}
    refusal: Refusal | None = None
    is_unfit = False
    since = gateway.loop.time()
    while True:
        if endpoint is None or endpoint in tried:
            endpoint = _choose(client, plan, tried, server)
        if endpoint is None and not fallback.to_primary(gateway):
            if not fallback.is_patient(gateway, since):
                raise fallback.refusal(client, plan, tried)
            await asyncio.sleep(fallback.POLL)
            tried.clear()
            continue
        if endpoint is None:
            reasons = "; ".join(f"{e.server.name}: {why}" for e, why in tried.items())
            if refusal is not None:
                raise refusal  # the account's trouble, or a full server's: word for word
            if holding.until(client) <= gateway.loop.time():
                raise gateway.holding.too_late(reasons or gateway.routes.why_nobody())
            if is_unfit:
                await gateway.holding.for_primary(client, len(data))
                return await _for_write(client, data, plan, command, Where.PRIMARY, None)
            await gateway.holding.for_anybody(client, len(data))
            tried.clear()
            continue
        try:
            if client.session.position_unknown and endpoint is not gateway.routes.primary:
                await _learn_position(client, plan)
            backend = await _ready(client, endpoint, plan, Where.READ, command, goal)
        except Refusal as exc:
            tried[endpoint] = str(exc)
            if exc.number not in ENDING_ERRORS:
                refusal = exc
        except LeftAlone as exc:
            tried[endpoint] = str(exc)
        except RefusesVariables as unfit:
            tried[endpoint] = str(unfit)
            client.left_out[endpoint] = client.session.version
        except (Unfit, executing.NotHere) as unfit:
            is_unfit = True
            tried[endpoint] = str(unfit)
        except (RouterError, OSError) as exc:
            tried[endpoint] = _unreachable(client, endpoint, exc)
        else:
            if tried and endpoint is gateway.routes.primary:
                gateway.counters.read_fallbacks += 1
            return backend


async def _for_write(
    client: "ClientConnection",
    data: bytes,
    plan: Plan,
    command: int,
    where: Where,
    endpoint: Endpoint | None,
) -> BackendConnection:
    """Return a connection for a command that *endpoint* alone can run, or, where that is None, the primary.

    While there is no primary, it waits for one. Raises Refusal, PrimaryTimeout, TooManyHeld, NoServer, BackendLost.
    """
    gateway = client.gateway
    routes = gateway.routes
    if where is Where.PRIMARY and endpoint is not routes.writable:
        endpoint = None
    is_anywhere = command in _ANYWHERE or holding.is_remembered(plan.effects)
    failures = 0  # to connect
    while True:
        if failures > 1:
            await asyncio.sleep(RETRY_SECONDS)
        if endpoint is None and routes.writable is None and is_anywhere:
            endpoint, where = client.routes.readers.pick(), Where.LAST
        if endpoint is None:
            await gateway.holding.for_primary(client, len(data))
            endpoint = routes.writable
            if endpoint is None:  # doubted again while this statement had its turn
                continue
        try:
            backend = await _ready(client, endpoint, plan, where, command)
        except CountsLost:
            raise  # no trouble of the server
        except Refusal as refusal:
            if refusal.number not in ENDING_ERRORS:
                raise
            why = str(refusal)
        except (Unfit, executing.NotHere) as unfit:
            if where is Where.LAST and endpoint is not routes.writable:
                # It speaks of the statement before, and can't be brought there: the primary, where it was prepared.
                endpoint, where = None, Where.PRIMARY
                continue
            raise NoServer(f"{endpoint.server.name}: {unfit}") from unfit
        except (RouterError, OSError) as exc:
            why = _unreachable(client, endpoint, exc)
            failures += 1
        else:
            if where is not Where.LAST and endpoint is not routes.writable and holding.is_movable(client):
                # It takes no writes any more: that came while the connection was made ready. A BEGIN would succeed
                # there all the same, and its transaction fail.
                holding.leave_home(client)
                endpoint = None
                continue
            if where is not Where.LAST and not client.session.free and client.home is None:
                client.home = backend
            if plan.is_of_trackers:
                await trackers.lay_open(client, backend, data, plan, command)
            return backend
        if where is Where.HOME and not holding.is_movable(client):
            raise BackendLost(f"{endpoint.server.name}: {why}")
        if holding.until(client) <= gateway.loop.time():
            raise gateway.holding.too_late(f"{endpoint.server.name}: {why}")
        gateway.holding.doubt(endpoint, why)
        endpoint = None


def _unreachable(client: "ClientConnection", endpoint: Endpoint, exc: Exception) -> str:
    """Note that *endpoint* could not be used because of *exc*; return that as a sentence.

    A connection that could not be opened has been told of already: here it is one that was lost while it was prepared.
    """
    if isinstance(exc, BackendLost) and not client.closed:
        client.gateway.lost(endpoint, str(exc))
    return reason(client.gateway, endpoint, exc)


def _choose(
    client: "ClientConnection", plan: Plan, tried: dict[Endpoint, str], server: str | None
) -> Endpoint | None:
    """Return the server to ask next for a read; None where there is none left."""
    routes = client.gateway.routes
    if server is not None:
        wanted = routes.endpoints.get(server)
        if wanted is not None and wanted not in tried and wanted.server.state is State.UP:
            return wanted
    readers = client.routes.readers
    left = {
        endpoint
        for endpoint, _ in readers.laid_out
        if endpoint not in tried and waiting.is_near_enough(client, endpoint, plan)
    }
    found = readers.pick_if(fallback.allowed(client, left, tried))
    if found is not None or not fallback.to_primary(client.gateway):
        return found
    primary = routes.primary
    return primary if primary is not None and primary not in tried else None


async def _connect(
    client: "ClientConnection", endpoint: Endpoint, *, has_others: bool = False
) -> BackendConnection:
    """Return the session's connection to *endpoint*, opened where there is none."""
    backend = client.backends.get(endpoint)
    if backend is None or backend.closed:
        backend = await _log_in(client, endpoint, has_others=has_others)
        if client.closed:
            backend.close()
            raise BackendLost("the client has gone")
        backend.borrower = client
        client.backends[endpoint] = backend
        # A reset goes back to the server's collation on MySQL, not to the login's.
        backend.stale = client.was_reset
    return backend


async def _log_in(client: "ClientConnection", endpoint: Endpoint, *, has_others: bool) -> BackendConnection:
    """Open a connection with the password of the login, or with the one that the session has set since."""
    gateway, schema, other = client.gateway, client.session.schema, client.new_secret
    try:
        return await open_connection(gateway, endpoint, client.account, schema, has_others=has_others)
    except Refusal as refusal:
        if refusal.number != ACCESS_DENIED or other is None:
            raise
    account = client.account._replace(secret=other)
    backend = await open_connection(gateway, endpoint, account, schema, has_others=has_others)
    client.new_secret, client.account = client.account.secret, account  # a replica may still have the old one
    return backend


async def connection_for(client: "ClientConnection", endpoint: Endpoint, command: int) -> BackendConnection:
    """Return the session's connection to *endpoint*, ready for *command*.

    Raises RouterError, OSError, Unfit, StateLost.
    """
    return await _ready(client, endpoint, commands.OTHER, Where.PRIMARY, command)


async def _ready(
    client: "ClientConnection",
    endpoint: Endpoint,
    plan: Plan,
    where: Where,
    command: int,
    goal: Position | None = None,
) -> BackendConnection:
    """Return the session's connection to *endpoint*, in the session's state and with the writes it must show.

    Raises Refusal, Unfit, NotHere, RouterError, OSError.
    """
    has_others = where is Where.READ and endpoint is not client.gateway.routes.primary
    backend = await _connect(client, endpoint, has_others=has_others)
    if client.laid_open is None or not trackers.can_wait(client, backend, plan):
        await trackers.settle(client)
        if not client.session.knows_collation:
            await learn_collation(client, backend)
        await bring(client, backend)
    if endpoint is client.gateway.routes.primary and is_kept_elsewhere(client, backend):
        await keep_on(client, backend)
    if where is Where.READ:
        await waiting.wait(client, backend, plan, goal)
    if command in executing.NEEDS_PREPARED:
        await executing.ensure(client, backend)
    if plan.asks and where is not Where.READ and diagnostics.is_elsewhere(client, backend, plan.asks):
        await diagnostics.bring(client, backend, plan.asks)
    if backend.closed:  # after its last answer had come, and before this went on: nobody would answer there
        raise BackendLost(f"{endpoint.server.name}: its connection was lost")
    return backend


async def _learn_position(client: "ClientConnection", plan: Plan) -> None:
    """Ask the primary for a position that has all that the session has written, or seen. Raises Unfit."""
    session, gateway = client.session, client.gateway
    if waiting.level_of(client, plan) == "eventual":
        return
    if not gateway.routes.has_gtids:
        session.wrote_without_gtid(gateway.loop.time())
    else:
        position = await _everything(client)
        if position is None:
            raise Unfit("nobody tells the position that the read has to see")
        session.position.add(str(position).encode())
    session.position_unknown = False


async def _everything(client: "ClientConnection") -> Position | None:
    """Return what the primary has committed now; None where it can't be asked, or does not know."""
    primary = client.gateway.routes.primary
    if primary is None:
        return None
    try:
        backend = await _connect(client, primary)
    except (RouterError, OSError):
        return None  # the read is asked of the primary, and says why that fails
    return await waiting.everything(client, backend)
