"""What replies teach: where a session lives, what it keeps, which writes it must see."""

import pytest

from rwrouter.model import Flavor
from rwrouter.protocol.flags import CLIENT_DEPRECATE_EOF
from rwrouter.protocol.response import Reply
from rwrouter.protocol.resultset import build_text_result
from rwrouter.proxy.learning import needs_primary
from rwrouter.sql.classifier import Classifier
from tests.unit.blocks import variable
from tests.unit.proxy.stage import CAPABILITIES, Stage, by_name, error, ok, on_stage, query, row

READERS = {row("db2"), row("db3")}


def test_reads_go_to_replicas_though_the_session_has_user_variables() -> None:
    """They are on the primary's connection, and what mentions one goes there."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SET @x = 1"))
        assert await stage.send(query("SELECT 1")) in READERS
        assert await stage.send(query("SELECT @x")) == row("db1")
        assert await stage.send(query("SELECT shop.f() /* rwrouter: replica */")) == row("db1")
        assert stage.client.session.keeps

    on_stage(play)


@pytest.mark.parametrize(
    ("sql", "is_over"),
    [
        ("SELECT a FROM t", True),
        ("SELECT a FROM `a b`", True),
        ("DELETE FROM t", True),
        ("SELECT 1", False),
        ("SELECT * FROM (SELECT 1) AS x", False),
        ("WITH x AS (SELECT 1 AS n) SELECT * FROM x", False),
        ("SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (x INT PATH '$')) AS j", False),
        ("SELECT * FROM information_schema.tables", False),
    ],
)
def test_what_set_transaction_holds_for(sql: str, is_over: bool) -> None:
    """For the next statement that takes part in a transaction; in doubt it holds on, and the primary is asked."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SET TRANSACTION READ ONLY"))
        await stage.send(query(sql))
        assert stage.client.session.free is is_over

    on_stage(play)


def test_a_session_ends_with_the_connection_that_has_its_variables() -> None:
    """As with the server that it would be; without any, the next statement takes a new connection."""

    async def play(stage: Stage, sql: str, ended: bool) -> None:
        await stage.send(query(sql))
        stage.opened["db1"].connection_lost(None)
        assert stage.transport.closed == ended

    on_stage(lambda stage: play(stage, "SET @x = 1", ended=True))
    on_stage(lambda stage: play(stage, "PREPARE s FROM 'SELECT 1'", ended=True))
    on_stage(lambda stage: play(stage, "UPDATE t SET a=1", ended=False))


def test_a_lost_insert_id_is_never_told_as_none() -> None:
    """LAST_INSERT_ID() would be 0 on a new connection: the client learns that it is lost."""
    inserted = b"\x07\x00\x00\x01\x00\x01\x05\x02\x00\x00\x00"

    async def play(stage: Stage) -> None:
        await stage.send(query("INSERT INTO t VALUES (NULL)"))
        stage.opened["db1"].connection_lost(None)
        assert await stage.send(query("SELECT 1")) in READERS
        assert b"insert id was lost" in await stage.send(query("SELECT LAST_INSERT_ID()"))
        assert stage.transport.closed

    on_stage(play, lambda name, command: inserted if b"INSERT INTO" in command else by_name(name, command))


def test_after_an_error_of_a_write_the_primary_is_asked_for_its_position() -> None:
    """A procedure that failed may have committed before: the next read has to see that."""
    gtids = "00000000-0000-0000-0000-000000000001:1-9"

    def script(name: str, command: bytes) -> bytes | None:
        if b"CALL" in command:
            return error(1644)
        return row(gtids) if b"gtid_executed" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a=1"))
        await stage.send(query("UPDATE u SET a=1 /* fails */"))
        assert not stage.sent(b"gtid_executed")
        stage.script = lambda name, command: error(1062) if b"UPDATE" in command else script(name, command)
        await stage.send(query("UPDATE t SET a=1"))
        assert await stage.send(query("SELECT 1")) in READERS
        assert await stage.send(query("SELECT 1")) in READERS
        assert stage.sent(b"gtid_executed") == ["db1"]

    on_stage(play, script)


def test_a_role_follows_the_session() -> None:
    """The statement that set it is run on each other connection before its next statement."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SELECT 1"))
        await stage.send(query("SET ROLE reader"))
        for _ in range(4):
            assert await stage.send(query("SELECT 1")) in READERS
        assert sorted(stage.sent(b"SET ROLE")) == ["db1", "db2", "db3"]

    on_stage(play)


@pytest.mark.parametrize(
    ("sql", "moves"),
    [
        ("INSERT INTO t VALUES (1)", True),
        ("SELECT GET_LOCK('a', 1)", True),
        ("SELECT a FROM t FOR UPDATE", True),
        ("SELECT LAST_INSERT_ID()", True),
        ("BEGIN", True),
        ("LOCK TABLES t READ", True),
        ("SET autocommit=0", True),
        ("CALL p()", True),
        ("SELECT a INTO @x FROM t", False),
        ("SET time_zone='+00:00'", False),
        ("USE shop", False),
        ("SELECT a FROM t", False),
        ("SHOW WARNINGS", False),
        ("SAVEPOINT s", False),
        ("COMMIT", False),
    ],
)
def test_what_a_reading_transaction_on_a_replica_can_hold(sql: str, moves: bool) -> None:
    """What is brought to the primary after it stays; locks, writes and names do not."""
    assert needs_primary(Classifier(Flavor.MYSQL).plan(sql.encode())) is moves


def test_ok() -> None:
    """The stage's OK is what servers send."""
    assert ok()[4] == 0


def test_a_collation_is_learned_where_it_was_set() -> None:
    """Also where the session has moved on since: SET NAMES x COLLATE y is told without its y."""
    names = variable(b"character_set_connection", b"utf8mb4")

    def script(name: str, command: bytes) -> bytes | None:
        if b"SET NAMES" in command:
            return ok(state=names)
        if b"SELECT @@collation_connection" in command:
            return row("utf8mb4_bin")
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("SET NAMES utf8mb4 COLLATE utf8mb4_bin"))
        stage.client.session.version += 1
        assert await stage.send(query("SELECT a FROM t")) in READERS
        assert stage.sent(b"SELECT @@collation_connection") == ["db1"]
        assert any(b"utf8mb4_bin" in data for name, data in stage.log if name != "db1")

    on_stage(play, script)


def test_a_read_that_has_written_after_all_is_seen_by_the_next() -> None:
    """By a function that a view calls. Of an EOF packet only a flag tells, and no position: the primary is asked."""
    eofs = CAPABILITIES & ~CLIENT_DEPRECATE_EOF

    def script(name: str, command: bytes) -> bytes | None:
        if b"FROM vw" in command:
            result = build_text_result(["x"], [["1"]], eofs)
            return result[:-1] + bytes((result[-1] | 0x40,))
        return (
            row("00000000-0000-0000-0000-000000000001:1-9") if b"gtid" in command else by_name(name, command)
        )

    async def play(stage: Stage) -> None:
        await stage.send(query("SET sql_notes = 1"))
        stage.opened["db1"].reply = Reply(eofs)
        assert (await stage.send(query("SELECT x FROM vw /* rwrouter: primary */")))[-1] == 0
        assert stage.client.session.position_unknown
        assert stage.client.session.writes == 1

    on_stage(play, script)
