"""What a session carries."""

import pytest

from rwrouter.routing.session import Session
from rwrouter.sql import plans
from tests.unit.blocks import variable

AUTOCOMMIT, IN_TRANS = 2, 1


@pytest.mark.parametrize(
    ("case", "status", "free"),
    [
        ("autocommit", AUTOCOMMIT, True),
        ("a transaction", AUTOCOMMIT | IN_TRANS, False),
        ("autocommit off", 0, False),
        ("a read-only transaction", AUTOCOMMIT | IN_TRANS | 0x2000, False),
        ("flags of one statement", AUTOCOMMIT | 0x20 | 0x800, True),
    ],
)
def test_the_servers_flags_decide(case: str, status: int, free: bool) -> None:
    """Whether the session is free comes from the status flags, not from the text."""
    session = Session()
    session.on_reply(0, status, ())
    assert session.free is free, case


@pytest.mark.parametrize(
    "effect",
    [
        plans.TEMPORARY_TABLE,
        plans.NAMED_LOCK,
        plans.CONNECTION_STATE,
        plans.NEXT_STATEMENT,
    ],
)
def test_what_can_not_be_carried_pins(effect: int) -> None:
    """It pins until the session is reset."""
    session = Session()
    session.on_reply(effect, AUTOCOMMIT, ())
    assert not session.free
    session.on_reply(0, AUTOCOMMIT, ())
    assert not session.free
    session.reset()
    assert session.free


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (plans.LOCKS_TABLES, plans.UNLOCKS_TABLES),
        (plans.LOCKS_INSTANCE, plans.UNLOCKS_INSTANCE),
        (plans.BACKUP_STAGE, plans.ENDS_BACKUP),
        (plans.XA_BEGINS, plans.XA_ENDS),
        (plans.NEXT_STATEMENT, plans.SYSTEM_TIME),
    ],
)
def test_what_one_statement_ends_is_lifted(begin: int, end: int) -> None:
    """LOCK TABLES until UNLOCK TABLES, XA START until XA COMMIT."""
    session = Session()
    session.on_reply(begin, AUTOCOMMIT, ())
    assert not session.free
    session.on_reply(end, AUTOCOMMIT, ())
    assert session.free
    session.on_reply(begin | end | plans.SEVERAL_STATEMENTS, AUTOCOMMIT, ())
    assert not session.free, "nobody tells which came last"


def test_variables_are_remembered_and_numbered() -> None:
    """A change is a new version; the same value again is none."""
    session = Session()
    session.on_reply(plans.SETS_VARIABLE, AUTOCOMMIT, [variable(b"time_zone", b"+00:00")])
    assert session.variables == {b"time_zone": b"+00:00"}
    version = session.version
    session.on_reply(plans.SETS_VARIABLE, AUTOCOMMIT, [variable(b"time_zone", b"+00:00")])
    assert session.version == version


def test_modes_that_change_how_sql_is_read() -> None:
    """ANSI_QUOTES by the tracker, NO_BACKSLASH_ESCAPES by the status flag."""
    session = Session()
    session.on_reply(0, AUTOCOMMIT, [variable(b"sql_mode", b"ANSI_QUOTES,STRICT_TRANS_TABLES")])
    assert session.ansi_quotes
    session.on_reply(0, AUTOCOMMIT | 0x200, ())
    assert session.no_backslash_escapes
    assert session.mode_version == 2


def test_schemas_that_describe_one_server() -> None:
    """A name without a schema may be a table there, so reads stay on the primary as long as it is the current one."""
    session = Session(b"performance_schema")
    assert not session.free
    session.on_reply(plans.SCHEMA, AUTOCOMMIT, [b"\x01\x05\x04shop"])
    assert session.free
    session.on_reply(plans.SCHEMA, AUTOCOMMIT, [b"\x01\x06\x05mysql"])
    assert not session.free


