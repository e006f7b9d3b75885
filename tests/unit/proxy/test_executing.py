"""Prepared statements through the edge."""

import itertools

import pytest

from rwrouter.protocol.flags import SERVER_STATUS_CURSOR_EXISTS, SERVER_STATUS_LAST_ROW_SENT
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.diagnostics import ASKING
from rwrouter.routing import prepared
from rwrouter.routing.prepared import FIRST, PlannedStatement
from tests.unit.proxy.stage import Stage, by_name, error, ok, on_stage, packet, query, row

PREPARE = packet(b"\x16SELECT a FROM t WHERE id=?")
SERVER_IDS = {"db1": 11, "db2": 22, "db3": 33}
CLOSED = {name: number.to_bytes(4, "little") for name, number in SERVER_IDS.items()}


def execute(number: int, *, types: bytes = b"\x08\x00") -> bytes:
    """Build a COM_STMT_EXECUTE with one parameter."""
    head = b"\x17" + number.to_bytes(4, "little") + b"\x00\x01\x00\x00\x00" + b"\x00"
    return packet(head + (b"\x01" + types if types else b"\x00") + (7).to_bytes(8, "little"))


def script(name: str, command: bytes) -> bytes | None:
    """Prepare with an id of each server's own, and execute."""
    if command[4] == 0x16:
        return packet(b"\x00" + SERVER_IDS[name].to_bytes(4, "little") + b"\x00\x00\x00\x00\x00\x00\x00", 1)[
            : 4 + 12
        ]
    if command[4] == 0x17:
        known = int.from_bytes(command[5:9], "little") == SERVER_IDS[name]
        return row(name) if known else error(1243)
    return None if command[4] in {0x18, 0x19} else by_name(name, command)


def one_parameter(name: str, command: bytes) -> bytes | None:
    """Answer a prepare with one parameter."""
    if command[4] == 0x16:
        column = b"\x03def\x00\x00\x00\x01?\x00\x0c\x3f\x00\x00\x00\x00\x00\x08\x80\x00\x00\x00\x00"
        head = b"\x00" + SERVER_IDS[name].to_bytes(4, "little") + b"\x00\x00\x01\x00\x00\x00\x00"
        return packet(head, 1) + packet(column, 2)
    return script(name, command)


def test_executions_of_a_read_are_spread_and_prepared_where_they_run() -> None:
    """Prepared on the primary first, on each replica at its first turn, once; the client knows one id."""

    async def play(stage: Stage) -> None:
        reply = await stage.send(PREPARE)
        number = int.from_bytes(reply[5:9], "little")
        assert number == FIRST
        answers = [await stage.send(execute(number)) for _ in range(6)]
        assert sorted(answers) == [row("db2")] * 3 + [row("db3")] * 3
        prepared = [name for name, data in stage.log if data[4] == 0x16]
        assert sorted(prepared) == ["db1", "db2", "db3"]

    on_stage(play, one_parameter)


def test_types_that_a_server_has_not_seen_are_sent_along() -> None:
    """The second execution has none: a server that did not see the first would bind NULL."""

    async def play(stage: Stage) -> None:
        await stage.send(PREPARE)
        await stage.send(execute(FIRST))
        await stage.send(execute(FIRST, types=b""))
        await stage.send(execute(FIRST, types=b""))
        executions = [(name, data) for name, data in stage.log if data[4] == 0x17]
        first_of = dict(reversed(executions))
        assert len(first_of) == 2
        assert all(b"\x01\x08\x00" in data for data in first_of.values())

    on_stage(play, one_parameter)


def test_an_unknown_id_gets_the_servers_error() -> None:
    """It is passed on to one, under a number that is no statement's there."""

    async def play(stage: Stage) -> None:
        for number in (77, FIRST + 77):
            assert await stage.send(execute(number)) == error(1243)
        sent = [(name, int.from_bytes(data[5:9], "little")) for name, data in stage.log if data[4] == 0x17]
        assert sent == [("db1", FIRST + 77)] * 2

    on_stage(play, script)


def test_close_reaches_every_server_that_has_it() -> None:
    """Nothing is left behind, and nothing is answered."""

    async def play(stage: Stage) -> None:
        await stage.send(PREPARE)
        for _ in range(4):
            await stage.send(execute(FIRST))
        assert await stage.send(packet(b"\x19" + FIRST.to_bytes(4, "little"))) == b""
        closed = [(name, int.from_bytes(d[5:9], "little")) for name, d in stage.log if d[4] == 0x19]
        assert sorted(closed) == [("db1", 11), ("db2", 22), ("db3", 33)]
        assert await stage.send(execute(FIRST)) == error(1243)

    on_stage(play, one_parameter)


