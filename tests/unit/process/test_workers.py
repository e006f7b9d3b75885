"""Workers, as their master tells and asks them. That they are started and replaced is in tests/integration."""

import asyncio

import pytest

from rwrouter.process import workers as module
from rwrouter.process.channel import AskSessions, Kill, Nudge, Ready, Sessions
from rwrouter.protocol.auth import Secret
from rwrouter.proxy.dial import Account
from tests.unit.process.recording import recorded

ACCOUNT = Account("app", Secret(), 0, 0, {}, client_tracks=False)


def test_what_all_are_told_reaches_those_that_run() -> None:
    """One that is being replaced has no channel."""
    workers, channels, _ = recorded()
    workers.processes[0].channel = None
    workers.tell(Ready(7))
    assert [channel.sent for channel in channels] == [[], [Ready(7)]]


def test_answers_are_collected_worker_by_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its question's number; who does not answer in time, or does not run, has None."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.0)

    async def play() -> None:
        workers, channels, _ = recorded(3)
        workers.processes[2].channel = None
        asking = asyncio.ensure_future(workers.ask(AskSessions))
        await asyncio.sleep(0)
        assert [channel.sent for channel in channels] == [[AskSessions(1)], [AskSessions(1)], []]
        workers.on_message(workers.processes[1], Sessions(9, [{"id": 9}]))  # to another question
        workers.on_message(workers.processes[0], Sessions(1, [{"id": 1}]))
        assert await asking == [(0, [{"id": 1}]), (1, None), (2, None)]
        workers.on_message(workers.processes[1], Sessions(1, []))  # too late: nobody waits

    asyncio.run(play())


def test_a_kill_is_handed_on_to_the_others() -> None:
    """The client may be anyone's."""
    workers, channels, _ = recorded(3)
    kill = Kill(4, ACCOUNT, query_only=False)
    workers.on_message(workers.processes[1], kill)
    assert [channel.sent for channel in channels] == [[kill], [], [kill]]


def test_what_a_worker_has_seen_is_handed_on() -> None:
    """The monitor looks into it."""
    workers, _, nudges = recorded()
    nudge = Nudge("db1", "read-only", failed=False)
    workers.on_message(workers.processes[0], nudge)
    assert nudges == [nudge]


def test_who_is_ready_is_shown() -> None:
    """And its process, where there is one."""
    workers, _, _ = recorded()
    workers.on_message(workers.processes[1], Ready(1))
    assert [(one.index, one.pid, one.is_ready) for one in workers.status()] == [
        (0, None, False),
        (1, None, True),
    ]
