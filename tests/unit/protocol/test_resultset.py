"""The router's own small result sets."""

import pytest

from rwrouter.protocol import response
from rwrouter.protocol.flags import (
    CLIENT_DEPRECATE_EOF,
    CLIENT_OPTIONAL_RESULTSET_METADATA,
    COM_QUERY,
    COM_STMT_EXECUTE,
    MARIADB_CLIENT_EXTENDED_METADATA,
)
from rwrouter.protocol.framing import frames
from rwrouter.protocol.response import Reply
from rwrouter.protocol.resultset import (
    Column,
    Encoding,
    Heading,
    Row,
    build_ok,
    build_result,
    build_text_result,
    first_number,
    first_value,
    read_text_result,
    with_status,
)


@pytest.mark.parametrize("capabilities", [0, CLIENT_DEPRECATE_EOF])
@pytest.mark.parametrize(
    ("value", "text"),
    [(0, b"0"), (None, None), ("db1", b"db1"), ("x" * 251, b"x" * 251), ("y" * 70000, b"y" * 70000)],
)
def test_what_is_built_can_be_read(capabilities: int, value: str | int | None, text: bytes | None) -> None:
    """A built result set is one whole reply, and its first value comes out again."""
    data = build_text_result(["a", "b"], [[value, 2], ["x", None]], capabilities)
    reply = Reply(capabilities)
    reply.begin(COM_QUERY)
    assert reply.receive(data) == data
    assert reply.state == response.DONE
    assert first_value(data, capabilities) == text


@pytest.mark.parametrize("eof", [0, CLIENT_DEPRECATE_EOF])
def test_flags_are_put_in(eof: int) -> None:
    """Those of the mask, in each EOF and the last OK; an error has none."""
    reply = build_text_result(["a"], [["1"], ["2"]], eof, status=0x22)
    wanted = build_text_result(["a"], [["1"], ["2"]], eof, status=0x21)
    assert with_status(reply, 0x2001, 0x0003) == wanted
    assert with_status(build_ok(0x2), 0x1, 0x3) == build_ok(0x1)
    failed = b"\x05\x00\x00\x01\xff\x15\x04no"
    assert with_status(failed, 1, 3) == failed


def test_no_rows() -> None:
    """An empty result set has no first value."""
    assert first_value(build_text_result(["a"], [], 0), 0) is None


@pytest.mark.parametrize("capabilities", [0, CLIENT_DEPRECATE_EOF])
def test_all_of_a_result_is_read(capabilities: int) -> None:
    """Rows with NULL and long values; numbers are told from text by their columns."""
    data = build_text_result(["a", "b"], [[1, "x" * 300], [2, None]], capabilities)
    columns, rows = read_text_result(data, capabilities)
    assert columns == [Column(8, 0x81, 1024), Column(253, 1, 1024)]
    assert rows == [[b"1", b"x" * 300], [b"2", None]]
    assert read_text_result(frames([b"\x00\x00\x00\x02\x00\x00\x00"], 1), capabilities) == ([], [])


@pytest.mark.parametrize("capabilities", [0, CLIENT_DEPRECATE_EOF])
def test_the_only_number_of_a_result(capabilities: int) -> None:
    """Text or binary; anything else has none."""
    for value in (0, 1, 77):
        assert first_number(build_text_result(["a"], [[value]], capabilities), capabilities) == value
    assert first_number(build_text_result(["a"], [[None]], capabilities), capabilities) == -1
    for rows in ([[1], [2]], [["x"]], []):
        assert first_number(build_text_result(["a"], rows, capabilities), capabilities) is None
    assert first_number(build_text_result(["a", "b"], [[1, 2]], capabilities), capabilities) is None
    text = build_text_result(["a"], [["x"]], capabilities)
    binary = text.replace(b"\x02\x00\x00" + text[text.index(b"\x01x") - 1 :][:1] + b"\x01x", b"", 1)
    assert first_number(binary[:-3], capabilities) is None
    row = b"\x00\x00" + (1).to_bytes(8, "little")
    eof = b"\xfe\x00\x00\x02\x00" + (b"\x00\x00" if capabilities else b"")
    column = b"\x03def\x00\x00\x00\x01a\x00\x0c\x3f\x00\x15\x00\x00\x00\x08\x80\x00\x00\x00\x00"
    head = [b"\x01", column, *([] if capabilities else [eof])]
    assert first_number(frames([*head, row, eof], 1), capabilities) == 1
    assert first_number(frames([*head, b"\x00\x04", eof], 1), capabilities) == -1


COLUMNS = [
    Heading("name"),
    Heading("number", is_number=True, has_nulls=True),
    Heading("text", has_nulls=True),
]
ROWS: list[Row] = [("é", 258, None), ("b", None, "c")]


@pytest.mark.parametrize("capabilities", [0, CLIENT_DEPRECATE_EOF])
def test_a_binary_result(capabilities: int) -> None:
    """Rows carry a bitmap of NULLs that begins at bit 2, and integers of 8 bytes."""
    data = build_result(COLUMNS, ROWS, capabilities, status=3, encoding=Encoding(8, "latin-1"), binary=True)
    reply = Reply(capabilities)
    reply.begin(COM_STMT_EXECUTE)
    assert reply.receive(data) == data
    assert reply.state == response.DONE
    assert reply.status == 3
    assert b"\x00\x10\x01\xe9" + (258).to_bytes(8, "little") in data
    assert b"\x00\x08\x01b\x01c" in data


def test_metadata_is_announced_to_a_client_that_can_go_without() -> None:
    """With CLIENT_OPTIONAL_RESULTSET_METADATA the first packet says that it follows."""
    data = build_result(COLUMNS, ROWS, CLIENT_OPTIONAL_RESULTSET_METADATA, status=2)
    assert data[:6] == b"\x02\x00\x00\x01\x03\x01"


@pytest.mark.parametrize("eof", [0, CLIENT_DEPRECATE_EOF])
def test_results_without_metadata_are_read(eof: int) -> None:
    """After SET resultset_metadata = NONE: as MySQL 9.7.4 sends them."""
    capabilities = CLIENT_OPTIONAL_RESULTSET_METADATA | eof
    middle, end = ([], b"\xfe\0\0\x02\0\0\0") if eof else ([b"\xfe\0\0\x02\0"], b"\xfe\0\0\x02\0")
    bare = frames([b"\x01\x00", *middle, b"\x0242", end], 1)
    assert first_value(bare, capabilities) == b"42"
    assert first_number(bare, capabilities) == 42
    assert read_text_result(bare, capabilities) == ([], [])
    described = build_text_result(["a"], [[42]], capabilities)
    assert first_value(described, capabilities) == b"42"
    assert first_number(described, capabilities) == 42
    assert read_text_result(described, capabilities)[1] == [[b"42"]]


def test_definitions_with_mariadbs_extension() -> None:
    """They have an empty place for the names of types, and are read with it."""
    plain = read_text_result(build_text_result(["a", "b"], [[1, "x"]], 0), 0)
    extended = MARIADB_CLIENT_EXTENDED_METADATA
    assert read_text_result(build_text_result(["a", "b"], [[1, "x"]], extended), extended) == plain
