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
from typing import TYPE_CHECKING, Final

from rwrouter.errors import RouterError
from rwrouter.protocol.resultset import first_value
from rwrouter.routing.consistency import Position, executed_statement, wait_statement
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.servers import Endpoint

log = logging.getLogger("rwrouter.pairing")

LATE_SECONDS: Final = 1.0
"""How long reads only look at a server on which one has waited in vain, and do not wait: the next would, too."""


class Unfit(Exception):
    """A server can't answer this statement now, though it lives: the next one is asked."""


def level_of(client: "ClientConnection", plan: Plan) -> str:
    """Return the level of a read with *plan*: its hint's, else the session's.

    The hint `session=NAME` asks for all that the sessions of that name have written. Those may be on other workers and
    other routers, of which the primary alone knows all: so it is read at the level "global".
    """
    hint = plan.hint
    if hint is None or client.consistency == "primary":
        return client.consistency if hint is None else hint.consistency or client.consistency
    return hint.consistency or ("global" if hint.session is not None else client.consistency)


def max_lag_of(client: "ClientConnection", plan: Plan) -> float | None:
    """Return how far behind, in seconds, a replica may be for a read with *plan*; None: as far as reads.max_lag."""
    hinted = plan.hint.max_lag if plan.hint is not None else None
    return client.terms.max_lag if hinted is None else hinted


def is_near_enough(client: "ClientConnection", endpoint: "Endpoint", plan: Plan) -> bool:
    """Tell whether *endpoint* is the primary, or known to be no further behind than a read with *plan* allows."""
    limit = max_lag_of(client, plan)
    if limit is None or endpoint is client.gateway.routes.primary:
        return True
    lag = endpoint.server.lag.seconds
    return lag is not None and lag <= limit


def wrote_a_moment_ago(client: "ClientConnection") -> bool:
    """Tell whether the session has written so lately that, without GTIDs, no replica is known to have it."""
    wrote = client.session.last_write_at
    gateway = client.gateway
    return wrote is not None and gateway.loop.time() - wrote < gateway.settings.reads.causal_window


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
        if wrote_a_moment_ago(client):
            raise Unfit("the session wrote a moment ago, and without GTIDs nobody knows whether it has that")
        if session.position:
            await _reach(client, backend, session.position)
        backend.reached = writes


async def _reach(client: "ClientConnection", backend: "BackendConnection", position: Position) -> None:
    gateway = client.gateway
    server = backend.endpoint.server
    counters = gateway.counters
    if position.covered_by(server.executed):
        counters.waits_spared += 1  # the monitor has seen it there
        return
    seconds = gateway.settings.reads.wait
    began = gateway.loop.time()
    vain = why_vain(backend.endpoint, seconds, began)
    if vain:
        # What is known of it may be a second old: it is asked, and not waited for.
        counters.waits_skipped += 1
        seconds = 0.0
    else:
        counters.waits += 1
    reply = await backend.query(wait_statement(server.flavor, position, seconds))
    counters.wait_microseconds += int((gateway.loop.time() - began) * 1e6)
    if backend.reply.error is None and first_value(reply, client.login.capabilities) == b"0":
        return
    if vain:
        raise Unfit(f"it lacks writes that the read must see: {vain}")
    counters.wait_timeouts += 1
    backend.endpoint.late_until = gateway.loop.time() + LATE_SECONDS
    raise Unfit(f"it did not get the writes that the read must see within {seconds:g} s")


def why_vain(endpoint: "Endpoint", seconds: float, now: float) -> str:
    """Return why *endpoint* will hardly have fresh writes within *seconds*, "" where nothing speaks against it."""
    lag = endpoint.server.lag.seconds
    if lag is not None and lag > seconds:
        return f"it is {lag:g} s behind, and a read waits for {seconds:g} s at most"
    if endpoint.late_until > now:
        return "a read has waited there in vain a moment ago"
    return ""
