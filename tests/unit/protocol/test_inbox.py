"""Commands are cut out of any bytes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.errors import ClientProtocolError, NotSupported, RouterError
from rwrouter.protocol.inbox import HEAD, cut

PING = b"\x01\x00\x00\x00\x0e"
QUERY = b"\x09\x00\x00\x00\x03SELECT 1"
PREPARE = b"\x22\x01\x00\x00\x16" + b"x" * 0x121
LONGEST = 100


@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_any_cut_gives_the_same_commands(cuts: list[int]) -> None:
    """One at a time, each whole; what is left has to come."""
    data = PING + QUERY + PREPARE + PING + QUERY[:-1]
    inbox, found = bytearray(), []
    for start, end in pairwise(sorted({0, len(data), *(at % len(data) for at in cuts)})):
        inbox += data[start:end]
        while (command := cut(inbox, LONGEST)) is not None:
            found.append(command)
    assert found == [PING, QUERY, PREPARE, PING]
    assert inbox == QUERY[:-1]


def test_a_long_command_is_told_by_its_size_when_its_head_is_there() -> None:
    """It stays where it is; what is short enough to be kept is waited for."""
    long = (HEAD + 9).to_bytes(3, "little") + b"\x00\x03" + b"x" * (HEAD + 8)
    assert cut(bytearray(long[: HEAD - 1]), LONGEST) is None
    inbox = bytearray(long[:HEAD])
    assert cut(inbox, LONGEST) == HEAD + 13
    assert len(inbox) == HEAD
    assert cut(inbox, HEAD + 13) is None
    biggest = b"\xff\xff\xff\x00\x03" + b"x" * HEAD
    assert cut(bytearray(biggest), LONGEST) == 0xFFFFFF + 4


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x01\x00\x00\x05", ClientProtocolError("a command with sequence id 5: it must be 0")),
        (b"\x00\x00\x00\x00", ClientProtocolError("an empty command")),
        (
            b"\xff\xff\xff\x00\x16",
            NotSupported("a statement of 16 MB or more can't be prepared here: send it as text"),
        ),
    ],
)
def test_what_is_no_command(data: bytes, error: RouterError) -> None:
    """It is refused as soon as it is seen, before memory is spent on it."""
    with pytest.raises(type(error), match=f"^{error}$"):
        cut(bytearray(data), LONGEST)
