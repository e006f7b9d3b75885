"""rwrouter sessions."""

import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from rwrouter.cli import sessions as command
from rwrouter.cli.main import main
from rwrouter.cli.router import RunningRouter
from tests.unit.admin.sources import SESSION


def test_the_table_shows_ties_and_what_is_kept() -> None:
    """What runs now stands in brackets."""
    console = Console(width=200)
    with console.capture() as captured:
        console.print(
            command.render([SESSION, {**SESSION, "is_running": True, "tied_to": None, "tied_by": []}])
        )
    text = captured.get()
    assert "temporary_table, transaction" in text
    assert "user_variable" in text
    assert "[SELECT ?]" in text


def test_json_filter_and_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--tied` leaves out the free ones; `--kill` asks for the end of one."""
    asked: list[tuple[object, ...]] = []
    free = {**SESSION, "id": 7, "tied_by": []}

    def ask(_router: RunningRouter, *arguments: object) -> dict[str, object]:
        asked.append(arguments)
        return {"sessions": [SESSION, free], "missing_workers": 2}

    monkeypatch.setattr(RunningRouter, "ask", ask)
    shown = CliRunner().invoke(main, ["sessions", "--json", "--tied"])
    assert json.loads(shown.stdout)["sessions"] == [SESSION]
    assert "2 workers did not answer" in CliRunner().invoke(main, ["sessions"]).stderr
    assert CliRunner().invoke(main, ["sessions", "--kill", "7"]).output == "7: ended\n"
    assert asked[-1] == ("/v1/sessions/7/kill", {})
    assert CliRunner().invoke(main, ["sessions", "--admin", "nowhere"]).exit_code == 2
