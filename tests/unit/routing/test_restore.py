"""Bringing a connection to a session's state."""

import pytest

from rwrouter.routing.restore import assignments, literal


@pytest.mark.parametrize(
    ("value", "sql"),
    [(b"28800", b"28800"), (b"-1.5", b"-1.5"), (b"it's", b"'it''s'"), (b"a\\b", b"0x615c62"), (b"", b"''")],
)
def test_literals(value: bytes, sql: bytes) -> None:
    """Numbers stay numbers; text is safe in every sql_mode."""
    assert literal(value) == sql


def test_only_what_differs_is_set_character_sets_first() -> None:
    """A collation comes after its character set, which would reset it; NULL results are NULL."""
    wanted = {
        b"collation_connection": b"utf8mb4_bin",
        b"character_set_connection": b"utf8mb4",
        b"character_set_results": b"",
        b"sql_mode": b"ANSI",
        b"time_zone": b"+00:00",
    }
    assert assignments(wanted, {b"time_zone": b"+00:00"}) == [
        b"@@SESSION.character_set_results=NULL",
        b"@@SESSION.character_set_connection='utf8mb4'",
        b"@@SESSION.collation_connection='utf8mb4_bin'",
        b"@@SESSION.sql_mode='ANSI'",
    ]


def test_one_character_set_is_set_by_its_names() -> None:
    """SET NAMES gives results its collation, too; where the three differ, each is set alone."""
    wanted = {
        b"character_set_client": b"utf8mb4",
        b"character_set_results": b"utf8mb4",
        b"character_set_connection": b"utf8mb4",
        b"collation_connection": b"utf8mb4_bin",
        b"sql_mode": b"",
    }
    assert assignments(wanted, {}) == [b"NAMES utf8mb4 COLLATE utf8mb4_bin", b"@@SESSION.sql_mode=''"]
    assert assignments(wanted, wanted) == []
    assert len(assignments(wanted | {b"character_set_results": b""}, {})) == 5
