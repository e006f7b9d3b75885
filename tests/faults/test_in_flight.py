"""A connection to a server that breaks in each phase of a statement: what the client gets, and how often it ran."""

from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
import pytest

from tests.faults.conftest import Linked
from tests.faults.link import Fault
from tests.integration.harness import eventually

ROWS = 3
READ = "SELECT a, REPEAT('x', 200) FROM {schema}.t ORDER BY a /* {marker} */"


def arm(linked: Linked, marker: str, **what: Any) -> None:
    """Let the first statement with *marker* meet a fault, wherever it goes."""
    fault = Fault(marker.encode(), **what)
    for link in (linked.primary, linked.replica):
        link.arm(fault)


def fired(linked: Linked) -> int:
    """Return how many faults have happened."""
    return len(linked.primary.fired) + len(linked.replica.fired)


@pytest.fixture
def table(linked: Linked, schema: str) -> str:
    """Make a table of three rows, there on all servers; give its schema."""
    linked.servers.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY, b LONGBLOB)")
    linked.servers.primary.query(f"INSERT INTO {schema}.t (a) VALUES (1), (2), (3)")
    linked.servers.wait_in_sync()
    return schema


def rows_at_primary(linked: Linked, schema: str) -> int:
    """Return what the primary has committed."""
    return int(linked.servers.primary.value(f"SELECT COUNT(*) FROM {schema}.t"))


BEFORE: list[dict[str, Any]] = [
    {"forward": False},
    {"packets": 0},
    {"packets": 0, "more": 2},  # a part of the first header: the client has not had it yet
]


def test_a_read_whose_reply_had_not_begun_is_run_elsewhere(linked: Linked, table: str, marker: str) -> None:
    """Reset before the first byte, on the way there and on the way back: the client notices nothing."""
    with linked.connect() as connection, connection.cursor() as cursor:
        for number, what in enumerate(BEFORE, 1):
            arm(linked, marker, **what)
            cursor.execute(READ.format(schema=table, marker=marker))
            assert [row[0] for row in cursor.fetchall()] == [1, 2, 3]
            assert fired(linked) == 2 * number, (
                "both servers were tried, and only the third attempt was answered"
            )


# A reply to PyMySQL: column count, two definitions, EOF, three rows, EOF.
CUTS = [
    ("after the column count", 1, 0),
    ("after the first definition", 2, 0),
    ("after the definitions", 4, 0),
    ("in the first row", 4, 50),
    ("after the first row", 5, 0),
    ("after the last row, before EOF", 7, 0),
    ("in the last EOF", 7, 5),
]


@pytest.mark.parametrize(("packets", "more"), [cut[1:] for cut in CUTS], ids=[cut[0] for cut in CUTS])
def test_a_cut_result_is_never_taken_for_a_whole_one(
    linked: Linked, table: str, marker: str, packets: int, more: int
) -> None:
    """Once a part has reached the client, it gets an error or the end of its connection, whatever was missing."""
    bystander = linked.connect()
    with linked.connect() as connection, connection.cursor() as cursor:
        arm(linked, marker, packets=packets, more=more)
        with pytest.raises(pymysql.err.OperationalError):
            cursor.execute(READ.format(schema=table, marker=marker))
        assert fired(linked) == 1, "it was not run again"
    with bystander, bystander.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}.t")
        assert cursor.fetchone() == (ROWS,), "no other session notices"


def test_a_break_between_two_results_is_an_error(linked: Linked, table: str, marker: str) -> None:
    """The first result of two is whole; that the second is missing must not look like the end."""
    flag = pymysql.constants.CLIENT.MULTI_STATEMENTS
    with linked.connect(client_flag=flag) as connection, connection.cursor() as cursor:
        linked.primary.arm(Fault(marker.encode(), packets=5))
        cursor.execute(f"SELECT 1 /* {marker} */; DO 1; SELECT 2")
        assert cursor.fetchall() == ((1,),)
        with pytest.raises(pymysql.err.OperationalError):
            cursor.nextset()
    assert linked.primary.fired == [marker.encode()]


@pytest.mark.parametrize("reaches", [True, False], ids=["the server ran it", "the server never got it"])
def test_a_write_is_never_run_again(linked: Linked, table: str, marker: str, *, reaches: bool) -> None:
    """The client is told that it may have run; it is there once, or not at all."""
    with linked.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DO 1")
        linked.primary.arm(Fault(marker.encode(), forward=reaches, packets=0))
        with pytest.raises(pymysql.err.OperationalError) as caught:
            cursor.execute(f"INSERT INTO {table}.t (a) VALUES (4) /* {marker} */")
    assert caught.value.args[0] in {9605, 2013}
    assert linked.primary.fired == [marker.encode()]
    if reaches:
        eventually(lambda: rows_at_primary(linked, table) == ROWS + 1, "the server has run it")
    assert rows_at_primary(linked, table) == ROWS + reaches