def test_long_data_goes_where_it_is_executed() -> None:
    """Data sent ahead has no reply, and must reach the connection of the execution: the primary's."""

    async def play(stage: Stage) -> None:
        await stage.send(PREPARE)
        assert await stage.send(packet(b"\x18" + FIRST.to_bytes(4, "little") + b"\x00\x00hello")) == b""
        assert await stage.send(execute(FIRST)) == row("db1")
        assert await stage.send(execute(FIRST)) in {row("db2"), row("db3")}

    on_stage(play, one_parameter)


def test_an_execution_that_a_replica_refuses_as_a_write_is_learnt() -> None:
    """It runs on the primary, and so do the next ones."""

    def refuse(name: str, command: bytes) -> bytes | None:
        if command[4] == 0x17 and name != "db1":
            return error(1290)
        return one_parameter(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(PREPARE)
        assert await stage.send(execute(FIRST)) == row("db1")
        stage.log.clear()
        assert await stage.send(execute(FIRST)) == row("db1")
        assert {name for name, data in stage.log if data[4] == 0x17} == {"db1"}

    on_stage(play, refuse)


def test_after_a_use_it_is_executed_where_it_was_prepared() -> None:
    """Prepared anew in another schema, the text could name another table."""
    used = b"\x01\x06\x05other"

    def follow(name: str, command: bytes) -> bytes | None:
        return ok(2, used) if b"USE other" in command else one_parameter(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(PREPARE)
        await stage.send(packet(b"\x03USE other"))
        assert await stage.send(execute(FIRST)) == row("db1")

    on_stage(play, follow)


def test_a_prepare_leaves_the_statement_before_where_it_was() -> None:
    """Its warnings and row counts are on the connection that it ran on, unless the PREPARE failed."""

    async def play(stage: Stage) -> None:
        replica = await stage.send(query("SELECT 1"))
        await stage.send(PREPARE)
        assert await stage.send(query("SELECT FOUND_ROWS()")) == replica
        await stage.send(packet(b"\x0e"))
        assert await stage.send(query("SELECT FOUND_ROWS()")) == replica
        await stage.send(packet(b"\x16SELEC"))
        await stage.send(query("SHOW WARNINGS"))
        assert stage.sent(b"SHOW WARNINGS") == ["db1"]

    def prepare(name: str, command: bytes) -> bytes | None:
        return error(1064) if command[4:] == b"\x16SELEC" else one_parameter(name, command)

    on_stage(play, prepare)


@pytest.mark.parametrize(("question", "is_there"), [("SHOW WARNINGS", True), ("SELECT ROW_COUNT()", False)])
def test_a_prepared_question_about_the_statement_before(question: str, is_there: bool) -> None:
    """After a USE a text is prepared nowhere anew, but what reads the same in any schema; counts are brought."""
    used = b"\x01\x06\x05other"

    async def play(stage: Stage) -> None:
        await stage.send(packet(b"\x16" + question.encode()))
        await stage.send(query("USE other"))
        reader = await stage.send(query("SELECT 1"))
        assert reader in {row("db2"), row("db3")}
        assert await stage.send(execute(FIRST)) == (reader if is_there else row("db1"))
        assert bool(stage.sent(b"SQL_CALC_FOUND_ROWS")) is not is_there

    def follow(name: str, command: bytes) -> bytes | None:
        if command[5:] == ASKING:
            return row("3")
        return ok(state=used) if b"USE other" in command else script(name, command)

    on_stage(play, follow)


def test_a_statement_in_use_stays_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a connection has too many, the one that was executed last is not the one to be closed."""
    monkeypatch.setattr(prepared, "ON_A_CONNECTION", 2)
    ids = itertools.count(1)

    def numbered(name: str, command: bytes) -> bytes | None:
        if command[4] == 0x16:
            return packet(b"\x00" + next(ids).to_bytes(4, "little") + bytes(7), 1)
        return row(name) if command[4] == 0x17 else script(name, command)

    async def play(stage: Stage) -> None:
        text = "INSERT INTO t VALUES (?)"  # where it is prepared it is executed, too
        reply = await stage.send(packet(b"\x16" + text.encode()))
        await stage.send(packet(b"\x16" + text.encode()))
        await stage.send(execute(int.from_bytes(reply[5:9], "little")))
        await stage.send(packet(b"\x16" + text.encode()))
        assert [data[5] for name, data in stage.log if name == "db1" and data[4] == 0x19] == [2]

    on_stage(play, numbered)


async def open_cursor(stage: Stage) -> tuple[PlannedStatement, BackendConnection]:
    """Execute a statement once, as with a cursor; return it, and where it is open."""
    await stage.send(PREPARE)
    await stage.send(execute(FIRST))
    statement = stage.client.statements.get(FIRST)
    assert statement is not None
    stage.client.cursors[statement] = stage.client.last
    return statement, stage.client.last


def test_an_execution_closes_the_cursor_before_it() -> None:
    """Wherever that was open: the next COM_STMT_FETCH is refused by the server of the execution."""

    def refusing(name: str, command: bytes) -> bytes | None:
        return error(1421) if command[4] == 0x1C else one_parameter(name, command)

    async def play(stage: Stage) -> None:
        _, holder = await open_cursor(stage)
        await stage.send(execute(FIRST))
        assert stage.client.last is not holder
        assert not stage.client.cursors
        assert stage.log[-1] == (
            holder.endpoint.server.name,
            packet(b"\x19" + CLOSED[holder.endpoint.server.name]),
        )
        fetch = packet(b"\x1c" + FIRST.to_bytes(4, "little") + b"\x01\x00\x00\x00")
        assert await stage.send(fetch) == error(1421)

    on_stage(play, refusing)


def rows_end(status: int) -> bytes:
    """Build the OK behind rows."""
    return packet(b"\xfe\x00\x00" + bytes((status,)) + b"\x00\x00\x00", 1)


def long_data() -> bytes:
    """Build a COM_STMT_SEND_LONG_DATA."""
    return packet(b"\x18" + FIRST.to_bytes(4, "little") + b"\x00\x00long")


def test_long_data_goes_to_the_next_execution_whatever_cursor_is_open() -> None:
    """A cursor of the execution before may be open on a replica: what is sent there would be lost."""

    async def play(stage: Stage) -> None:
        await open_cursor(stage)
        await stage.send(long_data())
        await stage.send(execute(FIRST))
        assert [name for name, data in stage.log if data[4] in {0x17, 0x18}][-2:] == ["db1", "db1"]

    on_stage(play, one_parameter)


def test_a_cursor_elsewhere_does_not_end_a_transaction() -> None:
    """The flags of a replica with an open cursor are not those of the session, which is in a transaction."""
    variable = b"\x00\x1e\x08sql_mode\x14NO_BACKSLASH_ESCAPES"

    def in_transaction(name: str, command: bytes) -> bytes | None:
        if command[4] == 0x1C:
            return rows_end(2)
        if command[4] == 0x1A:
            return ok(2)
        if b"BEGIN" in command:
            return ok(3)
        if b"NO_BACKSLASH_ESCAPES" in command:
            return ok(2 | 0x200, variable)
        return one_parameter(name, command)

    async def play(stage: Stage) -> None:
        statement, reader = await open_cursor(stage)
        assert await stage.send(query("BEGIN")) == ok(3)
        number = FIRST.to_bytes(4, "little")
        fetch, reset = packet(b"\x1c" + number + b"\x01\x00\x00\x00"), packet(b"\x1a" + number)
        for command, reply in ((fetch, rows_end(3)), (reset, ok(3))):
            assert await stage.send(command) == reply, "as in the transaction"
            assert stage.log[-1][0] == reader.endpoint.server.name
            assert stage.client.session.in_transaction
        assert not stage.client.cursors
        assert await stage.send(query("COMMIT")) == ok(2)
        assert stage.log[-1][0] == "db1"
        stage.client.cursors[statement] = reader
        await stage.send(query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'"))
        assert await stage.send(reset) == ok(2 | 0x200), "not those of a connection that has not followed yet"
        assert stage.client.session.no_backslash_escapes

    on_stage(play, in_transaction)


def test_a_statement_with_an_open_cursor_or_data_of_its_own_stays_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long ago it was executed: closed on the server, its rows or its data would be lost."""
    monkeypatch.setattr(prepared, "ON_A_CONNECTION", 3)
    ids = {name: itertools.count(1) for name in SERVER_IDS}

    def numbered(name: str, command: bytes) -> bytes | None:
        if command[4] == 0x16:
            return packet(b"\x00" + next(ids[name]).to_bytes(4, "little") + bytes(7), 1)
        if command[4] == 0x17:
            return ok(2 | SERVER_STATUS_CURSOR_EXISTS if command[9] else 2)
        if command[4] == 0x1C:
            return packet(
                b"\xfe\x00\x00" + (2 | SERVER_STATUS_LAST_ROW_SENT).to_bytes(2, "little") + bytes(2), 1
            )
        return script(name, command)

    async def prepare(stage: Stage) -> bytes:
        return (await stage.send(packet(b"\x16INSERT INTO t VALUES (?)")))[5:9]

    async def play(stage: Stage) -> None:
        with_cursor, with_data = await prepare(stage), await prepare(stage)
        await stage.send(packet(b"\x17" + with_cursor + b"\x01\x01\x00\x00\x00"))
        await stage.send(packet(b"\x18" + with_data + b"\x00\x00hello"))
        for _ in range(4):
            await prepare(stage)

        def closed() -> list[int]:
            return [data[5] for _, data in stage.log if data[4] == 0x19]

        assert closed() == [3, 4, 5]
        # The last rows: the cursor is closed by that.
        await stage.send(packet(b"\x1c" + with_cursor + b"\x05\x00\x00\x00"))
        await prepare(stage)
        await prepare(stage)
        assert closed() == [3, 4, 5, 6, 1]
        assert not stage.client.cursors

    on_stage(play, numbered)
