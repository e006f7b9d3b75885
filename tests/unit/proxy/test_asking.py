"""RWROUTER statements, as text and prepared."""

import pytest

from rwrouter.protocol.flags import COM_RESET_CONNECTION, COM_STMT_CLOSE, COM_STMT_FETCH, COM_STMT_RESET
from tests.unit.proxy.reading import items_of, payloads_of, rows_of
from tests.unit.proxy.stage import CAPABILITIES, Stage, by_name, ok, on_stage, packet, query, row


def prepare(sql: str) -> bytes:
    """Build a COM_STMT_PREPARE."""
    return packet(b"\x16" + sql.encode())


def execute(number: int) -> bytes:
    """Build a COM_STMT_EXECUTE without parameters."""
    return packet(b"\x17" + number.to_bytes(4, "little") + b"\x00\x01\x00\x00\x00")


def on(command: int, number: int) -> bytes:
    """Build another COM_STMT_* command."""
    return packet(bytes((command,)) + number.to_bytes(4, "little"))


def test_help_lists_all_and_no_server_hears_of_it() -> None:
    """The list has each statement; the servers are sent nothing."""

    async def play(stage: Stage) -> None:
        stage.log.clear()
        found = rows_of(await stage.send(query("rwrouter help;")), CAPABILITIES)
        assert (
            "RWROUTER SHOW SESSION",
            "this session: what ties it, what it carries, its connections",
        ) in found
        assert stage.log == []

    on_stage(play)


@pytest.mark.parametrize(
    "sql",
    ["RWROUTER", "RWROUTER SHOW TABLES", "RWROUTER 'x", "SELECT 1; RWROUTER HELP", "RWROUTER HELP; SELECT 1"],
)
def test_what_is_not_known_is_the_routers_own_error(sql: str) -> None:
    """Number 9607; the session goes on, and no server saw the statement."""

    async def play(stage: Stage) -> None:
        stage.log.clear()
        reply = await stage.send(query(sql))
        assert int.from_bytes(reply[5:7], "little") == 9607
        assert stage.log == []
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}

    on_stage(play)


def test_an_answer_in_a_transaction_says_so() -> None:
    """The status flags of an answer are those of the session: a driver would else think that it had ended."""

    def script(name: str, command: bytes) -> bytes | None:
        return ok(3) if b"BEGIN" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("BEGIN"))
        for sql in ("RWROUTER SHOW SESSION", "RWROUTER SET max_lag = 1s"):
            last = payloads_of(await stage.send(query(sql)))[-1]
            assert last[3:5] == b"\x03\x00", sql

    on_stage(play, script)


def test_set_moves_the_sessions_reads_until_a_reset() -> None:
    """`primary` sends reads to the primary; DEFAULT and COM_RESET_CONNECTION bring them back."""

    async def play(stage: Stage) -> None:
        replicas = {row("db2"), row("db3")}
        assert await stage.send(query("RWROUTER SET consistency = 'primary'")) == ok()
        assert await stage.send(query("SELECT 1")) == row("db1")
        assert await stage.send(query("RWROUTER SET consistency = DEFAULT")) == ok()
        assert await stage.send(query("SELECT 1")) in replicas
        await stage.send(query("RWROUTER SET consistency = 'primary', max_lag = 1s"))
        await stage.send(packet(bytes((COM_RESET_CONNECTION,))))
        assert await stage.send(query("SELECT 1")) in replicas
        assert stage.client.terms.max_lag is None

    on_stage(play)


def test_a_stricter_level_asks_anew_who_has_the_writes() -> None:
    """What `eventual` did not care about is not believed at `session`."""
    gtid = "00000000-0000-0000-0000-000000000001:10"
    report = bytes((3, len(gtid) + 2, 0, len(gtid))) + gtid.encode()

    def script(name: str, command: bytes) -> bytes | None:
        if b"WAIT_FOR" in command:
            return row("0")
        return ok(state=report) if b"INSERT" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("RWROUTER SET consistency = 'eventual'"))
        await stage.send(query("INSERT INTO t VALUES (1)"))
        for _ in range(2):
            await stage.send(query("SELECT 1"))
        assert stage.sent(b"WAIT_FOR") == []
        await stage.send(query("RWROUTER SET consistency = 'session'"))
        for _ in range(2):
            await stage.send(query("SELECT 1"))
        assert sorted(stage.sent(b"WAIT_FOR")) == ["db2", "db3"]

    on_stage(play, script)


