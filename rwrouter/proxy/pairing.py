"""Joins a client to a server for a statement, where that takes more than a look: the slow half of the proxy.

`pair` chooses a server, opens or brings a connection to the session's state, waits for the session's own writes, and
sends. What fails before anything ran is tried on the next server.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from rwrouter.errors import BackendLost, CountsLost, Denied, NoServer, RouterError
from rwrouter.model import Flavor, Role, State
from rwrouter.protocol.flags import (
    CLIENT_MULTI_STATEMENTS,
    COM_INIT_DB,
    COM_PING,
    COM_RESET_CONNECTION,
    COM_SET_OPTION,
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_IN_TRANS_READONLY,
)
from rwrouter.protocol.framing import frame
from rwrouter.protocol.packets import build_error
from rwrouter.protocol.resultset import build_text_result, first_value
from rwrouter.proxy import asking, commands, diagnostics, executing, fallback, holding, trackers, waiting
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.carrying import StateLost, is_kept_elsewhere, keep_on, reset
from rwrouter.proxy.dial import Refusal
from rwrouter.proxy.holding import ENDING_ERRORS
from rwrouter.proxy.killing import answer_kill
from rwrouter.proxy.opening import LeftAlone, open_connection, reason
from rwrouter.proxy.servers import Endpoint
from rwrouter.proxy.waiting import Unfit
from rwrouter.routing.consistency import Position
from rwrouter.routing.decision import Where
from rwrouter.routing.restore import assignments
from rwrouter.sql import plans
from rwrouter.sql.plans import Plan, Target

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection

log = logging.getLogger("rwrouter.pairing")

READ_ONLY_ERRORS = frozenset({1290, 1792, 1836})
"""A replica says with these that the plan was wrong: nothing was changed."""

BEHIND_ERRORS = frozenset({1044, 1049, 1054, 1142, 1143, 1146, 1176, 1305, 1370})
"""Something is not there, or not allowed, on a replica: DDL or a GRANT may not have arrived. The primary decides."""

ACCESS_DENIED = 1045

RETRY_SECONDS = 0.1
"""Between two tries to connect to a primary that the monitor finds well: many may wait for that, and try together."""

_READ_ONLY_SERVER = (1290).to_bytes(2, "little")

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
            if plan.effects & plans.OF_TRACKERS:
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


class RefusesVariables(Unfit):
    """A server refuses the session's variables, and will as long as they stay what they are."""


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
            await _learn_collation(client, backend)
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


async def _learn_collation(client: "ClientConnection", backend: BackendConnection) -> None:
    """Ask the connection on which the session's character set was set for the collation that came with it."""
    session = client.session
    holder = next((other for other in client.backends.values() if other.version == session.version), None)
    if holder is None:
        holder = client.charset_at  # what came since then has made the version another one
    if holder is None or holder is backend or holder.closed:
        return
    reply = await holder.query(b"SELECT @@collation_connection")
    value = first_value(reply, client.login.capabilities)
    if value:
        session.variables[b"collation_connection"] = value
        holder.variables[b"collation_connection"] = value
        session.knows_collation = True


