"""Moves a transaction that only reads from the replica on which it was begun to the primary.

It has met a statement that no replica can run: a write, which the primary refuses in its own words; a lock; BEGIN,
which ends it; LAST_INSERT_ID(). What it has read is not read again: at REPEATABLE READ it may see from now on what was
committed in the meantime.
"""

from typing import TYPE_CHECKING

from rwrouter.errors import BackendLost, RouterError
from rwrouter.proxy import pairing, trackers
from rwrouter.proxy.carrying import StateLost
from rwrouter.proxy.waiting import Unfit
from rwrouter.sql.plans import OF_TRACKERS, Plan

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection


async def move(client: "ClientConnection", data: bytes, plan: Plan, command: int) -> None:
    """Begin the transaction anew on the primary, then send the command there."""
    home = client.home
    primary = client.gateway.routes.primary
    try:
        if primary is None:
            raise BackendLost("there is no primary")
        if home is not None and not home.closed:
            await home.query(b"COMMIT")
        backend = await pairing.connection_for(client, primary, command)
        await backend.query(b"START TRANSACTION READ ONLY")
        if backend.reply.error is not None:
            raise BackendLost(f"{primary.server.name} refuses it")
        if plan.effects & OF_TRACKERS:
            await trackers.lay_open(client, backend, data, plan, command)
    except (RouterError, OSError, Unfit, StateLost) as exc:
        client.fail(BackendLost(f"the transaction can't go on on the primary: {exc}"), close=True)
        return
    if not client.closed:
        client.home = backend
        client.dispatch(backend, data, plan, command)
