"""What follows an error or a lost connection: only what has not run is run again."""

import pytest

from rwrouter.model import Role, State
from tests.unit.proxy.stage import Stage, by_name, error, ok, on_stage, query, row, server


def test_a_read_is_run_again_when_its_server_is_lost_before_the_result() -> None:
    """The client sees nothing of it."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("SELECT 1"))
        await stage.settle()
        lost = stage.client.current
        assert lost is not None
        stage.script = by_name
        lost.connection_lost(None)
        await stage.settle()
        other = "db3" if lost.endpoint.server.name == "db2" else "db2"
        assert stage.transport.take() == row(other)
        assert stage.gateway.counters.retries == 1

    on_stage(play, lambda name, command: None if b"SELECT" in command else by_name(name, command))


def test_a_read_whose_result_has_begun_is_never_run_again() -> None:
    """The connection ends, so that half a result is not taken for a whole one."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("SELECT 1"))
        await stage.settle()
        lost = stage.client.current
        assert lost is not None
        lost.data_received(row("x")[:20])
        lost.connection_lost(None)
        await stage.settle()
        assert stage.transport.take() == row("x")[:20]
        assert stage.transport.closed

    on_stage(play, lambda name, command: None if b"SELECT" in command else by_name(name, command))


def test_a_write_that_may_have_run_is_never_run_again() -> None:
    """The client gets an error that says so, and the connection ends."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("UPDATE t SET a=1"))
        await stage.settle()
        stage.opened["db1"].connection_lost(None)
        await stage.settle()
        assert b"may have run" in stage.transport.take()
        assert stage.transport.closed
        assert stage.sent(b"UPDATE") == ["db1"]

    on_stage(play, lambda name, command: None if b"UPDATE" in command else by_name(name, command))


@pytest.mark.parametrize("code", [1290, 1792, 1836])
def test_a_read_that_a_replica_refuses_as_a_write_runs_on_the_primary_and_is_learnt(code: int) -> None:
    """Nothing was changed, so it is safe; the second time it goes to the primary at once."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"FROM v" in command and name != "db1":
            return error(code)
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        assert await stage.send(query("SELECT * FROM v")) == row("db1")
        stage.log.clear()
        assert await stage.send(query("SELECT * FROM v")) == row("db1")
        assert stage.sent(b"FROM v") == ["db1"]
        assert stage.gateway.counters.self_corrections == 1

    on_stage(play, script)


def test_a_table_that_a_replica_lacks_is_asked_of_the_primary() -> None:
    """DDL may not have arrived there: the primary's word counts, error or not."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"SELECT" in command and name != "db1":
            return error(1146)
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        assert await stage.send(query("SELECT a FROM fresh")) == row("db1")

    on_stage(play, script)


def test_a_replica_that_is_down_is_left_and_its_reads_run_elsewhere() -> None:
    """A hung server costs no more than the monitor needs to see it."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("SELECT 1"))
        await stage.settle()
        hung = stage.client.current
        assert hung is not None
        name = hung.endpoint.server.name
        other = "db3" if name == "db2" else "db2"
        stage.script = by_name
        stage.show(server("db1", Role.PRIMARY), server(name, state=State.DOWN), server(other), generation=2)
        await stage.settle()
        assert stage.transport.take() == row(other)

    on_stage(play, lambda name, command: None if b"SELECT" in command else by_name(name, command))


def test_a_write_in_a_read_only_transaction_is_refused_as_the_primary_does() -> None:
    """A replica of MariaDB speaks of its own read_only."""
    read_only = 0x2003

    def refuse(name: str, command: bytes) -> bytes | None:
        if b"START" in command:
            return ok(read_only)
        return error(1290) if b"a_view" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("START TRANSACTION READ ONLY"))
        reply = await stage.send(query("SELECT a FROM a_view /* whose function writes */"))
        assert reply[3] == 1
        assert reply[5:13] == (1792).to_bytes(2, "little") + b"#25006"

    on_stage(play, refuse)