def test_serializable_reads_lock() -> None:
    """They go where the writes go, as long as the level holds."""
    session = Session()
    session.on_reply(0, AUTOCOMMIT, [variable(b"transaction_isolation", b"SERIALIZABLE")])
    assert not session.free
    session.on_reply(0, AUTOCOMMIT, [variable(b"transaction_isolation", b"REPEATABLE-READ")])
    assert session.free


def test_set_transaction_holds_for_one_transaction() -> None:
    """It pins from SET TRANSACTION to the end of the next transaction."""
    session = Session()
    session.on_reply(plans.NEXT_TRANSACTION, AUTOCOMMIT, ())
    assert not session.free
    session.on_reply(plans.BEGINS, AUTOCOMMIT | IN_TRANS, ())
    session.on_reply(0, AUTOCOMMIT | IN_TRANS, ())
    assert not session.free
    session.on_reply(plans.ENDS, AUTOCOMMIT, ())
    assert session.free


def test_writes_are_counted_by_their_gtids() -> None:
    """MySQL sends a tracker of its own, MariaDB a variable."""
    gtid = b"3e11fa47-71ca-11e1-9e33-c80aa9429562:23"
    session = Session()
    session.on_reply(0, AUTOCOMMIT, [b"\x03" + bytes((len(gtid) + 2, 0, len(gtid))) + gtid])
    session.on_reply(0, AUTOCOMMIT, [variable(b"last_gtid", b"0-1-7")])
    session.on_reply(0, AUTOCOMMIT, [variable(b"last_gtid", b"")])
    assert session.writes == 2


def test_an_error_keeps_what_may_have_been_set() -> None:
    """A lock may have been taken before the statement failed."""
    session = Session()
    session.on_error(plans.NAMED_LOCK)
    assert not session.free


def test_what_ties_a_session_has_names() -> None:
    """Each reason that it is not free is named; a free session has none."""
    session = Session()
    assert session.ties() == []
    session.on_reply(
        plans.TEMPORARY_TABLE | plans.NAMED_LOCK, IN_TRANS, [variable(b"tx_isolation", b"SERIALIZABLE")]
    )
    assert session.ties() == [
        "temporary_table",
        "named_lock",
        "transaction",
        "autocommit_off",
        "serializable",
    ]
    assert Session(b"sys").ties() == ["server_schema"]


@pytest.mark.parametrize("effect", [plans.USER_VARIABLE, plans.PREPARES, plans.HANDLER_OPENS])
def test_what_is_kept_ties_nothing_else(effect: int) -> None:
    """It lives on the primary's connection; reads go where they went before, until a reset."""
    session = Session()
    session.on_reply(effect, AUTOCOMMIT, (), ["x"])
    assert session.free
    assert session.keeps == effect
    session.reset()
    assert session.keeps == 0


def test_names_end_pins() -> None:
    """Of temporary tables, prepared statements and HANDLERs; named locks by their number."""
    session = Session(b"shop")
    session.on_reply(plans.TEMPORARY_TABLE, AUTOCOMMIT, (), ["a"])
    assert session.ties() == ["temporary_table"]
    session.on_reply(plans.DROPS_TABLE, AUTOCOMMIT, (), ["shop.a"])
    assert session.free
    session.on_reply(plans.PREPARES, AUTOCOMMIT, (), ["s"])
    session.on_reply(plans.DEALLOCATES, AUTOCOMMIT, (), ["s"])
    assert session.keeps == 0
    session.on_reply(plans.NAMED_LOCK | plans.ONE_LOCK_CALL, AUTOCOMMIT, (), lock=1)
    assert session.ties() == ["named_lock"]
    session.on_reply(plans.RELEASES_LOCK | plans.ONE_LOCK_CALL, AUTOCOMMIT, (), lock=1)
    assert session.free


def test_state_that_a_routine_makes_pins() -> None:
    """The tracker of state says that there is something, and nobody says what."""
    session = Session()
    session.on_reply(plans.MAY_WRITE | plans.RUNS_UNSEEN, AUTOCOMMIT, [b"\x02\x02\x01\x31"])
    assert session.ties() == ["hidden_state"]
    told = Session()
    told.on_reply(plans.SETS_VARIABLE | plans.MAY_WRITE, AUTOCOMMIT, [b"\x02\x02\x01\x31"])
    assert told.free


