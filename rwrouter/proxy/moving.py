"""Moves a transaction that only reads from the replica on which it was begun to the primary, or spares it that.

It has met a statement that no replica can run: a write, which the primary refuses in its own words; a lock; BEGIN,
which ends it; LAST_INSERT_ID(). What it has read is not read again: at REPEATABLE READ it may see from now on what was
committed in the meantime.
"""

from typing import TYPE_CHECKING, Final

from rwrouter.errors import BackendLost, RouterError
from rwrouter.protocol.flags import COM_STMT_PREPARE, SESSION_STATUS
from rwrouter.protocol.framing import HEADER_SIZE
from rwrouter.protocol.resultset import with_status
from rwrouter.proxy import diagnostics, executing, pairing, trackers
from rwrouter.proxy.carrying import StateLost
from rwrouter.proxy.waiting import Unfit
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection


_COMMIT: Final = b"COMMIT AND NO CHAIN NO RELEASE"
"""With completion_type = 1 a mere COMMIT would begin another transaction."""


async def prepare(client: "ClientConnection", data: bytes) -> None:
    """Prepare a read on the primary, as always first, beside the transaction that goes on on its replica.

    Whatever becomes of schema and modes, it can be executed there. Without a primary it is prepared on the replica.
    """
    home, primary = client.home, client.gateway.routes.primary
    try:
        if primary is None:
            raise BackendLost("there is no primary")
        backend = await pairing.connection_for(client, primary, COM_STMT_PREPARE)
        packet = executing.to_server(client, backend, data, COM_STMT_PREPARE)
        reply = await backend.ask(packet[HEADER_SIZE:])
    except (RouterError, OSError, Unfit, StateLost) as exc:
        if home is None or home.closed:
            client.fail(BackendLost(f"the transaction has lost its connection: {exc}"), close=True)
        elif not client.closed:
            client.dispatch(home, data, executing.PREPARING_READ, COM_STMT_PREPARE)
        return
    if client.closed:
        return
    diagnostics.keep(client, backend, data, executing.PREPARING_READ.leaves)
    client.request = data
    if backend.reply.error is None:
        executing.succeeded(client, backend)
    else:
        diagnostics.failed(client, backend)
    client.reply_with(with_status(reply, client.session.status, SESSION_STATUS))


async def move(client: "ClientConnection", data: bytes, plan: Plan, command: int) -> None:
    """Begin the transaction anew on the primary, then send the command there."""
    home = client.home
    primary = client.gateway.routes.primary
    try:
        if primary is None:
            raise BackendLost("there is no primary")
        if home is not None and not home.closed:
            await home.query(_COMMIT)
        backend = await pairing.connection_for(client, primary, command)
        await backend.query(b"START TRANSACTION READ ONLY")
        if backend.reply.error is not None:
            raise BackendLost(f"{primary.server.name} refuses it")
        if plan.is_of_trackers:
            await trackers.lay_open(client, backend, data, plan, command)
    except (RouterError, OSError, Unfit, StateLost) as exc:
        client.fail(BackendLost(f"the transaction can't go on on the primary: {exc}"), close=True)
        return
    if not client.closed:
        client.home = backend
        client.dispatch(backend, data, plan, command)
