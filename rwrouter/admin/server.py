"""The HTTP side: status as JSON, metrics, health; a POST changes a server's state or weight.

It reads values of the moment, and leaves changes to an `Operator`.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from rwrouter.admin.metrics import CONTENT_TYPE, build_metrics
from rwrouter.admin.operating import STATES, Busy, Operator, read_order, read_weight
from rwrouter.admin.status import StatusSource, build_status, trouble
from rwrouter.errors import ConfigError
from rwrouter.model import Address

PATHS: Final = {
    "/v1/status": "servers, workers, listeners, alarms and counters, as JSON",
    "/v1/sessions": "who is connected, and what ties each session to one server; POST /v1/sessions/ID/kill ends one",
    "/metrics": "counters for Prometheus",
    "/healthz": "200 while the router runs",
    "/readyz": "200 if a client could be served now, else 503 with the reason",
    "/v1/servers/NAME/drain": 'POST: no new reads there; also enable, disable, and weight with {"weight": N}',
    "/v1/switchover": 'how far a switchover is; POST begins one: {"to": "SERVER", "user": "...", "password": "..."}',
}
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})  # for orchestrators, which have no token

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminServer:
    """Serves PATHS. With a *token*, callers show it as "Authorization: Bearer TOKEN"."""

    def __init__(
        self, source: StatusSource, token: str | None = None, operator: Operator | None = None
    ) -> None:
        self._source = source
        self._operator = operator
        self._token = (token or "").encode()
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> Address:
        """Listen on *host*, *port* (0: any free one); return what was bound. Raises ConfigError."""

        @web.middleware  # it marks the function: a bound method can't be marked
        async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        application = web.Application(middlewares=[guard])
        application.router.add_get("/", self._index)
        application.router.add_get("/v1/status", self._status)
        application.router.add_get("/v1/sessions", self._sessions)
        application.router.add_post("/v1/sessions/{number}/kill", self._end_session)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/v1/switchover", self._switchover)
        application.router.add_post("/v1/switchover", self._switch_over)
        application.router.add_post("/v1/servers/{name}/{what}", self._operate)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as exc:
            await runner.cleanup()
            raise ConfigError(
                f"admin: can't listen on {Address(host, port)}: {exc.strerror or exc}; "
                "write another address with --admin HOST:PORT, or --admin '' for none"
            ) from exc
        self._runner = runner
        return Address(host, int(runner.addresses[0][1]))

    async def stop(self) -> None:
        """Close the listener and the connections. Does nothing if it is not started."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS:
            if self._token and not self._is_authorised(request):
                return _refused(401, "show the token as 'Authorization: Bearer TOKEN'")
            if not self._token and not _names_an_address(request.host):
                # A web page whose name was made to lead here (DNS rebinding) could read the answers else.
                return _refused(403, "without a token, ask by address or by localhost")
            if request.method == "POST" and "X-RWRouter" not in request.headers:
                # A page of another site can have a browser post, but not with a header of its own.
                return _refused(403, "a POST needs the header X-RWRouter, with any value")
        try:
            response = await handler(request)
        except web.HTTPException as exc:
            return _refused(exc.status, f"there are {', '.join(PATHS)}; for GET, but for what says POST")
        response.headers["Cache-Control"] = "no-store"
        return response

    def _is_authorised(self, request: web.Request) -> bool:
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(
            shown.strip().encode(errors="replace"), self._token
        )

    async def _index(self, _request: web.Request) -> web.Response:
        return web.json_response(PATHS)

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(build_status(self._source))

    async def _operate(self, request: web.Request) -> web.Response:
        name, what = request.match_info["name"], request.match_info["what"]
        operator = self._operator
        if operator is None or (what not in STATES and what != "weight"):
            raise web.HTTPNotFound
        try:
            if what == "weight":
                server = operator.set_weight(name, read_weight(await request.json()))
            else:
                server = operator.set_state(name, STATES[what])
        except ValueError as exc:  # JSONDecodeError is one
            return _refused(400, f"{what}: {exc}")
        except KeyError:
            known = ", ".join(server.name for server in self._source.snapshot().servers)
            return _refused(404, f"there is no server {name!r}: there are {known or 'none'}")
        return web.json_response(
            {
                "name": server.name,
                "state": server.state.value,
                "reason": server.reason,
                "weight": server.weight,
            }
        )

    async def _switchover(self, _request: web.Request) -> web.Response:
        if self._operator is None:
            raise web.HTTPNotFound
        return web.json_response(self._operator.switchover_report())

    async def _switch_over(self, request: web.Request) -> web.Response:
        operator = self._operator
        if operator is None:
            raise web.HTTPNotFound
        try:
            operator.switch_over(read_order(await request.json()))
        except ValueError as exc:  # JSONDecodeError is one
            return _refused(400, f"switchover: {exc}")
        except Busy as exc:
            return _refused(409, str(exc))
        return web.json_response(operator.switchover_report(), status=202)

    async def _sessions(self, _request: web.Request) -> web.Response:
        if self._operator is None:
            raise web.HTTPNotFound
        found, missing = await self._operator.sessions()
        return web.json_response({"sessions": found, "missing_workers": missing})

    async def _end_session(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        if self._operator is None:
            raise web.HTTPNotFound
        if not number.isdecimal() or not await self._operator.end_session(int(number)):
            return _refused(404, f"there is no session {number}: /v1/sessions shows those there are")
        return web.json_response({"id": int(number), "ended": True})

    async def _metrics(self, _request: web.Request) -> web.Response:
        text = build_metrics(self._source)
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        reason = trouble(self._source)
        answer: dict[str, object] = {"ready": not reason}
        if reason and (not self._token or self._is_authorised(request)):
            answer["reason"] = reason  # it names servers: not for everybody
        return web.json_response(answer, status=503 if reason else 200)


def _refused(status: int, why: str) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return web.json_response({"error": why}, status=status, headers=headers)


def _names_an_address(host: str) -> bool:
    """Whether a Host header has localhost or a literal address, which no foreign name can stand for."""
    name = host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
