"""The master: what can be seen of it without servers. The rest is in tests/integration."""

import socket

import pytest

from rwrouter.config.model import Settings
from rwrouter.process import master


def test_a_port_in_use_ends_the_start_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is in the log, without a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(listen=(f"127.0.0.1:{taken.getsockname()[1]}",), admin="", workers=1)
        assert master.serve(settings) == 1
    said = capsys.readouterr().err
    assert "in use by another program" in said
    assert "Traceback" not in said


def test_state_lives_where_the_machine_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_STATE_HOME wins."""
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert str(master._state_directory()) == "/x/rwrouter"
