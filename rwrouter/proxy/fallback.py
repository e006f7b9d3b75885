"""What becomes of a read for which no replica is fit: `reads.fallback`.

    primary   the primary answers it
    wait      it waits for a replica, at most `reads.fallback_timeout`; then as below
    error     it fails, with the reason of each server

A replica is unfit if it is out (down, lagging, weight 0), further behind than the read allows, or lacks writes that the
read must see. The primary still takes its own share of the reads (`reads.primary_weight`) beside fit replicas.
"""

from typing import TYPE_CHECKING, Final

from rwrouter.errors import NoServer
from rwrouter.model import Role, State
from rwrouter.proxy import waiting
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.gateway import Gateway
    from rwrouter.proxy.servers import Endpoint

POLL: Final = 0.05  # seconds between two looks for a replica


def to_primary(gateway: "Gateway") -> bool:
    """Tell whether the primary answers such reads."""
    return gateway.settings.reads.fallback == "primary"


def allowed(
    client: "ClientConnection", left: "set[Endpoint]", tried: "Mapping[Endpoint, str]"
) -> "set[Endpoint]":
    """Return those of *left* that may be asked: not the primary where only the fallback would ask it."""
    primary = client.gateway.routes.primary
    if to_primary(client.gateway) or primary is None or (not tried and left != {primary}):
        return left
    return left - {primary}


def is_patient(gateway: "Gateway", since: float) -> bool:
    """Tell whether a read that has found no replica *since* then waits on."""
    reads = gateway.settings.reads
    return reads.fallback == "wait" and gateway.loop.time() - since < reads.fallback_timeout


def text(gateway: "Gateway") -> str:
    """Return what is done, for people."""
    reads = gateway.settings.reads
    if reads.fallback == "primary":
        return "the primary (reads.fallback)"
    if reads.fallback == "wait":
        return f"it waits up to {reads.fallback_timeout:g} s for a replica, then fails (reads.fallback)"
    return "it fails (reads.fallback)"


def refusal(client: "ClientConnection", plan: Plan, tried: "Mapping[Endpoint, str]") -> NoServer:
    """Return the error for a read that nobody may answer: each server's reason, and what to set."""
    gateway = client.gateway
    gateway.counters.reads_refused += 1
    reads = gateway.settings.reads
    waited = f" within {reads.fallback_timeout:g} s" if reads.fallback == "wait" else ""
    reasons = [
        f"{endpoint.server.name}: {tried.get(endpoint) or why_not(client, endpoint, plan)}"
        for endpoint in gateway.routes.endpoints.values()
        if endpoint is not gateway.routes.primary
    ]
    return NoServer(
        f"no replica may answer this read{waited}: {'; '.join(reasons) or 'there is none'}. "
        f'The primary is not asked: reads.fallback = "{reads.fallback}"; set it to "primary", raise reads.max_lag '
        "or reads.wait, or ask for less (consistency)"
    )


def why_not(client: "ClientConnection", endpoint: "Endpoint", plan: Plan) -> str:
    """Return why *endpoint* is not among the readers for *plan*, "" where it is."""
    routes, server = client.gateway.routes, endpoint.server
    reads = routes.settings.reads
    if server.state is not State.UP:
        return f"is {server.state.value}" + (f" ({server.reason})" if server.reason else "")
    if endpoint not in {reader for reader, _ in client.routes.readers.laid_out}:
        if endpoint is routes.primary:
            replicas_first = "the primary: it takes no reads (reads.primary_weight = 0)"
            return "the primary, in another zone than the router" if reads.primary_weight else replicas_first
        if server.role is not Role.REPLICA:
            return f"its role is {server.role.value}"
        if not server.weight:
            return "its weight is 0"
        if endpoint.circuit.is_open(routes.now()):
            return "it refused a connection a moment ago"
        return "in another zone than the router"
    if not waiting.is_near_enough(client, endpoint, plan):
        lag = server.lag.seconds
        behind = "its lag is unknown" if lag is None else f"it is {lag:g} s behind"
        return f"{behind}, and max_lag is {waiting.max_lag_of(client, plan):g} s"
    return ""
