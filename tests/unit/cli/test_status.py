"""rwrouter status."""

import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from rwrouter.admin.status import build_status
from rwrouter.cli.status import lag_text, render, status
from rwrouter.model import Snapshot
from tests.unit.admin.sources import FixedSource
from tests.unit.cli.answering import answering


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


def test_circuits_are_told() -> None:
    """A server that the monitor finds well, and to which workers open no connection, says so."""
    told = build_status(FixedSource())
    told["servers"][1] |= {"circuits_open": 1, "circuits_capped": 2}
    console = Console(width=160, no_color=True)
    with console.capture() as shown:
        console.print(render(told))
    assert (
        "db2: 1 of 2 workers open no connection there for now, because one could not be opened" in shown.get()
    )
    assert "db2: 2 of 2 workers open fewer connections there, because it was full" in shown.get()


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
    with answering(_body(FixedSource())) as admin:
        result = CliRunner().invoke(status, ["--admin", admin, "--json"])
    assert (result.exit_code, json.loads(result.output)["generation"]) == (0, 7)


def test_not_ready_ends_with_1() -> None:
    """A script sees that no client can be served; a person sees why."""
    with answering(_body(FixedSource(seen=Snapshot()))) as admin:
        result = CliRunner().invoke(status, ["--admin", admin])
    assert result.exit_code == 1
    assert "problem: no server has been reached yet" in result.output


def test_what_answers_but_tells_no_servers() -> None:
    """It is no router."""
    with answering(b"{}") as admin:
        result = CliRunner().invoke(status, ["--admin", admin])
    assert (result.exit_code, result.output) == (1, f"Error: {admin} answers, but not as a rwrouter does\n")
