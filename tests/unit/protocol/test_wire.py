"""Integers and strings: building and reading are each other's inverse, and short input is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.wire import Cursor, Malformed, integer, lenenc, prefixed, terminated


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, b"\0"),
        (0xFA, b"\xfa"),
        (0xFB, b"\xfc\xfb\0"),
        (0xFFFF, b"\xfc\xff\xff"),
        (0x10000, b"\xfd\0\0\1"),
        (0x1000000, b"\xfe\0\0\0\1\0\0\0\0"),
        (2**64 - 1, b"\xfe" + b"\xff" * 8),
    ],
)
def test_lenenc_takes_the_shortest_form(value: int, encoded: bytes) -> None:
    """Each border of a length-encoded integer is written as the manual says, and read back."""
    assert lenenc(value) == encoded
    assert Cursor(encoded).lenenc() == value


@given(st.integers(0, 2**32 - 1), st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=20))
def test_reading_gives_what_was_written(number: int, text: bytes, name: bytes, rest: bytes) -> None:
    """A payload of every type comes apart into the values it was made of."""
    name = name.replace(b"\0", b"")
    cursor = Cursor(integer(number, 4) + prefixed(text) + terminated(name) + rest)
    assert (cursor.integer(4), cursor.prefixed(), cursor.terminated()) == (number, text, name)
    assert cursor.remaining == len(rest)
    assert cursor.rest() == rest


@given(st.binary(max_size=40))
def test_garbage_raises_one_kind_of_error(data: bytes) -> None:
    """Whatever the bytes, a reading method gives a value or raises Malformed."""
    for read in (Cursor.lenenc, Cursor.prefixed, Cursor.terminated, Cursor.terminated_or_rest, Cursor.rest):
        try:
            read(Cursor(data))
        except Malformed:
            continue


@pytest.mark.parametrize("data", [b"", b"\xfb", b"\xff\1\1", b"\xfc\1", b"\xfe\1\1\1\1\1\1\1", b"\5four"])
def test_short_or_impossible_strings_are_refused(data: bytes) -> None:
    """A length that the payload does not hold is no string."""
    with pytest.raises(Malformed):
        Cursor(data).prefixed()


def test_a_missing_last_nul_is_forgiven_where_asked() -> None:
    """The last string of a payload may lack its NUL, as servers accept it."""
    assert Cursor(b"name").terminated_or_rest() == b"name"
    with pytest.raises(Malformed):
        Cursor(b"name").terminated()


def test_a_nul_inside_a_terminated_string_is_refused() -> None:
    """A user name with a NUL can't be cut short on its way."""
    with pytest.raises(Malformed):
        terminated(b"ro\0ot")
    with pytest.raises(Malformed):
        lenenc(2**64)
