"""What the connections of a worker share."""

import asyncio

import pytest

from rwrouter.config.model import Settings
from rwrouter.protocol.auth import Secret
from rwrouter.proxy.gateway import Gateway
from tests.unit.proxy.stage import Stage, on_stage


def test_connection_ids_are_unique_over_workers() -> None:
    """No two workers give the same id, and each knows which are its own."""

    async def play() -> None:
        workers = [Gateway(Settings(), index=index, stride=3) for index in range(3)]
        numbers = [worker.connection_id() for worker in workers for _ in range(100)]
        assert len(set(numbers)) == 300
        assert not workers[0].is_elsewhere(numbers[0])
        assert workers[1].is_elsewhere(numbers[0])

    asyncio.run(play())


def test_scrambles_have_no_zero() -> None:
    """A NUL would end the scramble early for some clients."""

    async def play() -> None:
        gateway = Gateway(Settings())
        scrambles = {gateway.scramble() for _ in range(50)}
        assert len(scrambles) == 50
        assert all(len(scramble) == 20 and 0 not in scramble for scramble in scrambles)

    asyncio.run(play())


def test_what_a_server_accepted_is_known_until_it_refuses() -> None:
    """Pass-through users need their whole password only once."""

    async def play() -> None:
        gateway = Gateway(Settings())
        assert gateway.verifier("app") is None
        gateway.learn("app", Secret.of(b"secret"))
        assert gateway.verifier("app") is not None
        gateway.forget("app")
        assert gateway.verifier("app") is None

    asyncio.run(play())


def test_a_bug_in_a_task_is_logged_not_lost() -> None:
    """A task that raises is reported, and kept no longer."""

    async def play() -> None:
        gateway = Gateway(Settings())

        async def bug() -> None:
            raise ValueError("bug")

        gateway.spawn(bug())
        await asyncio.sleep(0.01)
        assert not gateway._tasks

    asyncio.run(play())


def test_a_configured_password_has_the_last_word() -> None:
    """A wrong proof of a configured user is refused at once: no client is asked for more, by no plugin."""

    async def play() -> None:
        gateway = Gateway(Settings.model_validate({"users": [{"name": "app", "password": "secret"}]}))
        verifier = gateway.verifier("app")
        assert verifier is not None
        assert verifier.is_final

    asyncio.run(play())


def test_a_lack_of_descriptors_is_logged_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """However many clients meet it."""

    async def play(stage: Stage) -> None:
        for _ in range(5):
            stage.gateway.exhausted("[Errno 24] Too many open files")

    on_stage(play)
    told = [one.getMessage() for one in caplog.records if "exhausted" in one.getMessage()]
    assert told == ['event=exhausted reason="[Errno 24] Too many open files"']