def test_an_error_may_have_written() -> None:
    """A procedure that fails has perhaps committed: its position is unknown, and so is what it left behind."""
    session = Session()
    session.on_error(plans.MAY_WRITE | plans.RUNS_UNSEEN)
    assert session.position_unknown
    assert session.writes == 1
    assert session.ties() == ["hidden_state"]
    one = Session()
    one.on_error(plans.NAMED_LOCK | plans.ONE_LOCK_CALL)
    assert one.free, "GET_LOCK that failed has taken no lock"
    several = Session()
    several.on_error(
        plans.SEVERAL_STATEMENTS | plans.TEMPORARY_TABLE, [variable(b"last_gtid", b"0-1-7")], ["?"]
    )
    assert several.ties() == ["temporary_table"]
    assert several.writes == 1


def test_set_transaction_waits_for_a_statement_with_tables() -> None:
    """What reads no table begins no transaction; while it waits, each reply has something to teach."""
    session = Session()
    session.on_reply(plans.NEXT_TRANSACTION, AUTOCOMMIT, ())
    assert session.settled != session.status
    session.on_reply(0, AUTOCOMMIT, ())
    assert not session.free
    session.on_reply(plans.USES_TABLES, AUTOCOMMIT, ())
    assert session.free
    assert session.settled == session.status


def test_variables_beside_those_of_one_statement_are_the_sessions() -> None:
    """Others in the packet of a SET STATEMENT may set variables that last; nobody tells them apart: it is tied."""
    session = Session()
    effects = plans.OWN_VARIABLES | plans.SEVERAL_STATEMENTS | plans.SETS_VARIABLE
    session.on_reply(effects, AUTOCOMMIT, [variable(b"sql_select_limit", b"2")])
    assert not session.free
    session = Session()
    session.on_reply(effects, AUTOCOMMIT, [])
    assert session.free


def test_another_collation_of_the_same_character_set() -> None:
    """SET NAMES utf8mb4, then SET NAMES utf8mb4 COLLATE utf8mb4_bin: told alike, and no connection has it yet."""
    session = Session()
    names = variable(b"character_set_connection", b"utf8mb4")
    session.on_reply(plans.SETS_VARIABLE, AUTOCOMMIT, [names])
    version = session.version
    session.on_reply(plans.SETS_VARIABLE, AUTOCOMMIT, [names])
    assert session.version > version
    assert not session.knows_collation


def test_flags_before_an_error_count() -> None:
    """Several statements, of which one fails, may have switched autocommit off, or begun a transaction."""
    session = Session()
    session.on_error(plans.SEVERAL_STATEMENTS | plans.SEVERAL_RESULTS, status=IN_TRANS)
    assert not session.free
    assert session.in_transaction
    session = Session()
    session.on_error(plans.WRITES, status=IN_TRANS)
    assert session.free, "one statement alone says nothing before its error"


def test_a_routine_that_failed_tells_nothing_of_schema_and_modes() -> None:
    """Its results speak of those that it runs in; what it has written counts."""
    schema = b"\x01\x06\x05other"
    session = Session(b"shop")
    version = session.version
    session.on_error(plans.RUNS_UNSEEN | plans.MAY_WRITE, [schema])
    assert session.schema == b"shop"
    assert session.version == version
    session.on_error(plans.SEVERAL_STATEMENTS, [schema])
    assert session.schema == b"other"


def test_variables_of_one_statement_are_not_the_sessions() -> None:
    """MariaDB's SET STATEMENT … FOR: they are told, and that they are put back is not."""
    session = Session()
    version = session.version
    session.on_reply(plans.OWN_VARIABLES, AUTOCOMMIT, [variable(b"sql_mode", b"ANSI_QUOTES")])
    assert not session.variables
    assert session.version == version
