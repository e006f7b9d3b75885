"""rwrouter status."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from rwrouter.admin.status import build_status
from rwrouter.cli.status import lag_text, render, status
from rwrouter.model import Snapshot
from tests.admin_sources import FixedSource


@contextmanager
def _router(body: bytes, code: int = 200) -> Iterator[str]:
    """Answer every request with *body* until the end of the block; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _body(source: FixedSource) -> bytes:
    return json.dumps(build_status(source)).encode()


def test_the_table_shows_each_server() -> None:
    """Role, state, lag and share stand in one line per server; reasons and alarms below."""
    seen = Snapshot(servers=FixedSource().seen.servers, problem="no primary", alarms=("two primaries",))
    console = Console(width=160, no_color=True)
    with console.capture() as shown:
        console.print(render(build_status(FixedSource(seen=seen))))
    lines = [" ".join(line.split()) for line in shown.get().splitlines()]
    assert lines[0].startswith("rwrouter ")
    assert lines[0].endswith("up 12 s, 3 clients, 1 of 2 workers ready, listening on 127.0.0.1:6450")
    assert lines[2:] == [
        "db1 10.0.0.1:3306 primary up - 1 0 1 25.0%",
        "db2 10.0.0.2:3306 replica up 250 ms heartbeat 100 0 3 75.0%",
        "db3 [::1]:3306 replica down unknown 100 0 0 0.0%",
        'db3 is down: said "no"',
        "problem: no primary",
        "alarm: two primaries",
    ]


def test_nothing_is_cut_on_a_narrow_terminal() -> None:
    """At 80 columns every number and every reason is still there."""
    console = Console(width=80, no_color=True)
    with console.capture() as shown:
        console.print(render(build_status(FixedSource())))
    assert "…" not in shown.get()
    assert 'db3 is down: said "no"' in shown.get()


@pytest.mark.parametrize(
    ("seconds", "role", "text"),
    [
        (None, "replica", "unknown"),
        (0.0, "replica", "0 s"),
        (0.012, "replica", "12 ms"),
        (3, "replica", "3 s"),
        (None, "primary", "-"),
    ],
)
def test_lag(seconds: float | None, role: str, text: str) -> None:
    """Unknown is said, and never shown as zero."""
    assert lag_text(seconds, role) == text


def test_json_is_the_routers_own() -> None:
    """What /v1/status says is passed on, and the exit status is 0 while clients can be served."""
    with _router(_body(FixedSource())) as admin:
        result = CliRunner().invoke(status, ["--admin", admin, "--json"])
    assert (result.exit_code, json.loads(result.output)["generation"]) == (0, 7)


def test_not_ready_ends_with_1() -> None:
    """A script sees that no client can be served; a person sees why."""
    with _router(_body(FixedSource(seen=Snapshot()))) as admin:
        result = CliRunner().invoke(status, ["--admin", admin])
    assert result.exit_code == 1
    assert "problem: no server has been reached yet" in result.output


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", 401, "asks for a token: set RWROUTER_ADMIN_TOKEN"),
        (b"", 404, "answers 404 Not Found: is it a rwrouter?"),
        (b"<html>", 200, "answers, but not as a rwrouter does"),
        (b"{}", 200, "answers, but not as a rwrouter does"),
    ],
)
def test_what_answers_but_is_no_router(body: bytes, code: int, said: str) -> None:
    """The message says who answered, and what is wrong with it."""
    with _router(body, code) as admin:
        result = CliRunner().invoke(status, ["--admin", admin])
    assert (result.exit_code, result.output) == (1, f"Error: {admin} {said}\n")


def test_no_router_there() -> None:
    """The message names the address and the option that it comes from."""
    with _router(b"") as admin:
        pass
    result = CliRunner().invoke(status, ["--admin", admin])
    assert (result.exit_code, result.output) == (
        1,
        (
            f"Error: no router answers at {admin} (Connection refused): is it running? "
            "its address is --admin of `rwrouter run`\n"
        ),
    )


def test_wrong_usage() -> None:
    """An address that is none is wrong usage, before anything is asked."""
    result = CliRunner().invoke(status, ["--admin", "localhost"])
    assert result.exit_code == 2
    assert '--admin: "localhost" has no port: write "localhost:6450"' in result.output