async def bring(client: "ClientConnection", backend: BackendConnection) -> None:
    """Bring *backend* to the state of the session: trackers, variables, role, schema. Raises Unfit where it refuses."""
    session = client.session
    if backend.stale:
        await reset(backend)
    parts: list[bytes] = []
    if backend.serves is not session.trackers:
        parts += trackers.assignments(client, backend)
    parts += assignments(session.variables, backend.variables)
    # It is no variable that others would have to be told: a session with autocommit off stays where it is, until the
    # primary changes.
    autocommit = session.status & SERVER_STATUS_AUTOCOMMIT
    if autocommit != backend.reply.status & SERVER_STATUS_AUTOCOMMIT:
        parts.append(b"@@SESSION.autocommit=1" if autocommit else b"@@SESSION.autocommit=0")
    if parts:
        await backend.query(b"SET " + b", ".join(parts))
        if backend.reply.error is not None:
            backend.serves = None
            backend.trackers.clear()
            raise RefusesVariables("it refuses the session's variables: " + _text(backend.reply.error))
        backend.tracks = True
        backend.variables = session.variables.copy()
    if backend.role != session.role:
        await backend.query(session.role or b"SET ROLE DEFAULT")
        if backend.reply.error is not None:
            raise Unfit("it refuses the session's role: " + _text(backend.reply.error))
        backend.role = session.role
    if backend.schema != session.schema:
        if not session.schema:
            raise Unfit("the session has no schema, and this connection can't lose its own")
        await backend.ask(bytes((COM_INIT_DB,)) + session.schema)
        if backend.reply.error is not None:
            raise Unfit("it refuses the session's schema: " + _text(backend.reply.error))
        backend.schema = session.schema
    several = bool(client.account.capabilities & CLIENT_MULTI_STATEMENTS)
    if backend.several != several:
        await backend.ask(bytes((COM_SET_OPTION, not several, 0)))
        if backend.reply.error is not None:
            raise Unfit("it refuses COM_SET_OPTION: " + _text(backend.reply.error))
        backend.several = several
    backend.version = session.version if backend.serves is session.trackers else -1


def _text(error: bytes) -> str:
    return error[9:].decode("utf-8", "replace")


# -- after a reply


def run_again(client: "ClientConnection", backend: BackendConnection, error: bytes) -> bool:
    """Decide whether a statement that ended with *error* is run again elsewhere, and start that."""
    plan = client.plan
    if client.started or not client.request:
        return False
    gateway = client.gateway
    code = int.from_bytes(error[1:3], "little")
    endpoint = backend.endpoint
    is_read = plan.target is Target.REPLICA
    if holding.refused_unrun(code, error) and not (is_read and endpoint.server.role is Role.REPLICA):
        return _wait_for_primary(client, backend, error)
    if client.command == COM_INIT_DB and code in BEHIND_ERRORS and client.session.free:
        return _ask_primary(client, endpoint)
    if not is_read or not client.session.free:
        return False
    if code in ENDING_ERRORS and client.retries < gateway.settings.limits.read_retries:
        gateway.lost(endpoint, _text(error))
        _retry(client, endpoint, Where.READ)
        return True
    if endpoint is gateway.routes.primary or plan.effects & plans.BEGINS_READ_ONLY:
        return False
    if code in READ_ONLY_ERRORS:
        gateway.counters.self_corrections += 1
        client.learn_write(plan.digest)
        log.warning(
            'event=self_correction server=%s code=%d digest="%s" reason="planned as a read, and is none"',
            endpoint.server.name,
            code,
            plan.digest[:200],
        )
        client.plan = Plan(
            Target.PRIMARY, "a replica refused it as a write", digest=plan.digest, effects=plan.effects
        )
        executing.learn_write(client, client.plan)
        _retry(client, endpoint, Where.PRIMARY)
        return True
    return code in BEHIND_ERRORS and _ask_primary(client, endpoint)


def _ask_primary(client: "ClientConnection", endpoint: Endpoint) -> bool:
    """Run what *endpoint* has refused on the primary; False where it is that."""
    if endpoint is client.gateway.routes.primary:
        return False
    _retry(client, endpoint, Where.PRIMARY)
    return True


def told_as_by_the_primary(client: "ClientConnection", backend: BackendConnection, data: bytes) -> bytes:
    """Return *data*, which ends with an ERR packet, as the primary would have put it.

    A replica refuses a write in a READ ONLY transaction because it is a replica (1290), the primary because of the
    transaction (1792): seen on MySQL 9.7 and MariaDB 10.11.
    """
    error = backend.reply.error or b""
    if (
        error[1:3] != _READ_ONLY_SERVER
        or not client.session.status & SERVER_STATUS_IN_TRANS_READONLY
        or backend.endpoint is client.gateway.routes.primary
    ):
        return data
    start = len(data) - len(error) - 4
    text = "Cannot execute statement in a READ ONLY transaction"
    text += "." if backend.endpoint.server.flavor is Flavor.MYSQL else ""
    return data[:start] + build_error((1792, "25006", text), data[start + 3])


