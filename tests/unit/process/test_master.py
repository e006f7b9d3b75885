"""The master: what can be seen of it without servers. The rest is in tests/integration."""

import asyncio
import socket

import pytest

from rwrouter.config.model import Settings
from rwrouter.process import master
from rwrouter.process.channel import EndTransactions, Hold, Open


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


class Recorder:
    """Stands for a worker's channel."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    def send(self, message: object) -> None:
        """Note."""
        self.sent.append(message)


def test_open_transactions_are_waited_for_worker_by_worker() -> None:
    """Until each has told that it has none; one that has nothing new to tell is not waited for again."""

    async def play() -> None:
        one = master.Master(Settings(admin="", workers=2))
        channels = [Recorder(), Recorder()]
        for worker, channel in zip(one._workers, channels, strict=True):
            worker.channel = channel  # type: ignore[assignment]
        one.hold("db2")
        assert await one.drained(0.0) == 2  # nobody has told yet
        one._on_message(one._workers[0], Open(0))
        one._on_message(one._workers[1], Open(3))
        assert await one.drained(0.0) == 3
        one.end_transactions()
        one._on_message(one._workers[1], Open(0))
        assert await one.drained(0.0) == 0
        one.release()
        assert channels[0].sent == [Hold("db2"), EndTransactions(), Hold("")]

    asyncio.run(play())
