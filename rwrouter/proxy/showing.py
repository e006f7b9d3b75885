"""What `RWROUTER SHOW` shows: this session, and the servers as this worker sees them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rwrouter.protocol.resultset import Heading, Row

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.gateway import Gateway

SERVERS: Final = (
    Heading("server"),
    Heading("address"),
    Heading("role"),
    Heading("state"),
    Heading("why"),
    Heading("lag_ms", is_number=True, has_nulls=True),
    Heading("lag_from"),
    Heading("weight", is_number=True),
    Heading("zone"),
    Heading("version"),
    Heading("connections", is_number=True),
    Heading("statements", is_number=True),
    Heading("reads", is_number=True),
    Heading("errors", is_number=True),
    Heading("position"),
)


def servers(gateway: "Gateway") -> list[Row]:
    """Return a row for each server; the counts are this worker's."""
    rows: list[Row] = []
    for endpoint in gateway.routes.endpoints.values():
        server, counted = endpoint.server, endpoint.counters
        lag = server.lag.seconds
        rows.append(
            (
                server.name,
                str(server.address),
                server.role.value,
                server.state.value,
                server.reason,
                None if lag is None else round(lag * 1000),
                server.lag.why,
                server.weight,
                server.zone,
                server.version,
                counted.connections,
                counted.reads + counted.writes,
                counted.reads,
                counted.errors,
                " ".join(server.executed.split()),
            )
        )
    return rows


def session(client: "ClientConnection") -> Iterator[tuple[str, str]]:
    """Yield what there is to say of *client*'s session, as items and values."""
    state, terms, gateway = client.session, client.terms, client.gateway
    yield "id", str(client.number)
    yield "user", client.login.user
    yield "client", client.peer + (" by TLS" if client.secure else "")
    yield "schema", _text(state.schema)
    ties = ", ".join(state.ties())
    home = client.home.endpoint.server.name if client.home is not None else ""
    yield "tied", f"to {home}: {ties}" if ties and home else ties or "no: its reads may go to any server"
    yield "consistency", f"{terms.consistency}, by {terms.consistency_by}"
    if terms.max_lag is not None:
        yield "max_lag", f"{terms.max_lag:g} s, by {terms.max_lag_by}"
    yield "position", " ".join(str(state.position).split()) or "nothing written with a GTID"
    if state.last_write_at is not None:
        yield "written without GTID", f"{gateway.loop.time() - state.last_write_at:.1f} s ago"
    for variable, value in sorted(state.variables.items()):
        yield f"variable {_text(variable)}", _text(value)
    yield "prepared statements", str(len(client.statements))
    for endpoint, backend in client.backends.items():
        parts = [f"id {backend.connection_id} there"]
        parts.append(
            "in the session's state"
            if backend.version == state.version
            else "brought to it before its next use"
        )
        if backend.reached != state.writes:
            parts.append("not known to have the session's writes")
        if endpoint is gateway.routes.primary:
            parts.append("the primary")
        yield f"connection {endpoint.server.name}", ", ".join(parts)
    counted = gateway.counters
    for name in (
        "waits",
        "wait_timeouts",
        "waits_spared",
        "waits_skipped",
        "read_fallbacks",
        "retries",
        "self_corrections",
    ):
        yield f"worker {name}", str(getattr(counted, name))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
