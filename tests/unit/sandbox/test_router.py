"""The router as a child process: its command line, and what becomes of one that fails."""

import sys
from pathlib import Path

import pytest

from rwrouter.sandbox import router
from rwrouter.sandbox.binaries import SandboxError
from rwrouter.sandbox.options import Account

MONITOR, APP = Account("monitor", "secret-1"), Account("app", "secret-2")


def test_no_password_is_on_the_command_line() -> None:
    """Any user can read command lines: the password goes by the environment."""
    line = router.command(["127.0.0.1:1", "127.0.0.1:2"], MONITOR, "--workers", "2")
    assert line[1:4] == ["-m", "rwrouter.cli.main", "run"]
    assert line[-6:] == ["--server", "127.0.0.1:1", "--server", "127.0.0.1:2", "--workers", "2"]
    assert "monitor" in line
    assert "secret-1" not in line


def _instead(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(router, "command", lambda *_: [sys.executable, "-I", "-S", "-c", script])


def test_ports_are_read_from_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The router says which ports the kernel gave it; closing ends it and removes its log."""
    _instead(
        monkeypatch,
        "import time; print('INFO listening on 127.0.0.1:1234', flush=True);"
        "print('INFO admin on 127.0.0.1:1235', flush=True); time.sleep(60)",
    )
    with router.RouterProcess([], MONITOR, APP) as process:
        process.wait_listening(10)
        assert (process.port, process.admin_port) == (1234, 1235)
        assert process.dsn == "mysql://app:secret-2@127.0.0.1:1234/"
        assert process.stop() == -15
        assert "listening" in process.log()
    assert process.log() == ""
    assert process.process.poll() is not None
    assert not Path(f"/proc/{process.pid}").exists()


def test_a_router_that_ends_shows_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has its exit status and its last words."""
    _instead(monkeypatch, "raise SystemExit('port 6450 is in use')")
    with (
        router.RouterProcess([], MONITOR, APP) as process,
        pytest.raises(SandboxError, match="ended with status 1:\nport 6450 is in use"),
    ):
        process.wait_listening(10)


def test_the_log_of_a_router_never_blocks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of log is no obstacle: it goes to a file, not to a pipe."""
    _instead(monkeypatch, "print('x' * 1_000_000)")
    with router.RouterProcess([], MONITOR, APP) as process:
        assert process.process.wait(10) == 0
        assert len(process.log()) == 1_000_001
