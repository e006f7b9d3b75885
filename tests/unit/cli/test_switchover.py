"""rwrouter switchover, up to the HTTP request: what it prints, and with which status it ends."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

from rwrouter.cli import switchover as module
from rwrouter.cli.main import main
from rwrouter.cli.router import RunningRouter

STEP = {
    "name": "fence",
    "what": "db1 takes no more writes",
    "sql": ["db1: SET GLOBAL super_read_only = 1"],
    "undo": ["db1: SET GLOBAL read_only = 0"],
    "state": "done",
    "seconds": 0.012,
    "error": "",
}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, **report: Any) -> tuple[Result, dict[str, Any]]:
    """Run it against a router that answers with *report*; return what it sent, too."""
    sent: dict[str, Any] = {}
    whole = {
        "over": True,
        "from": "db1",
        "to": "db2",
        "steps": [STEP],
        "problems": [],
        "warnings": [],
    } | report

    def ask(_router: RunningRouter, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        assert path == "/v1/switchover"
        if body is not None:
            sent.update(body)
            return whole | {"over": False, "state": "running", "steps": []}
        return whole

    monkeypatch.setattr(RunningRouter, "ask", ask)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    environment = {"RWROUTER_OPERATOR_PASSWORD": "topsecret", "RWROUTER_REPLICATION_PASSWORD": "hidden"}
    result = CliRunner().invoke(
        main, ["switchover", "--to", "db2", "--user", "admin", *arguments], env=environment
    )
    assert "topsecret" not in result.output
    assert "hidden" not in result.output
    return result, sent


@pytest.mark.parametrize(
    ("state", "status"), [("done", 0), ("planned", 0), ("refused", 1), ("rolled back", 3), ("failed", 4)]
)
def test_exit_status(monkeypatch: pytest.MonkeyPatch, state: str, status: int) -> None:
    """Scripts can tell what has become of it."""
    result, _ = run(monkeypatch, state=state, held_seconds=0.5, problems=["because"] if status else [])
    assert result.exit_code == status, result.output


def test_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords come from the environment, times in any unit."""
    _, sent = run(
        monkeypatch,
        "--replication-user",
        "repl",
        "--drain",
        "500ms",
        "--transactions",
        "kill",
        state="done",
        held_seconds=0.1,
    )
    assert (sent["to"], sent["user"], sent["password"]) == ("db2", "admin", "topsecret")
    assert (sent["replication_user"], sent["replication_password"]) == ("repl", "hidden")
    assert (sent["drain"], sent["transactions"], sent["dry_run"]) == (0.5, "kill", False)


def test_steps_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line a step, and the time that writes waited."""
    result, _ = run(monkeypatch, state="done", held_seconds=0.5)
    assert "ok      fence        0.012 s  db1 takes no more writes" in result.output
    assert "db2 is the primary; writes were held for 0.500 s" in result.output


def test_dry_run_shows_the_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the way back."""
    result, sent = run(monkeypatch, "--dry-run", state="planned")
    assert sent["dry_run"]
    assert "db1: SET GLOBAL super_read_only = 1" in result.output
    assert "undo  db1: SET GLOBAL read_only = 0" in result.output


def test_json_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else."""
    result, _ = run(monkeypatch, "--json", state="done", held_seconds=0.5)
    assert result.output.startswith("{")
    assert '"held_seconds": 0.5' in result.output


def test_no_password_and_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which variable to set."""
    monkeypatch.delenv("RWROUTER_OPERATOR_PASSWORD", raising=False)
    result = CliRunner().invoke(main, ["switchover", "--to", "db2", "--user", "admin"])
    assert result.exit_code == 2
    assert "RWROUTER_OPERATOR_PASSWORD" in result.output
