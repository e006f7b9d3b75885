"""FOUND_ROWS(), ROW_COUNT() and warnings, wherever the statements before have left them."""

from collections.abc import Callable

import pytest

from rwrouter.protocol.resultset import build_text_result
from rwrouter.proxy.diagnostics import ASKING, Left, holders
from tests.unit.proxy.stage import CAPABILITIES, Stage, by_name, error, ok, on_stage, packet, query, row

READ = query("SELECT a FROM t")


def counting(count: int = -1) -> Callable[[str, bytes], bytes | None]:
    """Return a script whose servers have found 7 rows."""

    def script(name: str, command: bytes) -> bytes | None:
        if command[5:] == ASKING:
            return build_text_result(["a"], [[str(7 * 3 + (count > 0) - (count < 0) + 1)]], CAPABILITIES)
        return by_name(name, command)

    return script


def refusing(text: bytes) -> Callable[[str, bytes], bytes | None]:
    """Return a script whose servers refuse what has *text* in it."""

    def script(name: str, command: bytes) -> bytes | None:
        return error(1064) if text in command else counting()(name, command)

    return script


async def read(stage: Stage) -> str:
    """Run a read; return the server that ran it."""
    await stage.send(READ)
    return next(name for name, data in reversed(stage.log) if data == READ)


@pytest.mark.parametrize(
    "between", ["INSERT INTO t VALUES (1)", "SET sql_mode = ''", "COMMIT", "DEALLOCATE PREPARE s"]
)
def test_rows_found_are_those_of_the_read(between: str) -> None:
    """A statement on the primary leaves them; it may fail, too."""

    async def play(stage: Stage) -> None:
        reader = await read(stage)
        await stage.send(query(between))
        assert await stage.send(query("SELECT FOUND_ROWS()")) == row(reader)

    on_stage(play, counting())
    on_stage(play, refusing(between.encode()))


def test_rows_found_of_the_latest_read() -> None:
    """What was noted of an earlier one counts no more."""

    async def play(stage: Stage) -> None:
        first = await read(stage)
        await stage.send(query("INSERT INTO t VALUES (1)"))
        second = await read(stage)
        assert first != second
        assert await stage.send(query("SELECT FOUND_ROWS()")) == row(second)

    on_stage(play, counting())


def test_a_count_is_of_the_statement_before() -> None:
    """The write's, although the rows are elsewhere; behind a read, the read's."""

    async def play(stage: Stage) -> None:
        reader = await read(stage)
        assert await stage.send(query("SELECT ROW_COUNT()")) == row(reader)
        await read(stage)
        await stage.send(query("INSERT INTO t VALUES (1)"))
        assert await stage.send(query("SELECT ROW_COUNT()")) == row("db1")

    on_stage(play, counting())


def test_a_failed_statement_and_its_counts() -> None:
    """Rows and count in one question: both are known where the read ran."""

    async def play(stage: Stage) -> None:
        reader = await read(stage)
        await stage.send(query("SET nothing = 1"))
        assert await stage.send(query("SELECT FOUND_ROWS(), ROW_COUNT() + 0")) == row(reader)
        assert await stage.send(query("SHOW WARNINGS")) is not None

    on_stage(play, refusing(b"nothing"))


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t SELECT ROW_COUNT()",
        "INSERT INTO t VALUES (FOUND_ROWS())",
        "SET @n = FOUND_ROWS()",
        "SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()",
    ],
)
def test_a_statement_of_the_primary_is_told(sql: str) -> None:
    """A SELECT on the primary finds as many rows before it."""

    async def play(stage: Stage) -> None:
        reader = await read(stage)
        stage.log.clear()
        await stage.send(query(sql))
        told = [(name, data[5:]) for name, data in stage.log if data[4] == 3 and b"SESSION." not in data]
        assert [name for name, _ in told] == [reader, "db1", "db1"]
        assert told[0][1] == ASKING
        assert b"SQL_CALC_FOUND_ROWS" in told[1][1]
        assert b"REPEAT('1,', 6)" in told[1][1]
        assert told[2][1] == sql.encode()

    on_stage(play, counting())


def test_a_statement_that_changed_no_row_is_told_so() -> None:
    """COMMIT outside a transaction runs where the read ran, and sets ROW_COUNT() to 0."""

    async def play(stage: Stage) -> None:
        await read(stage)
        await stage.send(query("COMMIT"))
        await stage.send(query("INSERT INTO t SELECT ROW_COUNT()"))
        told = [data[5:] for name, data in stage.log if name == "db1" and data[4] == 3]
        assert b"SQL_CALC_FOUND_ROWS" in told[-3]
        assert told[-2].startswith(b"SET ")
        assert told[-1].startswith(b"INSERT")

    on_stage(play, counting(count=0))


