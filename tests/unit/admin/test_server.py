"""The HTTP side."""

import asyncio
import socket
from typing import Any

import aiohttp
import pytest

from rwrouter.admin.server import AdminServer
from rwrouter.errors import ConfigError
from rwrouter.model import Address, Snapshot
from tests.unit.admin.sources import SESSION, FixedSource


def _ask(
    path: str,
    source: FixedSource | None = None,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    method: str = "GET",
    data: str | None = None,
) -> tuple[int, Any, str]:
    """Return status, JSON or text, and content type of one request to a server of its own."""

    async def ask() -> tuple[int, Any, str]:
        source_ = source or FixedSource()
        server = AdminServer(source_, token, source_)
        bound = await server.start("127.0.0.1", 0)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, f"http://{bound}{path}", headers=headers, data=data) as answer,
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
    status, body, _ = _ask("/v2/status")
    assert status == 404
    assert body["error"].startswith(
        "there are /v1/status, /v1/sessions, /metrics, /healthz, /readyz, /v1/servers/NAME/drain"
    )
    assert _ask("/v1/status", method="POST", headers=OURS)[0] == 405


def test_a_port_in_use_is_a_clear_error() -> None:
    """It names the address and the option."""

    async def start(port: int) -> Address:
        return await AdminServer(FixedSource()).start("127.0.0.1", port)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"can't listen on 127\.0\.0\.1:{port}: .*in use.*--admin"):
            asyncio.run(start(port))


OURS = {"X-RWRouter": "test"}


def test_a_person_decides_about_a_server() -> None:
    """State and weight, one without the other; the answer says what it is then."""
    source = FixedSource()
    assert _ask("/v1/servers/db2/drain", source, headers=OURS, method="POST")[:2] == (
        200,
        {"name": "db2", "state": "draining", "reason": "", "weight": 100},
    )
    status, body, _ = _ask(
        "/v1/servers/db2/weight", source, headers=OURS, method="POST", data='{"weight": 7}'
    )
    assert (status, body["weight"], body["state"]) == (200, 7, "draining")
    assert _ask("/v1/servers/db2/enable", source, headers=OURS, method="POST")[1]["state"] == "up"


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "why"),
    [
        ("db2/drain", {}, None, 403, "X-RWRouter"),
        ("db9/drain", OURS, None, 404, "there are db1, db2, db3"),
        ("db2/explode", OURS, None, 404, "/v1/servers/NAME/drain"),
        ("db2/weight", OURS, "{", 400, "weight"),
        ("db2/weight", OURS, '{"weight": true}', 400, "N from 0"),
        ("db2/weight", OURS, '{"weight": 10001}', 400, "N from 0"),
    ],
)
def test_a_wrong_decision_changes_nothing(
    path: str, headers: dict[str, str], body: str | None, status: int, why: str
) -> None:
    """Each is refused with what to write; one without the header could come from a page of another site."""
    source = FixedSource()
    found, answer, _ = _ask(f"/v1/servers/{path}", source, headers=headers, method="POST", data=body)
    assert found == status
    assert why in answer["error"]
    assert source == FixedSource()


def test_a_switchover_is_begun_once() -> None:
    """202 and how far it is; 409 while one is under way; 400 says what is wrong, and quotes no password."""
    source = FixedSource()
    order = '{"to": "db2", "user": "admin", "password": "topsecret"}'
    headers = {"X-RWRouter": "test"}
    assert _ask("/v1/switchover", source)[:2] == (200, {"state": "none", "over": True})
    status, body, _ = _ask("/v1/switchover", source, None, headers, "POST", order)
    assert (status, body["state"]) == (202, "running")
    status, body, _ = _ask("/v1/switchover", source, None, headers, "POST", order)
    assert (status, body["error"]) == (409, "one is under way")
    status, body, _ = _ask("/v1/switchover", source, None, headers, "POST", order.replace("to", "too"))
    assert (status, body["error"]) == (400, "switchover: unknown: too")


def test_sessions_are_shown_and_ended() -> None:
    """With how many workers did not answer; a session that is not there is a 404 that says so."""
    source = FixedSource()
    status, body, _ = _ask("/v1/sessions", source)
    assert (status, body) == (200, {"sessions": [SESSION], "missing_workers": 1})
    path = f"/v1/sessions/{SESSION['id']}/kill"
    assert _ask(path, source, method="POST")[0] == 403
    assert _ask(path, source, method="POST", headers=OURS)[:2] == (200, {"id": SESSION["id"], "ended": True})
    assert _ask(path, source, method="POST", headers=OURS)[0] == 404
    assert _ask("/v1/sessions/x/kill", source, method="POST", headers=OURS)[0] == 404
    assert _ask("/v1/sessions", source)[1]["sessions"] == []
