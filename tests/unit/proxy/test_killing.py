"""KILL in the router's ids."""

import pytest

from rwrouter.proxy.gateway import FIRST_NUMBER
from rwrouter.proxy.killing import read_kill
from tests.unit.proxy.stage import Stage, by_name, ok, on_stage, query


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (b"KILL 5", (5, False)),
        (b"kill query 77;", (77, True)),
        (b"KILL CONNECTION 5 ", (5, False)),
        (b"KILL HARD QUERY 5", (5, True)),
        (b"KILL USER app", None),
        (b"KILL @a", None),
    ],
)
def test_forms(sql: bytes, expected: tuple[int, bool] | None) -> None:
    """Each form with a number is read; the others are left to the primary."""
    assert read_kill(sql) == expected


def test_an_unknown_id_gets_the_servers_error() -> None:
    """1094, as a server says it."""

    async def play(stage: Stage) -> None:
        assert f"Unknown thread id: {FIRST_NUMBER + 99}".encode() in await stage.send(
            query(f"KILL {FIRST_NUMBER + 99}")
        )

    on_stage(play)


def test_a_servers_number_is_for_the_server() -> None:
    """What a person read in the primary's process list is sent there as it is."""

    async def play(stage: Stage) -> None:
        assert await stage.send(query("KILL 99")) == ok()
        assert stage.sent(b"KILL 99") == ["db1"]

    on_stage(play)


def test_a_killed_connection_is_killed_on_its_servers_and_closed() -> None:
    """The servers are told their own ids, and check the rights."""

    async def play(stage: Stage) -> None:
        await stage.send(query(f"KILL {stage.client.number}"))
        assert stage.sent(b"KILL CONNECTION 100") == ["db1"]
        assert stage.transport.closed

    on_stage(play, lambda name, command: ok() if b"KILL" in command else by_name(name, command))
