"""What a person is shown of the sessions of a worker, and how one is ended: `rwrouter sessions`, `/v1/sessions`."""

import logging
from typing import TYPE_CHECKING, Any

from rwrouter.proxy.killing import kill_abandoned
from rwrouter.sql import plans

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.gateway import Gateway

log = logging.getLogger("rwrouter.client")


def facts(client: "ClientConnection") -> dict[str, Any]:
    """Return what there is to say of one session, of types that JSON has. Statements are told by their digests."""
    session, plan = client.session, client.plan
    home = client.home
    return {
        "id": client.number,
        "user": client.login.user,
        "client": client.peer,
        "schema": session.schema.decode("utf-8", "replace"),
        "seconds": round(client.gateway.loop.time() - client.since, 3),
        "tied_by": session.ties(),
        "tied_to": home.endpoint.server.name if home is not None else None,
        "keeps": plans.names(session.keeps),
        "servers": [endpoint.server.name for endpoint in client.backends],
        "is_running": client.is_running,
        "statement": plan.digest,
        "reason": plan.reason,
    }


def all_facts(gateway: "Gateway") -> list[dict[str, Any]]:
    """Return the facts of all sessions of this worker, the oldest first."""
    return [facts(client) for client in gateway.clients.values()]


def end(gateway: "Gateway", number: int) -> bool:
    """End the session *number* for a person, and what it runs; False where this worker has none of that number."""
    client = gateway.clients.get(number)
    if client is None:
        return False
    log.warning('event=ended client=%s reason="killed by a person"', client.peer)
    if client.is_running and client.current is not None and not client.current.closed:
        gateway.spawn(kill_abandoned(gateway, client.current, client.account))
    client.close()
    return True