def test_a_transaction_is_told() -> None:
    """FOUND_ROWS() of the read before its BEGIN is asked in it."""

    def script(name: str, command: bytes) -> bytes | None:
        return ok(3) if command[5:] == b"BEGIN" else counting()(name, command)

    async def play(stage: Stage) -> None:
        await read(stage)
        await stage.send(query("BEGIN"))
        assert await stage.send(query("SELECT FOUND_ROWS()")) == row("db1")
        assert any(b"SQL_CALC_FOUND_ROWS" in data for name, data in stage.log if name == "db1")
        stage.log.clear()
        assert await stage.send(query("SELECT FOUND_ROWS()")) == row("db1")
        assert len(stage.log) == 1, "it is there already"

    on_stage(play, script)


def test_what_can_not_be_told_is_an_error() -> None:
    """Never a wrong number: where the server refuses to take it, or has another count."""

    async def play(stage: Stage) -> None:
        await read(stage)
        reply = await stage.send(query("INSERT INTO t VALUES (ROW_COUNT())"))
        assert reply[4] == 0xFF
        assert not any(b"VALUES (ROW" in data for _, data in stage.log)

    on_stage(play, refusing(b"SQL_CALC"))
    on_stage(play, counting(count=3))


def test_counts_that_were_lost_are_an_error() -> None:
    """A connection opened anew would tell another number."""

    async def play(stage: Stage) -> None:
        reader = await read(stage)
        stage.opened[reader].connection_lost(None)
        for sql in ("SELECT FOUND_ROWS()", "SELECT ROW_COUNT()", "INSERT INTO t VALUES (FOUND_ROWS())"):
            reply = await stage.send(query(sql))
            assert b"were lost with the connection to " + reader.encode() in reply
        assert await stage.send(query("SELECT a FROM t")) != b""

    on_stage(play, counting())


def test_commands_are_asked_where_the_warnings_are() -> None:
    """Their OK tells how many there are, on MySQL; what every server refuses joins them."""

    async def play(stage: Stage) -> None:
        for command in (
            b"\x0e",
            b"\x1b\x00\x00",
            b"\x02shop",
            b"\x00",
            b"\x17\x4d\x00\x00\x00\x00\x01\x00\x00\x00",
        ):
            reader = await read(stage)
            stage.log.clear()
            await stage.send(packet(command))
            assert reader in {name for name, _ in stage.log}, command

    on_stage(play, counting())


def test_a_schema_that_a_replica_does_not_know_is_asked_of_the_primary() -> None:
    """It may be younger than the replica."""

    def script(name: str, command: bytes) -> bytes | None:
        if command[4] == 2:
            return error(1049) if name != "db1" else by_name(name, command)
        return counting()(name, command)

    async def play(stage: Stage) -> None:
        await read(stage)
        reply = await stage.send(packet(b"\x02young"))
        assert reply[4] == 0
        assert [name for name, data in stage.log if data[4] == 2][-1] == "db1"

    on_stage(play, script)


def test_a_command_where_the_warnings_are_is_the_last_for_the_count() -> None:
    """MariaDB's DO leaves rows and warnings on the replica; COM_SET_OPTION, asked there, sets ROW_COUNT()."""

    async def play(stage: Stage) -> None:
        reader = stage.opened[await read(stage)]
        await stage.send(query("INSERT INTO t VALUES (1)"))
        client = stage.client
        assert client.last is not reader
        client.left = Left(client.request, reader, client.last, reader)  # as a DO of MariaDB's leaves them
        await stage.send(packet(b"\x1b\x01\x00"))
        assert client.last is not reader
        assert holders(client).count is reader

    on_stage(play, counting())


def test_counts_outlast_statements_of_the_router() -> None:
    """A session_track_* that was set is read again by the router, where the counts of the session were."""

    def script(name: str, command: bytes) -> bytes | None:
        if command[4] == 0x16:
            return packet(b"\x00\x07" + bytes(10), 1)
        if b"CAST(DATABASE()" in command:
            return build_text_result(["x"] * 6, [["", "", "1", "0", "OFF", "OFF"]], CAPABILITIES)
        return counting(count=0)(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("SET session_track_gtids = OWN_GTID"))
        await stage.send(packet(b"\x16SELECT a FROM t"))
        stage.log.clear()
        assert await stage.send(query("SELECT ROW_COUNT()")) == row("db1")
        told = [data[5:] for name, data in stage.log if name == "db1"]
        assert told[-2].startswith(b"SET "), "which makes it 0 again"
        assert b"SQL_CALC_FOUND_ROWS" in told[-3]

    on_stage(play, script)
