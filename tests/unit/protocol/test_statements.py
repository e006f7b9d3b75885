"""Query attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.statements import sql_of_query

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
