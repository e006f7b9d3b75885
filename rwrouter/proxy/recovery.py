"""What follows when a statement ends with an error, or a connection is lost: it is run again, held, or told.

Only what has not run is run again. A read is asked of another server, a write that was refused unrun waits for the
primary; what may have run is told the client.
"""

import logging
from typing import TYPE_CHECKING, Final

from rwrouter.errors import BackendLost
from rwrouter.model import Flavor, Role, State
from rwrouter.protocol.flags import COM_INIT_DB, SERVER_STATUS_IN_TRANS_READONLY
from rwrouter.protocol.framing import frame
from rwrouter.protocol.packets import build_error, message_of
from rwrouter.proxy import executing, fallback, holding, pairing, waiting
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.holding import ENDING_ERRORS
from rwrouter.proxy.servers import Endpoint
from rwrouter.routing.decision import Where
from rwrouter.sql import plans
from rwrouter.sql.plans import Plan, Target

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection

log = logging.getLogger("rwrouter.pairing")
ended: Final = logging.getLogger("rwrouter.client")  # where all ends of clients are told

READ_ONLY_ERRORS: Final = frozenset({1290, 1792, 1836})
"""A replica says with these that the plan was wrong: nothing was changed."""

BEHIND_ERRORS: Final = frozenset({1044, 1049, 1054, 1142, 1143, 1146, 1176, 1305, 1370})
"""Something is not there, or not allowed, on a replica: DDL or a GRANT may not have arrived. The primary decides."""

_READ_ONLY_SERVER: Final = (1290).to_bytes(2, "little")


# -- an error in a reply


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
        gateway.lost(endpoint, message_of(error))
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
            Target.PRIMARY,
            "a replica refused it as a write",
            digest=plan.digest,
            effects=plan.effects | plans.MAY_WRITE,
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
    gateway.holding.doubt(backend.endpoint, message_of(error))
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
        client.work = gateway.spawn(
            pairing.pair(client, client.request, client.plan, client.command, where, None)
        )


async def _elsewhere(client: "ClientConnection", failed: Endpoint) -> None:
    """Run the read of *client* again, on another server than *failed* where there is one."""
    readers = client.routes.readers
    others = {
        endpoint
        for endpoint, _ in readers.laid_out
        if endpoint is not failed and waiting.is_near_enough(client, endpoint, client.plan)
    }
    endpoint = readers.pick_if(fallback.allowed(client, others, {failed: "it failed"}))
    await pairing.pair(client, client.request, client.plan, client.command, Where.READ, endpoint)


# -- a connection that is gone


def connection_lost(client: "ClientConnection", backend: BackendConnection, why: str) -> None:
    """*backend* is gone: what ran there is run again, or told; what lived there ends the session."""
    if client.backends.get(backend.endpoint) is backend:
        del client.backends[backend.endpoint]
    if client.closed:
        return
    if client.current is backend and client.is_running and client.work is None:
        lost_in_statement(client, backend, why)
    elif client.home is backend and holding.is_movable(client) and not _keeps_on(client, backend):
        client.home = None
    elif client.home is backend or _keeps_on(client, backend):
        # Its transaction, or what else lived there, is gone: the client learns it as from a server that ends.
        ended.warning(
            'event=ended client=%s server=%s reason="its connection was lost with state: %s"',
            client.peer,
            backend.endpoint.server.name,
            why,
        )
        client.close()


def _keeps_on(client: "ClientConnection", backend: BackendConnection) -> bool:
    """Tell whether the session has state on *backend* that is lost with it."""
    return bool(client.session.keeps) and (
        client.keeper is backend or any(holder is backend for holder in client.user_variables.values())
    )


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
        _tell_lost(client, backend, why)


def _tell_lost(client: "ClientConnection", backend: BackendConnection, why: str) -> None:
    """The server went away in a statement that can't be run again."""
    name = backend.endpoint.server.name
    if client.started or client.session.in_transaction:
        # Without a packet, as a server that dies: drivers know that, and what to do about a transaction.
        what = "a result" if client.started else "a transaction"
        ended.warning('event=ended client=%s server=%s reason="lost in %s: %s"', client.peer, name, what, why)
        client.close()
        return
    client.fail(BackendLost(f"{name} went away in the statement, which may have run: {why}"))


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
