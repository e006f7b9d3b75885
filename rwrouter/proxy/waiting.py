"""Makes a server have the writes that a read must see, before the read is sent.

    eventual   nothing is waited for
    session    what this session has written
    global     what any client has been told is committed: the primary is asked what it has, once for each read
    primary    never gets here: such reads are asked of the primary

"global" asks rather than shares what the workers have seen: a write's OK may have gone out through another worker, or
another router, just before the read came, and the primary alone knows of all.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from rwrouter.errors import RouterError
from rwrouter.protocol.resultset import first_value
from rwrouter.routing.consistency import Position, executed_statement, wait_statement
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.gateway import Gateway
    from rwrouter.proxy.servers import Endpoint

log = logging.getLogger("rwrouter.pairing")


class Unfit(Exception):
    """A server can't answer this statement now, though it lives: the next one is asked."""


def consistency_of(gateway: "Gateway", user: str) -> str:
    """Return the level at which *user* reads."""
    configured = gateway.configured.get(user)
    level = configured[1].consistency if configured is not None else None
    return level or gateway.settings.reads.consistency


def level_of(client: "ClientConnection", plan: Plan) -> str:
    """Return the level of a read with *plan*: its hint's, else the session's."""
    return (plan.hint.consistency if plan.hint is not None else None) or client.consistency


def is_near_enough(endpoint: "Endpoint", plan: Plan) -> bool:
    """Tell whether *endpoint* is not known to be further behind than a hint of *plan* allows."""
    if plan.hint is None or plan.hint.max_lag is None:
        return True
    lag = endpoint.server.lag.seconds
    return lag is not None and lag <= plan.hint.max_lag


async def everything(client: "ClientConnection", primary: "BackendConnection") -> Position | None:
    """Return what *primary* has executed now; None where it does not tell within the time for a connection."""
    gateway = client.gateway
    try:
        async with asyncio.timeout(gateway.settings.limits.connect_timeout):
            reply = await primary.query(executed_statement(primary.endpoint.server.flavor))
    except TimeoutError:
        primary.abort("it did not tell its position in time")
        return None
    except (RouterError, OSError) as exc:
        log.info('event=no_position server=%s reason="%s"', primary.endpoint.server.name, exc)
        return None
    value = None if primary.reply.error is not None else first_value(reply, client.login.capabilities)
    if not value:
        return None  # without GTIDs nobody knows what a replica has
    position = Position()
    position.add(value)
    return position


async def wait(
    client: "ClientConnection", backend: "BackendConnection", plan: Plan, goal: Position | None
) -> None:
    """Make sure that *backend*'s server has what the read must see. Raises Unfit where it has not, in time.

    *goal*: what `everything` returned, for a read at level global.
    """
    session = client.session
    writes = session.writes
    if backend.endpoint is client.gateway.routes.primary:
        backend.reached = writes
        return
    level = level_of(client, plan)
    if level == "eventual":
        if client.consistency == "eventual":  # not for a hint: the next read may ask for more
            backend.reached = writes
        return
    if goal is not None:
        await _reach(client, backend, goal)
    elif backend.reached != writes or client.consistency == "eventual":
        reads = client.gateway.settings.reads
        if (
            session.last_write_at is not None
            and client.gateway.loop.time() - session.last_write_at < reads.causal_window
        ):
            raise Unfit("the session wrote a moment ago, and without GTIDs nobody knows whether it has that")
        if session.position:
            await _reach(client, backend, session.position)
        backend.reached = writes


async def _reach(client: "ClientConnection", backend: "BackendConnection", position: Position) -> None:
    gateway = client.gateway
    server = backend.endpoint.server
    if position.covered_by(server.executed):
        return  # the monitor has seen it there: no wait
    counters = gateway.counters
    counters.waits += 1
    seconds = gateway.settings.reads.wait
    reply = await backend.query(wait_statement(server.flavor, position, seconds))
    if backend.reply.error is not None or first_value(reply, client.login.capabilities) != b"0":
        counters.wait_timeouts += 1
        raise Unfit(f"it did not get the writes that the read must see within {seconds:g} s")