def _wait_for_primary(client: "ClientConnection", backend: BackendConnection, error: bytes) -> bool:
    """Let a statement that *backend*'s server has refused unrun, with *error*, run on the primary when it is there.

    False where that can't be done: the client gets the error.
    """
    gateway = client.gateway
    gateway.holding.doubt(backend.endpoint, _text(error))
    if not holding.can_run_elsewhere(client):
        primary = gateway.routes.primary
        if client.session.in_transaction or primary is None or backend.endpoint is primary:
            return False
        # Tied to a server that is not the primary any more, by what ends with the connection alone.
        client.fail_raw(frame(error, 1), close=True)
        return True
    if client.retries == 0:
        client.held_until = 0.0  # what an earlier statement has left
    if holding.until(client) <= gateway.loop.time():
        return False
    holding.leave_home(client)
    _retry(client, backend.endpoint, Where.PRIMARY)
    return True


def _retry(client: "ClientConnection", failed: Endpoint, where: Where) -> None:
    gateway = client.gateway
    if client.retries == 0:
        client.held_until = 0.0  # what an earlier statement has left
    gateway.counters.retries += 1
    client.retries += 1
    client.current = None
    if where is Where.READ:
        client.work = gateway.spawn(_elsewhere(client, failed))
    else:
        client.work = gateway.spawn(pair(client, client.request, client.plan, client.command, where, None))


async def _elsewhere(client: "ClientConnection", failed: Endpoint) -> None:
    """Run the read of *client* again, on another server than *failed* where there is one."""
    readers = client.routes.readers
    others = {
        endpoint
        for endpoint, _ in readers.laid_out
        if endpoint is not failed and waiting.is_near_enough(client, endpoint, client.plan)
    }
    endpoint = readers.pick_if(fallback.allowed(client, others, {failed: "it failed"}))
    await pair(client, client.request, client.plan, client.command, Where.READ, endpoint)


def lost_in_statement(client: "ClientConnection", backend: BackendConnection, why: str) -> None:
    """The connection went away while a statement ran on it."""
    gateway = client.gateway
    gateway.lost(backend.endpoint, why)
    repeatable = (
        client.plan.target is Target.REPLICA
        and not client.started
        and client.session.free
        and client.upload is None
        and client.retries < gateway.settings.limits.read_retries
    )
    if repeatable:
        log.info(
            'event=retry client=%s server=%s reason="%s"', client.peer, backend.endpoint.server.name, why
        )
        _retry(client, backend.endpoint, Where.READ)
    elif client.plan.effects == plans.BEGINS and client.session.free and not client.started:
        _retry(client, backend.endpoint, Where.PRIMARY)  # nothing has begun for the client
    else:
        client.lost(backend, why)


def leave_dead_servers(client: "ClientConnection") -> None:
    """Hang up on servers that the monitor has found dead: what runs there is run elsewhere, or fails now.

    One that is not among the servers any more, but lives, is left when nothing of the session is there.
    """
    for endpoint, backend in tuple(client.backends.items()):
        if endpoint.server.state is State.DOWN:
            backend.abort(f"it is down: {endpoint.server.reason}")
        elif endpoint.is_gone and client.is_idle and client.home is not backend and client.session.free:
            del client.backends[endpoint]
            backend.close()


# -- commands and statements for the router itself


def answer(client: "ClientConnection", sql: bytes, plan: Plan) -> bool:
    """Answer a statement that speaks to the router, if it can be answered; else it goes to the primary.

    What the primary answers with ids of its own is told with the router's: numbering.py.
    """
    if plan.effects & plans.ASKS_ROUTER:
        asking.answer(client, sql)
        return True
    if plan.effects & plans.DENIED:
        client.fail(Denied(plan.reason))
        return True
    status = asking.status_of(client)
    if plan.effects & plans.CONNECTION_ID:
        if client.gateway.routes.writable is not None:
            return False  # the server's answer, with our number: its metadata are the statement's own
        client.reply_with(
            build_text_result(
                ["CONNECTION_ID()"],
                [[client.number]],
                client.login.capabilities,
                status=status,
            )
        )
        return True
    if plan.effects & plans.KILLS:
        return answer_kill(client, sql)
    return False
