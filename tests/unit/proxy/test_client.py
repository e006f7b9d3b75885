"""The client's side: commands are cut out of any bytes, and replies come back in order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.routing.session import Session
from tests.unit.proxy.stage import Stage, by_name, error, ok, on_stage, packet, query, row


def test_reads_go_to_replicas_in_turn_and_writes_to_the_primary() -> None:
    """The main job."""

    async def play(stage: Stage) -> None:
        answers = [await stage.send(query("SELECT 1")) for _ in range(4)]
        assert sorted(answers) == [row("db2"), row("db2"), row("db3"), row("db3")]
        assert await stage.send(query("UPDATE t SET a=1")) == ok()
        assert stage.sent(b"UPDATE") == ["db1"]

    on_stage(play)


@given(cuts=st.lists(st.integers(0, 80), max_size=8))
def test_any_cut_and_any_pipelining_gives_the_same_answers(cuts: list[int]) -> None:
    """Commands sent without waiting for replies are answered in their order, however they are cut."""

    async def play(stage: Stage) -> None:
        data = query("SELECT 1") + query("UPDATE t SET a=1") + packet(b"\x0e") + query("SELECT 2")
        bounds = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
        out = b""
        for start, end in pairwise(bounds):
            out += await stage.send(data[start:end])
        reads = {row("db2"), row("db3")}
        size = len(row("db2"))
        assert out[:size] in reads
        assert out[size:-size] == ok() + ok()
        assert out[-size:] in reads

    on_stage(play)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("wrong sequence id", b"\x01\x00\x00\x05\x03", b"sequence id"),
        ("empty command", b"\x00\x00\x00\x00", b"empty command"),
    ],
)
def test_what_is_no_command_ends_the_connection(name: str, data: bytes, text: bytes) -> None:
    """The client is told why; nothing reaches a server."""

    async def play(stage: Stage) -> None:
        assert text in await stage.send(data), name
        assert stage.transport.closed
        assert stage.log == []

    on_stage(play)


def test_the_session_follows_the_servers_word() -> None:
    """autocommit=0 in a reply's flags ties the session to that connection until it is on again."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"autocommit=0" in command:
            return ok(0)
        if b"autocommit=1" in command:
            return ok(2)
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("SET autocommit=0"))
        assert stage.client.home is not None
        stage.script = lambda name, command: ok(0) if b"COMMIT" in command else script(name, command)
        await stage.send(query("SET autocommit=1"))
        assert stage.client.home is None

    on_stage(play, script)


def test_an_error_is_passed_on_and_the_session_goes_on() -> None:
    """A server's error is the client's answer, to the byte."""

    async def play(stage: Stage) -> None:
        assert await stage.send(query("UPDATE t SET a=1")) == error(1062, "Duplicate")
        assert not stage.transport.closed

    on_stage(play, lambda _name, command: error(1062, "Duplicate") if b"UPDATE" in command else ok())


def test_backpressure() -> None:
    """A client that is too slow pauses the server that answers it, and no other."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("SELECT 1"))
        await stage.settle()
        current = stage.client.current
        assert current is not None
        stage.client.pause_writing()
        assert current.transport.reading is False  # type: ignore[attr-defined]
        stage.client.resume_writing()
        assert current.transport.reading is True  # type: ignore[attr-defined]

    on_stage(play, lambda name, command: None if b"SELECT" in command else by_name(name, command))


def test_backpressure_on_a_client_that_sends_ahead() -> None:
    """What it has sent waits until it takes replies again; the server that was not read is, and nobody is forgotten."""

    async def play(stage: Stage) -> None:
        client = stage.client
        client.data_received(query("SELECT 1"))
        await stage.settle()
        first = client.current
        assert first is not None
        client.data_received(query("SELECT 2") + query("SELECT 3"))
        client.pause_writing()  # by the last piece of the first reply
        first.data_received(row(first.endpoint.server.name))
        stage.script = by_name
        await stage.settle()
        assert stage.sent(b"SELECT 2") == []
        assert not first.transport.reading  # type: ignore[attr-defined]
        assert not stage.transport.reading
        client.resume_writing()
        await stage.settle()
        assert len(stage.sent(b"SELECT 2") + stage.sent(b"SELECT 3")) == 2
        assert all(one.transport.reading for one in client.backends.values())  # type: ignore[attr-defined]
        assert stage.transport.reading

    on_stage(play, lambda name, command: None if b"SELECT 1" in command else by_name(name, command))


def test_the_end_of_a_client_ends_its_backends() -> None:
    """An open transaction is rolled back by the server, because its connection closes at once."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SELECT 1"))
        backends = list(stage.client.backends.values())
        stage.client.connection_lost(None)
        assert all(backend.closed for backend in backends)
        assert stage.gateway.clients == {}

    on_stage(play)


def test_a_session_is_small() -> None:
    """A session has no dictionary of its own."""
    assert not hasattr(Session(), "__dict__")


def test_a_read_that_nobody_waits_for_is_killed() -> None:
    """A server would go on computing; an autocommit write goes on, as it would without a router."""

    def script(name: str, command: bytes) -> bytes | None:
        return None if b"SLEEP" in command or b"UPDATE" in command else by_name(name, command)

    async def play(stage: Stage, sql: str, killed: int) -> None:
        stage.client.data_received(query(sql))
        await stage.settle()
        stage.client.connection_lost(None)
        await stage.settle()
        assert len(stage.sent(b"KILL CONNECTION 100")) == killed

    on_stage(lambda stage: play(stage, "SELECT SLEEP(9)", 1), script)
    on_stage(lambda stage: play(stage, "UPDATE t SET a=1", 0), script)


@pytest.mark.parametrize("tail", [query("SELECT 3"), packet(b"\x16" + b"SELECT " + b"1," * 40_000 + b"3")])
def test_what_is_sent_ahead_is_read_to_its_end(tail: bytes) -> None:
    """A client that has sent more than is kept, and the last command in part, is read again for the rest of that."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("SELECT 1"))
        await stage.settle()
        first = stage.client.current
        assert first is not None
        stage.client.data_received(3 * query("SELECT 2 /*" + " " * 30_000 + "*/") + tail[:-5])
        assert not stage.transport.reading
        stage.script = lambda name, command: None if command == tail else by_name(name, command)
        first.data_received(row("x"))
        await stage.settle()
        assert stage.transport.reading
        await stage.send(tail[-5:])
        assert stage.log[-1][1] == tail

    on_stage(play, lambda name, command: None if b"SELECT 1" in command else by_name(name, command))
