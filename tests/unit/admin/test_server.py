"""The HTTP side."""

import asyncio
import socket
from typing import Any

import aiohttp
import pytest

from rwrouter.admin.server import AdminServer
from rwrouter.errors import ConfigError
from rwrouter.model import Address, Snapshot
from tests.admin_sources import FixedSource


def _ask(
    path: str,
    source: FixedSource | None = None,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    method: str = "GET",
) -> tuple[int, Any, str]:
    """Return status, JSON or text, and content type of one request to a server of its own."""

    async def ask() -> tuple[int, Any, str]:
        server = AdminServer(source or FixedSource(), token)
        bound = await server.start("127.0.0.1", 0)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, f"http://{bound}{path}", headers=headers) as answer,
            ):
                is_json = answer.content_type == "application/json"
                body = await answer.json() if is_json else await answer.text()
                return answer.status, body, answer.content_type
        finally:
            await server.stop()

    return asyncio.run(ask())


def test_status_and_metrics() -> None:
    """JSON for programs, text for Prometheus, a list of both at the root."""
    status, body, _ = _ask("/v1/status")
    assert (status, body["generation"]) == (200, 7)
    status, body, kind = _ask("/metrics")
    assert (status, kind) == (200, "text/plain")
    assert "rwrouter_ready 1\n" in body
    assert "/v1/status" in _ask("/")[1]


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (FixedSource(), (200, {"ready": True})),
        (FixedSource(seen=Snapshot(problem="none")), (503, {"ready": False, "reason": "none"})),
    ],
)
def test_ready_means_that_a_client_could_be_served(
    source: FixedSource, answer: tuple[int, dict[str, object]]
) -> None:
    """Alive is not ready: health is 200 in both cases."""
    assert _ask("/readyz", source)[:2] == answer
    assert _ask("/healthz", source)[:2] == (200, {"ok": True})


@pytest.mark.parametrize(
    ("path", "shown", "status"),
    [
        ("/v1/status", None, 401),
        ("/v1/status", "Bearer wrong", 401),
        ("/v1/status", "Basic secret", 401),
        ("/metrics", None, 401),
        ("/nowhere", None, 401),
        ("/v1/status", "Bearer secret", 200),
        ("/healthz", None, 200),
        ("/readyz", None, 503),
    ],
)
def test_a_token_keeps_others_out(path: str, shown: str | None, status: int) -> None:
    """With a token, only health is open, and it gives no reason to strangers."""
    headers = {"Authorization": shown} if shown else {}
    source = FixedSource(seen=Snapshot(problem="db1 is down"))
    answer = _ask(path, source, "secret", headers)
    assert answer[0] == status
    assert shown == "Bearer secret" or "db1" not in str(answer[1])


def test_a_foreign_name_is_refused_without_a_token() -> None:
    """A web page whose own name leads to loopback can't read the status through its visitor."""
    assert _ask("/v1/status", headers={"Host": "evil.example"})[0] == 403
    assert _ask("/v1/status", headers={"Host": "localhost:1"})[0] == 200
    assert _ask("/v1/status", headers={"Host": "[::1]:1"})[0] == 200
    assert (
        _ask("/v1/status", token="t", headers={"Host": "router.example", "Authorization": "Bearer t"})[0]
        == 200
    )


def test_other_paths_and_methods_are_told_what_there_is() -> None:
    """Errors are JSON too."""
    assert _ask("/v2/status")[:2] == (
        404,
        {"error": "there are /v1/status, /metrics, /healthz, /readyz, for GET"},
    )
    assert _ask("/v1/status", method="POST")[0] == 405


def test_a_port_in_use_is_a_clear_error() -> None:
    """It names the address and the option."""

    async def start(port: int) -> Address:
        return await AdminServer(FixedSource()).start("127.0.0.1", port)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"can't listen on 127\.0\.0\.1:{port}: .*in use.*--admin"):
            asyncio.run(start(port))
