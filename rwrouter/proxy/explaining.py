"""`RWROUTER EXPLAIN`: what would become of a statement now, in this session, with these servers. Changes nothing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rwrouter.model import Role, State
from rwrouter.proxy import diagnostics, fallback, waiting
from rwrouter.proxy.encoding import encoding_of
from rwrouter.routing.decision import Where, decide
from rwrouter.routing.strategies.client_hash import score
from rwrouter.sql import plans
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.servers import Endpoint


def explain(client: "ClientConnection", sql: bytes) -> Iterator[tuple[str, str]]:
    """Yield items and values: the plan by the text, what the session makes of it, and each server's case."""
    plan = client.plan_of(sql)
    codec = encoding_of(client.session, client.login.collation, b"character_set_client").codec
    for name, value in plans.describe(plan).items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}={item}" for key, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        if value:
            yield name, str(value).encode("utf-8", "surrogateescape").decode(codec, "replace")
    decision = decide(plan, client.session, client.consistency)
    ties = client.session.ties()
    yield "session", "tied: " + ", ".join(ties) if ties else "free"
    yield "goes to", f"{decision.where.value}: {decision.reason.value}"
    if decision.where is Where.LOCAL:
        yield "server", "none: the router answers, or passes on what it does not know"
    elif decision.where is Where.READ:
        yield from _read(client, plan, decision.server)
    else:
        yield "server", _one(client, decision.where, plan)


def _one(client: "ClientConnection", where: Where, plan: Plan) -> str:
    """Return who answers where there is no choice."""
    if where is Where.PRIMARY:
        primary = client.gateway.routes.primary
        return primary.server.name if primary is not None else f"none: {client.gateway.routes.why_nobody()}"
    last = diagnostics.place(client, plan.asks) if plan.asks else client.last
    backend = client.home if where is Where.HOME and client.home is not None else last
    return backend.endpoint.server.name


def _read(client: "ClientConnection", plan: Plan, wanted: str | None) -> Iterator[tuple[str, str]]:
    level, terms = waiting.level_of(client, plan), client.terms
    hinted = plan.hint is not None and plan.hint.consistency is not None
    yield "consistency", f"{level}, by {'a hint' if hinted else terms.consistency_by}"
    limit = waiting.max_lag_of(client, plan)
    if limit is not None:
        yield "max_lag", f"{limit:g} s"
    routes = client.gateway.routes
    cases = {endpoint: _Case(client, endpoint, plan, level) for endpoint in routes.endpoints.values()}
    fit = {endpoint for endpoint, case in cases.items() if not case.against}
    readers = client.routes.readers
    asked = routes.endpoints.get(wanted) if wanted is not None else None
    chosen: Endpoint | None = asked
    said = "a hint names it"
    if asked is None or asked.server.state is not State.UP:
        chosen = readers.peek_if(fallback.allowed(client, fit, {}))
        said = f"its turn, by {routes.settings.reads.strategy}"
    if chosen is not None:
        yield "server", f"{chosen.server.name}: {said}"
        yield "waits", cases[chosen].wait or "for nothing"
    elif fit:
        names = ", ".join(sorted(endpoint.server.name for endpoint in fit))
        yield "server", f"one of {names}: by chance, strategy {routes.settings.reads.strategy}"
    else:
        yield "server", "none of the readers: " + fallback.text(client.gateway)
    for endpoint, case in cases.items():
        yield f"candidate {endpoint.server.name}", case.text(is_chosen=endpoint is chosen)


class _Case:
    """What speaks for and against one server, for one read."""

    def __init__(self, client: "ClientConnection", endpoint: "Endpoint", plan: Plan, level: str) -> None:
        self._client = client
        self._endpoint = endpoint
        self.against = fallback.why_not(client, endpoint, plan)
        self.wait = ""
        if not self.against:
            self._look_at_writes(level)

    def _look_at_writes(self, level: str) -> None:
        client, endpoint = self._client, self._endpoint
        routes, session = client.gateway.routes, client.session
        if level == "eventual" or endpoint is routes.primary:
            return
        seconds = routes.settings.reads.wait
        if level == "global":
            self.wait = f"asks the primary for its position, then waits for it up to {seconds:g} s"
            return
        backend = client.backends.get(endpoint)
        if backend is not None and backend.reached == session.writes and client.consistency != "eventual":
            return
        if waiting.wrote_a_moment_ago(client):
            self.against = (
                "the session wrote a moment ago, and without GTIDs nobody knows whether it has that"
            )
        elif session.position and not session.position.covered_by(endpoint.server.executed):
            self.against = waiting.why_vain(endpoint, seconds, routes.now())
            self.wait = "" if self.against else f"up to {seconds:g} s for the session's writes"

    def text(self, *, is_chosen: bool) -> str:
        """Return the case in words."""
        if self.against:
            return f"no: {self.against}; {self._figures()}"
        wait = f"; waits {self.wait}" if self.wait else ""
        return f"{'chosen' if is_chosen else 'could answer'}{wait}; {self._figures()}"

    def _figures(self) -> str:
        client, endpoint = self._client, self._endpoint
        server, routes = endpoint.server, client.gateway.routes
        parts = [server.role.value, f"weight {dict(client.routes.readers.laid_out).get(endpoint, 0)}"]
        if server.role is Role.REPLICA:
            lag = server.lag.seconds
            parts.append("lag unknown" if lag is None else f"lag {lag * 1000:.0f} ms")
        match routes.settings.reads.strategy:
            case "least_outstanding":
                parts.append(f"{endpoint.outstanding} under way")
            case "latency":
                cost = endpoint.latency.cost(routes.now(), endpoint.outstanding)
                parts.append(f"cost {cost * 1000:.2f} ms with {endpoint.outstanding} under way")
            case "client_hash":
                drawn = score(client.key, server.name.encode(), max(1, server.weight))
                parts.append(f"score {drawn:.1f} for this client")
        return ", ".join(parts)
