"""Connection ids in results."""

import pytest

from rwrouter.protocol.flags import CLIENT_DEPRECATE_EOF, CLIENT_OPTIONAL_RESULTSET_METADATA
from rwrouter.protocol.resultset import Heading, build_ok, build_result
from rwrouter.protocol.thread_ids import renumber

COLUMNS = (Heading("Id", is_number=True), Heading("User"))
IDS = {7: 1 << 30, 300: 5}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    "capabilities", [0, CLIENT_DEPRECATE_EOF, CLIENT_DEPRECATE_EOF | CLIENT_OPTIONAL_RESULTSET_METADATA]
)
def test_ids_in_the_first_column_are_replaced(capabilities: int, binary: bool) -> None:
    """Those that are known, in rows of either protocol; nothing else changes."""

    def result(*ids: int) -> bytes:
        rows = [(number, "7") for number in ids]
        return build_result(COLUMNS, rows, capabilities, status=2, binary=binary)

    assert renumber(result(7, 8, 300), IDS, capabilities, binary=binary) == result(1 << 30, 8, 5)


def test_what_is_no_list_of_ids_is_left_alone() -> None:
    """OK, an error, a text that is no number, no rows."""
    for reply in (
        build_ok(2),
        b"\x05\x00\x00\x01\xff\x10\x04no",
        build_result((Heading("x"),), [("seven",), (None,)], 0, status=2),
        build_result(COLUMNS, [], 0, status=2),
        b"",
    ):
        assert renumber(reply, IDS, 0, binary=False) == reply


def test_rows_without_definitions_are_left_alone() -> None:
    """A client that asked for no metadata gets none here either."""
    reply = b"\x02\x00\x00\x01\x01\x00\x02\x00\x00\x02\x017\x07\x00\x00\x03\xfe\x00\x00\x02\x00\x00\x00"
    assert (
        renumber(reply, IDS, CLIENT_DEPRECATE_EOF | CLIENT_OPTIONAL_RESULTSET_METADATA, binary=False) == reply
    )
