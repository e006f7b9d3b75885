"""User variables as SQL: each type of value comes back as what it was."""

import pytest

from rwrouter.protocol.resultset import Column
from rwrouter.routing.user_variables import assignment, question

STRING = Column(251, 0)


def test_the_question_asks_for_bytes_and_collation() -> None:
    """Names are quoted."""
    assert question(["@a", "@b`c"]) == (
        b"SELECT @`a`, HEX(CAST(@`a` AS BINARY)), COLLATION(@`a`), "
        b"@`b``c`, HEX(CAST(@`b``c` AS BINARY)), COLLATION(@`b``c`) LIMIT 1"
    )


@pytest.mark.parametrize(
    ("column", "value", "digits", "collation", "text"),
    [
        (Column(8, 128), b"-5", b"2D35", b"binary", b"CAST(-5 AS SIGNED)"),
        (Column(8, 32), b"7", b"37", b"binary", b"CAST(7 AS UNSIGNED)"),
        (Column(246, 0), b"1.50", b"", b"binary", b"CAST('1.50' AS DECIMAL(65,2))"),
        (Column(246, 0), b"-3", b"", b"binary", b"CAST('-3' AS DECIMAL(65,0))"),
        (Column(5, 0), b"1.5", b"", b"binary", b"1.5e0"),
        (Column(5, 0), b"1e100", b"", b"binary", b"1e100"),
        (STRING, b"\xe4", b"E4", b"latin1_swedish_ci", b"_latin1 x'E4' COLLATE latin1_swedish_ci"),
        (STRING, b"", b"", b"binary", b"_binary x''"),
        (STRING, None, None, b"binary", b"_binary x'', @`x` = NULL"),
        (STRING, None, None, b"latin1_bin", b"_latin1 x'' COLLATE latin1_bin, @`x` = NULL"),
        (Column(8, 32), None, None, b"binary", b"CAST(0 AS UNSIGNED), @`x` = NULL"),
        (Column(246, 0), None, None, b"binary", b"CAST('0' AS DECIMAL(65,0)), @`x` = NULL"),
        (Column(5, 0), None, None, b"binary", b"0e0, @`x` = NULL"),
    ],
)
def test_a_value_keeps_its_type(
    column: Column, value: bytes | None, digits: bytes | None, collation: bytes, text: bytes
) -> None:
    """Sign, scale, bytes and collation."""
    row = [value, digits, collation]
    assert assignment(["@x"], [column, STRING, STRING], row) == b"SET @`x` = " + text


@pytest.mark.parametrize("column", [Column(253, 128, 65532), Column(251, 128, 1 << 24)])
def test_what_was_never_set_stays_so(column: Column) -> None:
    """GET DIAGNOSTICS of a condition that is not there sets nothing: the other server may have a value."""
    seven = Column(8, 128)
    row = [None, None, b"binary", b"7", b"37", b"binary"]
    columns = [column, STRING, STRING, seven, STRING, STRING]
    assert assignment(["@x", "@y"], columns, row) == b"SET @`y` = CAST(7 AS SIGNED)"
    assert assignment(["@x"], columns[:3], row[:3]) == b""
