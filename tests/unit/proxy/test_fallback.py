"""What becomes of a read for which no replica is fit."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from rwrouter.model import Lag, Role, State
from tests.unit.proxy.stage import Stage, by_name, ok, on_stage, query, row, server

GTID = "00000000-0000-0000-0000-000000000001:10"
WROTE = bytes((3, len(GTID) + 2, 0, len(GTID))) + GTID.encode()
PRIMARY, LATE = server("db1", Role.PRIMARY), server("db2", state=State.LAGGING)


def too_late(name: str, command: bytes) -> bytes | None:
    """Answer as servers do whose replicas never get a write."""
    if b"WAIT_FOR" in command:
        return row("1")
    return ok(state=WROTE) if b"INSERT" in command else by_name(name, command)


def reads(fallback: str, **more: Any) -> dict[str, Any]:
    """Return settings."""
    return {"reads": {"fallback": fallback, **more}}


@pytest.mark.parametrize("weight", [0, 1])
def test_primary(weight: int) -> None:
    """It answers."""

    async def play(stage: Stage) -> None:
        stage.show(PRIMARY, LATE, generation=2)
        assert await stage.send(query("SELECT 1")) == row("db1")

    on_stage(play, **reads("primary", primary_weight=weight))


@pytest.mark.parametrize("weight", [0, 1])
def test_error_names_each_server_and_what_to_set(weight: int) -> None:
    """The primary is not asked, also where it takes a share of the reads beside fit replicas."""

    async def play(stage: Stage) -> None:
        stage.show(PRIMARY, LATE, server("db3", state=State.DOWN), generation=2)
        reply = await stage.send(query("SELECT 1"))
        assert int.from_bytes(reply[5:7], "little") == 9603
        for part in (
            b"db2: is lagging",
            b"db3: is down",
            b'reads.fallback = "error"',
            b'set it to "primary"',
        ):
            assert part in reply
        assert stage.sent(b"SELECT 1") == []
        assert stage.gateway.counters.reads_refused == 1
        assert await stage.send(query("UPDATE t SET a = 1")) == ok()

    on_stage(play, **reads("error", primary_weight=weight))


def test_error_where_replicas_lack_the_sessions_writes() -> None:
    """They are up, and behind: the read says so."""

    async def play(stage: Stage) -> None:
        await stage.send(query("INSERT INTO t VALUES (1)"))
        reply = await stage.send(query("SELECT 1"))
        assert int.from_bytes(reply[5:7], "little") == 9603
        assert b"db2: it did not get the writes that the read must see within 0.5 s" in reply
        assert stage.sent(b"SELECT 1") == []

    on_stage(play, too_late, **reads("error"))


def test_error_where_max_lag_lets_none_through() -> None:
    """The session's own limit is named."""

    async def play(stage: Stage) -> None:
        stage.show(PRIMARY, replace(server("db2"), lag=Lag(0.2)), generation=2)
        assert await stage.send(query("SELECT 1")) == row("db2")
        await stage.send(query("RWROUTER SET max_lag = '100ms'"))
        reply = await stage.send(query("SELECT 1"))
        assert b"db2: it is 0.2 s behind, and max_lag is 0.1 s" in reply
        await stage.send(query("RWROUTER SET max_lag = '300ms'"))
        assert await stage.send(query("SELECT 1")) == row("db2")
        assert await stage.send(query("SELECT 1 /* rwrouter: consistency=primary */")) == row("db1")

    on_stage(play, **reads("error"))


def test_wait_goes_on_when_a_replica_is_back() -> None:
    """The read is held, and answered by the replica."""

    async def play(stage: Stage) -> None:
        stage.show(PRIMARY, LATE, generation=2)
        assert await stage.send(query("SELECT 1")) == b""
        stage.show(PRIMARY, server("db2"), generation=3)
        while not stage.transport.written:  # noqa: ASYNC110 - the router polls, too
            await asyncio.sleep(0.01)
        assert stage.transport.take() == row("db2")

    on_stage(play, **reads("wait"))


def test_wait_ends() -> None:
    """Then it fails, and says for how long it has waited."""

    async def play(stage: Stage) -> None:
        stage.show(PRIMARY, LATE, generation=2)
        reply = await stage.send(query("SELECT 1"))
        assert b"within 0 s" in reply

    on_stage(play, **reads("wait", fallback_timeout=0))
