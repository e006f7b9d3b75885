"""Brings a connection to the state of a session: trackers, variables, role, schema.

What of that goes into a SET, `routing/restore.py` says.
"""

from typing import TYPE_CHECKING

from rwrouter.errors import BackendLost
from rwrouter.protocol.flags import (
    CLIENT_MULTI_STATEMENTS,
    COM_INIT_DB,
    COM_SET_OPTION,
    SERVER_STATUS_AUTOCOMMIT,
)
from rwrouter.protocol.packets import message_of
from rwrouter.protocol.resultset import first_value
from rwrouter.proxy import trackers
from rwrouter.proxy.carrying import reset
from rwrouter.proxy.waiting import Unfit
from rwrouter.routing import identity
from rwrouter.routing.restore import assignments

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection


class RefusesVariables(Unfit):
    """A server refuses the session's variables, and will as long as they stay what they are."""


async def bring(client: "ClientConnection", backend: "BackendConnection") -> None:
    """Bring *backend* to the state of the session: trackers, variables, role, schema. Raises Unfit, BackendLost."""
    session = client.session
    if backend.stale:
        await reset(backend)
    parts: list[bytes] = []
    if not backend.tracks and (proof := identity.proof(backend.endpoint.server)):
        parts.append(proof)
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
            if identity.is_refuted(backend.reply.error):
                raise _another_server(client, backend)
            raise RefusesVariables("it refuses the session's variables: " + message_of(backend.reply.error))
        backend.tracks = True
        backend.variables = session.variables.copy()
    if backend.role != session.role:
        await backend.query(session.role or b"SET ROLE DEFAULT")
        if backend.reply.error is not None:
            raise Unfit("it refuses the session's role: " + message_of(backend.reply.error))
        backend.role = session.role
    if backend.schema != session.schema:
        if not session.schema:
            raise Unfit("the session has no schema, and this connection can't lose its own")
        await backend.ask(bytes((COM_INIT_DB,)) + session.schema)
        if backend.reply.error is not None:
            raise Unfit("it refuses the session's schema: " + message_of(backend.reply.error))
        backend.schema = session.schema
    several = bool(client.account.capabilities & CLIENT_MULTI_STATEMENTS)
    if backend.several != several:
        await backend.ask(bytes((COM_SET_OPTION, not several, 0)))
        if backend.reply.error is not None:
            raise Unfit("it refuses COM_SET_OPTION: " + message_of(backend.reply.error))
        backend.several = several
    backend.version = session.version if backend.serves is session.trackers else -1


def _another_server(client: "ClientConnection", backend: "BackendConnection") -> BackendLost:
    """Leave *backend*, at whose address another server answers than the monitor knows; return what to raise."""
    why = f"{backend.endpoint.server.name}: another server answers at its address"
    client.gateway.refused(backend.endpoint, why)
    backend.abort(why)
    return BackendLost(why)


async def learn_collation(client: "ClientConnection", backend: "BackendConnection") -> None:
    """Ask the connection on which the session's character set was set for the collation that came with it."""
    session = client.session
    holder = next((other for other in client.backends.values() if other.version == session.version), None)
    if holder is None:
        holder = client.charset_at  # what came since then has made the version another one
    if holder is None or holder is backend or holder.closed:
        return
    reply = await holder.query(b"SELECT @@collation_connection LIMIT 1")
    value = first_value(reply, client.login.capabilities)
    if value:
        session.variables[b"collation_connection"] = value
        holder.variables[b"collation_connection"] = value
        session.knows_collation = True