@pytest.mark.parametrize("reaches", [True, False], ids=["the server ran it", "the server never got it"])
def test_a_commit_is_never_run_again(linked: Linked, table: str, marker: str, *, reaches: bool) -> None:
    """Nobody knows how it ended: the client gets an error, and the transaction is there once or not at all."""
    with linked.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT INTO {table}.t (a) VALUES (4)")
        linked.primary.arm(Fault(marker.encode(), forward=reaches, packets=0))
        with pytest.raises(pymysql.err.OperationalError) as caught:
            cursor.execute(f"COMMIT /* {marker} */")
    assert caught.value.args[0] in {9605, 2013}
    if reaches:
        eventually(lambda: rows_at_primary(linked, table) == ROWS + 1, "the server has run it")
    assert rows_at_primary(linked, table) == ROWS + reaches


def test_a_transaction_that_loses_its_connection_is_gone(linked: Linked, table: str, marker: str) -> None:
    """A read in a transaction is not run elsewhere: its transaction is not there."""
    with linked.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT INTO {table}.t (a) VALUES (4)")
        arm(linked, marker, packets=0)
        with pytest.raises(pymysql.err.OperationalError):
            cursor.execute(f"SELECT COUNT(*) FROM {table}.t /* {marker} */")
    assert linked.primary.fired == [marker.encode()]
    assert rows_at_primary(linked, table) == ROWS


def test_an_upload_that_breaks_is_an_error(linked: Linked, table: str, marker: str) -> None:
    """A prepared INSERT of 6 MB, cut after 2 MB: an error, no row, and no second attempt."""
    process = linked.process
    connection = mysql.connector.connect(
        host=process.host,
        port=process.port,
        user=process.app.user,
        password=process.app.password,
        use_pure=True,
        autocommit=True,
        ssl_disabled=True,
    )
    cursor = connection.cursor(prepared=True)
    linked.primary.arm(Fault(marker.encode(), upload=2_000_000))
    with pytest.raises(mysql.connector.Error):
        cursor.execute(f"INSERT INTO {table}.t VALUES (%s, %s)", (4, marker.encode() + bytes(6_000_000)))
    connection.close()
    assert linked.primary.fired == [marker.encode()]
    assert rows_at_primary(linked, table) == ROWS


def test_a_file_that_breaks_is_an_error(linked: Linked, table: str, marker: str, tmp_path: Path) -> None:
    """LOAD DATA LOCAL, cut in the file: an error, and not a row of it."""
    file = tmp_path / "rows"
    lines = [f"{n}\t{'x' * 100}\n" for n in range(10, 40_000)]
    lines.insert(20_000, f"5\t{marker}\n")
    file.write_text("".join(lines))
    with linked.connect(local_infile=True) as connection, connection.cursor() as cursor:
        linked.primary.arm(Fault(marker.encode(), upload=100_000))
        # PyMySQL closes its socket and then, in its clean-up, writes to it: that is its AttributeError.
        with pytest.raises((pymysql.err.MySQLError, AttributeError)):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table}.t")
    assert linked.primary.fired == [marker.encode()]
    assert rows_at_primary(linked, table) == ROWS


def test_a_byte_at_a_time_is_no_fault(linked: Linked, table: str, marker: str) -> None:
    """However a reply is cut into pieces, the client gets it whole."""
    with linked.connect() as connection, connection.cursor() as cursor:
        arm(linked, marker, drip=True)
        cursor.execute(READ.format(schema=table, marker=marker))
        assert cursor.fetchall() == tuple((n, "x" * 200) for n in (1, 2, 3))
        assert fired(linked) == 1


def test_a_wrong_sequence_id_harms_one_connection(linked: Linked, table: str, marker: str) -> None:
    """Whoever finds it, the client gets an error and no rows; others go on."""
    with linked.connect() as connection, connection.cursor() as cursor:
        arm(linked, marker, mangle=4)
        with pytest.raises(pymysql.err.MySQLError):
            cursor.execute(READ.format(schema=table, marker=marker))
    with linked.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}.t")
        assert cursor.fetchone() == (ROWS,)
