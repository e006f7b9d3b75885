"""Finding, preparing and replacing connections for a statement."""

import pytest

from rwrouter.model import Role, State
from tests.unit.proxy.stage import Stage, by_name, error, ok, on_stage, packet, query, row, server


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


def test_servers_that_refuse_are_passed_over() -> None:
    """A read goes to the next server, then to the primary; the refusing ones are left alone."""

    async def play(stage: Stage) -> None:
        stage.refuse = {"db2": OSError("refused"), "db3": OSError("refused")}
        assert await stage.send(query("SELECT 1")) == row("db1")
        stage.refuse = {}
        assert await stage.send(query("SELECT 1")) == row("db1")  # both are shunned for a moment

    on_stage(play)


def test_nobody_left_is_said_server_by_server() -> None:
    """The error names each server and why it could not answer."""

    async def play(stage: Stage) -> None:
        stage.refuse = dict.fromkeys(("db2", "db3"), OSError("refused"))
        stage.show(server("db2"), server("db3"), primary=None, generation=2)
        answer = await stage.send(query("SELECT 1"))
        assert b"db2: refused" in answer
        assert b"db3: refused" in answer

    on_stage(play, limits={"primary_wait": 0})


def test_the_sessions_variables_are_brought_along() -> None:
    """What the primary's tracker reported is set on a replica before its next statement, once."""
    changed = b"\x00\x0f\x08sql_mode\x05ANSIX"

    def script(name: str, command: bytes) -> bytes | None:
        if b"SET sql_mode" in command:
            return ok(2, changed)
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("SET sql_mode='ANSI'"))
        for _ in range(4):
            await stage.send(query("SELECT 1"))
        brought = [name for name, data in stage.log if b"@@SESSION.sql_mode='ANSIX'" in data]
        assert sorted(brought) == ["db2", "db3"]

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


GTID = b"3e11fa47-71ca-11e1-9e33-c80aa9429562:23"
WROTE = b"\x03" + bytes((len(GTID) + 2, 0, len(GTID))) + GTID


def test_a_read_after_a_write_waits_for_it() -> None:
    """A replica that is not known to have the write is asked to wait first, once for each write."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"UPDATE" in command:
            return ok(2, WROTE)
        if b"WAIT_FOR" in command:
            return row("0")
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a=1"))
        answers = {await stage.send(query("SELECT 1")) for _ in range(6)}
        assert answers == {row("db2"), row("db3")}
        assert sorted(stage.sent(GTID)) == ["db2", "db3"]

    on_stage(play, script)


def test_a_read_whose_write_does_not_arrive_goes_to_the_primary() -> None:
    """Never stale: after the bounded wait the primary answers."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"UPDATE" in command:
            return ok(2, WROTE)
        if b"WAIT_FOR" in command:
            return row("1")
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a=1"))
        assert await stage.send(query("SELECT 1")) == row("db1")

    on_stage(play, script)


def test_a_replica_that_is_known_to_have_the_write_needs_no_wait() -> None:
    """What the monitor has seen applied spares the round trip."""

    def script(name: str, command: bytes) -> bytes | None:
        return ok(2, WROTE) if b"UPDATE" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a=1"))
        has = GTID.decode().replace(":23", ":1-23")
        stage.show(
            server("db1", Role.PRIMARY, executed=has),
            server("db2", executed=has),
            server("db3", executed=has),
            generation=2,
        )
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}
        assert stage.sent(b"WAIT_FOR") == []

    on_stage(play, script)


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


def test_without_a_primary_a_replica_takes_settings_and_gains_no_writes_by_that() -> None:
    """A driver's first SET must not need the primary; who took it is still asked for the session's writes."""
    text = b"00000000-0000-0000-0000-000000000001:10"
    gtid = bytes((3, len(text) + 2, 0, len(text))) + text

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a = 1"))
        assert stage.client.session.writes == 1
        stage.show(server("db1", state=State.DOWN), server("db2"), primary=None, generation=2)
        assert (await stage.send(query("SET time_zone = '+01:00'")))[4] == 0
        assert stage.sent(b"SET time_zone") == ["db2"]
        await stage.send(query("SELECT 1"))
        assert stage.sent(b"WAIT_FOR_EXECUTED_GTID_SET") == ["db2"]

    def script(name: str, command: bytes) -> bytes | None:
        if b"WAIT_FOR" in command:
            return row("0")
        return ok(state=gtid) if b"UPDATE" in command else by_name(name, command)

    on_stage(play, script)


def test_a_ping_leaves_the_warnings_of_the_statement_before() -> None:
    """Connector/Python pings before each statement: SHOW WARNINGS is still asked where the read ran."""

    async def play(stage: Stage) -> None:
        for _ in range(2):
            await stage.send(query("SELECT 1"))
            assert await stage.send(packet(b"\x0e")) == ok()
            await stage.send(query("SHOW WARNINGS"))
        assert stage.sent(b"SHOW WARNINGS") == stage.sent(b"SELECT 1")

    on_stage(play)


def test_what_is_opened_after_a_reset_is_reset_too() -> None:
    """A reset leaves other character sets than a login: the session has the same on every server."""

    async def play(stage: Stage) -> None:
        await stage.send(packet(b"\x1f"))
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}
        assert stage.sent(b"\x1f") == ["db1", *stage.sent(b"SELECT 1")]

    on_stage(play)


def test_a_connection_lost_between_its_answer_and_its_use_is_not_used() -> None:
    """The answer to a wait has come, and before anybody goes on the monitor says that the server is down.

    Nobody would ever answer what is sent there: the read is asked of another server.
    """
    gtid = "00000000-0000-0000-0000-000000000001:10"
    report = bytes((3, len(gtid) + 2, 0, len(gtid))) + gtid.encode()
    lost: list[str] = []

    async def play(stage: Stage) -> None:
        def script(name: str, command: bytes) -> bytes | None:
            if b"WAIT_FOR" in command:
                loop = stage.gateway.loop
                if not lost:
                    lost.append(name)
                    # Behind the answer's arrival, and before the task that waits for it goes on.
                    loop.call_soon(lambda: loop.call_soon(stage.opened[name].abort, "it is down"))
                return row("0")
            return ok(state=report) if b"INSERT" in command else by_name(name, command)

        stage.script = script
        await stage.send(query("INSERT INTO t VALUES (1)"))
        answer = await stage.send(query("SELECT a FROM t"))
        assert lost
        assert answer in {row(name) for name in {"db1", "db2", "db3"} - set(lost)}

    on_stage(play)
