"""Causal positions."""

import pytest

from rwrouter.model import Flavor
from rwrouter.routing.consistency import Position, executed_statement, wait_statement

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


def test_a_position_is_the_union_of_what_was_written() -> None:
    """A server has it when it has each of the writes."""
    position = Position()
    assert not position
    for number in (5, 6, 9):
        position.add(f"{UUID}:{number}".encode())
    assert str(position) == f"{UUID}:5-6:9"
    assert position.covered_by(f"{UUID}:1-9")
    assert not position.covered_by(f"{UUID}:1-8")
    assert not position.covered_by("")


def test_many_writes_stay_one_set() -> None:
    """A thousand writes in a row are one interval."""
    position = Position()
    for number in range(1, 1001):
        position.add(f"{UUID}:{number}".encode())
    assert str(position) == f"{UUID}:1-1000"


def test_the_wait_speaks_each_servers_dialect() -> None:
    """MySQL waits for a set, MariaDB for a position; both give 0 when it is there."""
    position = Position()
    position.add(b"0-1-42")
    assert wait_statement(Flavor.MARIADB, position, 0.5) == b"SELECT MASTER_GTID_WAIT('0-1-42', 0.5) LIMIT 1"
    position = Position()
    position.add(f"{UUID}:7".encode())
    assert wait_statement(Flavor.MYSQL, position, 2.0).startswith(b"SELECT WAIT_FOR_EXECUTED_GTID_SET('")


def test_a_primary_is_asked_in_its_dialect() -> None:
    """MySQL has a set, MariaDB a position; as bytes in both."""
    assert b"gtid_current_pos AS BINARY" in executed_statement(Flavor.MARIADB)
    assert b"gtid_executed AS BINARY" in executed_statement(Flavor.MYSQL)


@pytest.mark.parametrize("flavor", list(Flavor))
def test_a_session_that_wants_no_rows_gets_these(flavor: Flavor) -> None:
    """With `sql_select_limit = 0` a SELECT without LIMIT has none, and every wait would seem in vain."""
    position = Position()
    position.add(b"0-1-7" if flavor is Flavor.MARIADB else f"{UUID}:7".encode())
    assert all(wait_statement(flavor, position, seconds).endswith(b" LIMIT 1") for seconds in (0, 2.0))
    assert executed_statement(flavor).endswith(b" LIMIT 1")


def test_without_time_it_only_looks() -> None:
    """MySQL's function would wait for ever with 0; MariaDB's does not wait."""
    position = Position()
    position.add(b"00000000-0000-0000-0000-000000000001:1-3")
    assert wait_statement(Flavor.MYSQL, position, 0).startswith(b"SELECT 1 - GTID_SUBSET(")
    position = Position()
    position.add(b"0-1-7")
    assert wait_statement(Flavor.MARIADB, position, 0) == b"SELECT MASTER_GTID_WAIT('0-1-7', 0) LIMIT 1"
