"""Brings what a session keeps on one connection to another: its user variables, where they are known by name."""

from typing import TYPE_CHECKING

from rwrouter.errors import BackendLost
from rwrouter.protocol.flags import COM_RESET_CONNECTION
from rwrouter.protocol.packets import message_of
from rwrouter.protocol.resultset import read_text_result
from rwrouter.proxy import diagnostics
from rwrouter.routing.user_variables import AT_ONCE, assignment, question
from rwrouter.sql import plans
from rwrouter.sql.names import UNKNOWN

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection


class StateLost(Exception):
    """The session has state on a connection that it can't use any more: it has to end."""


def is_kept_elsewhere(client: "ClientConnection", backend: "BackendConnection") -> bool:
    """Tell whether a statement for *backend*, which is the primary's, would miss what the session keeps."""
    if (
        client.keeper is not None
        and client.keeper is not backend
        and client.session.keeps & ~plans.USER_VARIABLE
    ):
        return True
    return any(holder is not backend for holder in client.user_variables.values())


async def keep_on(client: "ClientConnection", backend: "BackendConnection") -> None:
    """Bring what the session keeps to *backend*, the primary's. Raises StateLost where it can't be."""
    session = client.session
    keeper = client.keeper
    if keeper is not None and keeper is not backend and session.keeps & ~plans.USER_VARIABLE:
        what = ", ".join(plans.names(session.keeps & ~plans.USER_VARIABLE))
        raise StateLost(
            f"the session has state on {keeper.endpoint.server.name}, which is not the primary any more: {what}"
        )
    moved: dict[BackendConnection, list[str]] = {}
    for name, holder in client.user_variables.items():
        if holder is not backend:
            moved.setdefault(holder, []).append(name)
    for holder, names in moved.items():
        if UNKNOWN in names or holder.closed:
            raise StateLost(
                f"user variables were set on {holder.endpoint.server.name}, and can't be read there"
            )
        for start in range(0, len(names), AT_ONCE):
            await _copy(client, holder, backend, names[start : start + AT_ONCE])


async def _copy(
    client: "ClientConnection", holder: "BackendConnection", backend: "BackendConnection", names: list[str]
) -> None:
    await diagnostics.save(client, holder)
    columns, rows = read_text_result(await holder.query(question(names)), client.login.capabilities)
    if holder.reply.error is not None or not rows:
        raise StateLost(f"{holder.endpoint.server.name} does not tell the session's user variables")
    setting = assignment(names, columns, rows[0])
    if setting:
        await backend.query(setting)
    if setting and backend.reply.error is not None:
        why = message_of(backend.reply.error)
        raise StateLost(f"{backend.endpoint.server.name} refuses the session's user variables: {why}")
    for name in names:
        client.user_variables[name] = backend


async def reset(backend: "BackendConnection") -> None:
    """Reset a connection whose session was reset on another one. Raises BackendLost."""
    await backend.ask(bytes((COM_RESET_CONNECTION,)))
    if backend.reply.error is not None:
        raise BackendLost(f"{backend.endpoint.server.name} refuses to reset the connection")
    backend.forget()
