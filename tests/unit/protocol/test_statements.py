"""Query attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.statements import Prepared, Statement, sql_of_query, translate, translate_bulk

SQL = b"SELECT 1"


def query(body: bytes) -> bytes:
    """Build a COM_QUERY packet."""
    return len(body).to_bytes(3, "little") + b"\x00\x03" + body


@pytest.mark.parametrize(
    "attributes",
    [
        b"\x00\x01",
        b"\x01\x01\x00\x01\xfe\x00\x01a" + b"\x05hello",
        b"\x02\x01\x01\x01\xfe\x00\x01a\x08\x00\x01b" + b"\x01\x00\x00\x00\x00\x00\x00\x00",
        b"\x01\x01\x00\x01\x0c\x00\x01t" + b"\x04\xe8\x07\x01\x02",
    ],
)
def test_the_text_comes_after_the_attributes(attributes: bytes) -> None:
    """Attributes of each kind of value are skipped: a string, a NULL, a number, a date."""
    assert sql_of_query(query(attributes + SQL)) == SQL


@given(st.binary(max_size=60))
def test_no_bytes_raise(body: bytes) -> None:
    """Attributes that can't be read give None, never an exception."""
    sql_of_query(query(body))


def test_bulk_execution_with_and_without_types() -> None:
    """The id is the server's; types are remembered, and put in for a connection that has not seen them."""
    statement, first, second = Statement(7, b"INSERT INTO t VALUES (?)"), Prepared(70), Prepared(71)
    statement.parameters = 1

    def bulk(number: int, types: bytes) -> bytes:
        flags = b"\x80\x00" if types else b"\x00\x00"
        payload = b"\xfa" + number.to_bytes(4, "little") + flags + types + b"\x00" + bytes(8)
        return len(payload).to_bytes(3, "little") + b"\x00" + payload

    assert translate_bulk(bulk(7, b"\x08\x00"), statement, first) == bulk(70, b"\x08\x00")
    assert translate_bulk(bulk(7, b""), statement, first) == bulk(70, b"")
    assert translate_bulk(bulk(7, b""), statement, second) == bulk(71, b"\x08\x00")
    assert translate_bulk(bulk(7, b""), statement, second) == bulk(71, b"")


def execution(number: int, *, types: bytes, names: tuple[bytes, ...] = (), values: bytes = b"\x01x") -> bytes:
    """Build a COM_STMT_EXECUTE as of a client with CLIENT_QUERY_ATTRIBUTES: one parameter, then attributes."""
    count = 1 + len(names)
    payload = b"\x17" + number.to_bytes(4, "little") + b"\x08\x01\x00\x00\x00" + bytes((count,)) + b"\x00"
    if types:
        payload += b"\x01" + types + b"\x00"
        payload += b"".join(b"\xfd\x00" + bytes((len(name),)) + name for name in names)
    else:
        payload += b"\x00"
    payload += values
    return len(payload).to_bytes(3, "little") + b"\x00" + payload


def test_types_are_remembered_without_the_attributes_of_one_execution() -> None:
    """An execution without types is of the parameters alone: types of attributes before would bind them wrongly."""
    statement, first, second = Statement(7, b"SELECT ?"), Prepared(70), Prepared(71)
    statement.parameters = 1
    told = execution(7, types=b"\xfd\x00", names=(b"traceparent",), values=b"\x01x\x04abcd")
    assert translate(told, statement, first, attributes=True)[5:9] == (70).to_bytes(4, "little")
    assert statement.types == b"\xfd\x00"
    again = execution(7, types=b"")
    assert translate(again, statement, first, attributes=True) == execution(70, types=b"")
    assert translate(again, statement, second, attributes=True) == execution(71, types=b"\xfd\x00")
    assert translate(again, statement, second, attributes=True) == execution(71, types=b"")
