"""Decides in full where a command goes, from its plan and the session: what is no plain read of a free session."""

from typing import TYPE_CHECKING

from rwrouter.errors import BackendLost, CountsLost
from rwrouter.protocol.flags import COM_QUERY
from rwrouter.proxy import answering, diagnostics, executing, learning, moving
from rwrouter.proxy.carrying import is_kept_elsewhere
from rwrouter.routing.decision import Where, decide
from rwrouter.sql.plans import LAST_INSERT_ID, Plan, Target

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection


def run(client: "ClientConnection", data: bytes, plan: Plan, command: int = COM_QUERY) -> None:
    """Answer the command *data*, or have it sent where it belongs."""
    if (
        plan.target is Target.LOCAL
        and command == COM_QUERY
        and answering.answer(client, client.sql_of(data), plan)
    ):
        return
    if plan.effects & LAST_INSERT_ID and client.insert_id_at is not None:
        known = client.insert_id_at
        if known.closed or known is not client.backends.get(client.routes.primary):  # type: ignore[arg-type]
            why = f"its last insert id was lost with the connection to {known.endpoint.server.name}"
            client.fail(BackendLost(why), close=True)
            return
    decision = decide(plan, client.session, client.consistency)
    where = decision.where
    if where is Where.LAST:
        why = diagnostics.lost(client, plan.asks)
        if why:
            client.fail(CountsLost(why))
            return
        backend: BackendConnection | None = diagnostics.place(client, plan.asks) if plan.asks else client.last
    elif where is Where.HOME:
        backend = client.home
        if (
            backend is not None
            and backend.endpoint is not client.routes.primary
            and client.session.only_reads
            and learning.needs_primary(plan)
        ):
            client.begin_local(moving.move(client, data, plan, command))
            return
        if (
            plan is executing.PREPARING_READ
            and backend is not None
            and backend.endpoint is not client.routes.primary
        ):
            client.begin_local(moving.prepare(client, data))
            return
    elif where is Where.READ:
        client.prepare(data, plan, where, None, command, decision.server)
        return
    else:
        primary = client.routes.writable
        backend = client.backends.get(primary) if primary is not None else None
    if (
        backend is None
        or backend.closed
        or backend.version != client.session.version
        or not backend.tracks
        or plan.is_of_trackers
        or (client.session.keeps and where is Where.PRIMARY and is_kept_elsewhere(client, backend))
        or (plan.asks and diagnostics.is_elsewhere(client, backend, plan.asks))
        or (
            command in executing.NEEDS_PREPARED
            and (client.statement is None or backend.prepared.get(client.statement) is None)
        )
    ):
        target = backend.endpoint if backend is not None and not backend.closed else None
        client.prepare(data, plan, where, target, command)
        return
    client.dispatch(backend, data, plan, command)