def test_prepared() -> None:
    """PREPARE tells columns, EXECUTE gives rows; reset, fetch and close are answered; no server takes part."""

    async def play(stage: Stage) -> None:
        stage.log.clear()
        head, *columns = payloads_of(await stage.send(prepare("RWROUTER SHOW SERVERS")))
        number = int.from_bytes(head[1:5], "little")
        assert (head[0], head[5:9]) == (0, b"\x0f\x00\x00\x00")
        assert len(columns) == 15
        rows = payloads_of(await stage.send(execute(number)))
        assert [payload[:1] for payload in rows[16:19]] == [b"\x00"] * 3
        assert b"\x03db1" in rows[16]
        assert await stage.send(on(COM_STMT_RESET, number)) == ok()
        assert int.from_bytes((await stage.send(on(COM_STMT_FETCH, number) + b""))[5:7], "little") == 1421
        assert await stage.send(on(COM_STMT_CLOSE, number)) == b""
        assert int.from_bytes((await stage.send(prepare("RWROUTER NONSENSE")))[5:7], "little") == 9607
        assert stage.log == []

    on_stage(play)


def test_a_prepared_set() -> None:
    """It has no columns, and works when executed."""

    async def play(stage: Stage) -> None:
        head = payloads_of(await stage.send(prepare("RWROUTER SET consistency = 'primary'")))
        assert len(head) == 1
        assert await stage.send(execute(int.from_bytes(head[0][1:5], "little"))) == ok()
        assert stage.client.consistency == "primary"

    on_stage(play)


def test_one_that_never_ends_is_refused() -> None:
    """A text past the limit is not passed on; the connection ends, because its rest is still to come."""

    async def play(stage: Stage) -> None:
        stage.log.clear()
        head = b"\x03RWROUTER EXPLAIN SELECT '" + b"x" * 70_000
        reply = await stage.send((1 << 22).to_bytes(3, "little") + b"\x00" + head)
        assert int.from_bytes(reply[5:7], "little") == 9607
        assert stage.log == []
        assert stage.transport.closed

    on_stage(play)


def test_explain_takes_one_statement() -> None:
    """Two in one packet would have two results."""

    async def play(stage: Stage) -> None:
        reply = await stage.send(query("RWROUTER EXPLAIN SELECT 1; SELECT 2"))
        assert int.from_bytes(reply[5:7], "little") == 9607
        assert (
            items_of(await stage.send(query("RWROUTER EXPLAIN SELECT ';' ;")), CAPABILITIES)["target"]
            == "replica"
        )

    on_stage(play)


def test_a_denied_statement_reaches_no_server() -> None:
    """Text, prepared, or too long to be kept: the client gets the rule's message."""

    async def play(stage: Stage) -> None:
        stage.log.clear()
        for data in (query("DROP TABLE t"), prepare("DROP TABLE t")):
            reply = await stage.send(data)
            assert int.from_bytes(reply[5:7], "little") == 9608
            assert b"not here" in reply
        head = b"\x03INSERT INTO audit VALUES ('" + b"x" * 70_000
        assert b"not here" in await stage.send((1 << 22).to_bytes(3, "little") + b"\x00" + head)
        assert stage.log == []

    on_stage(play, rules=[{"regex": "^drop|audit", "deny": "not here"}])


def test_rules_follow_the_schema() -> None:
    """A rule for a schema holds while that is the current one."""
    state = bytes((1, 5, 4)) + b"shop"

    def script(name: str, command: bytes) -> bytes | None:
        return ok(state=state) if b"USE" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        assert await stage.send(query("SELECT a FROM t")) != row("db1")
        await stage.send(query("USE shop"))
        assert await stage.send(query("SELECT a FROM t")) == row("db1")
        assert stage.client.terms.max_lag == 3.0
        found = items_of(await stage.send(query("RWROUTER EXPLAIN SELECT a FROM t")), CAPABILITIES)
        assert found["rule"] == "rule 1"

    rules = [{"database": "shop", "target": "primary"}, {"database": "shop", "max_lag": "3s"}]
    on_stage(play, script, rules=rules)
