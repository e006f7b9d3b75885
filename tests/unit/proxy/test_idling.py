"""Clients that have set how long they may be idle."""

from dataclasses import replace

import pytest

from rwrouter.model import Flavor, Greeting
from rwrouter.proxy.idling import LOOKS
from tests.unit.proxy.stage import Stage, by_name, ok, on_stage, query

CHANGED = b"\x00\x10\x0cwait_timeout\x02" + b"60"
SET = query("SET wait_timeout = 60")


def script(name: str, command: bytes) -> bytes | None:
    """Report the variable as it is set."""
    return ok(state=CHANGED) if b"SET wait_timeout" in command else by_name(name, command)


def look(stage: Stage, times: int) -> None:
    """Let the time pass."""
    timer = stage.client.idle_timer
    assert timer is not None
    for _ in range(times):
        timer.look()


@pytest.mark.parametrize("flavor", list(Flavor))
def test_an_idle_client_is_hung_up_on(flavor: Flavor) -> None:
    """In the words of its server, if that has any."""

    async def play(stage: Stage) -> None:
        stage.gateway.update(replace(stage.gateway.routes.snapshot, greeting=Greeting("", 255, 0, flavor)))
        await stage.send(SET)
        look(stage, LOOKS - 1)
        assert not stage.transport.closed
        look(stage, 1)
        assert stage.transport.closed
        assert (b"inactivity" in stage.transport.take()) is (flavor is Flavor.MYSQL)

    on_stage(play, script)


def test_whoever_speaks_stays() -> None:
    """Each statement begins the time anew; one that runs is not idle."""

    async def play(stage: Stage) -> None:
        await stage.send(SET)
        for _ in range(3):
            look(stage, LOOKS - 1)
            await stage.send(query("SELECT 1"))
        stage.script = lambda _name, _command: None
        await stage.send(query("SELECT SLEEP(600)"))
        look(stage, 3 * LOOKS)
        assert not stage.transport.closed

    on_stage(play, script)


def test_a_client_that_has_set_nothing_has_no_timer() -> None:
    """And one that has gone has none any more."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SELECT 1"))
        assert stage.client.idle_timer is None
        await stage.send(SET)
        stage.client.connection_lost(None)
        assert stage.client.idle_timer._handle is None  # type: ignore[attr-defined]

    on_stage(play, script)
