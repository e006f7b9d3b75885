"""Sequence ids, put right where compression has another count."""

from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.framing import frame
from rwrouter.protocol.numbers import ServerNumbers


def test_a_reply_is_numbered_after_its_request() -> None:
    """Whatever ids the server gave, the client sees those that follow the command's."""
    numbers = ServerNumbers()
    assert numbers.begins(frame(b"\x03SELECT 1", 0))
    assert numbers.mend(frame(b"a", 7) + frame(b"bb", 3)) == frame(b"a", 1) + frame(b"bb", 2)
    assert numbers.mend(frame(b"c", 9)) == frame(b"c", 3)
    assert numbers.begins(frame(b"\x0e", 0))
    assert numbers.mend(frame(b"\x00", 5)) == frame(b"\x00", 1)


def test_a_file_goes_on_with_the_count() -> None:
    """Packets that answer the server begin no command; what comes after the last, empty one does."""
    numbers = ServerNumbers()
    assert numbers.begins(frame(b"\x03LOAD DATA", 0))
    numbers.mend(frame(b"\xfbname", 1))
    assert not numbers.begins(b"\x05")
    assert not numbers.begins(frame(b"abcde", 2)[1:] + frame(b"", 3))
    assert numbers.mend(frame(b"\x00", 88)) == frame(b"\x00", 4)
    assert numbers.begins(frame(b"\x0e", 0))


def test_a_long_command_begins_once() -> None:
    """The pieces of a command in several packets begin none."""
    numbers = ServerNumbers()
    data = frame(b"\x03" + bytes(2**24), 0)
    assert numbers.begins(data[:1000])
    assert not numbers.begins(data[1000:])
    assert numbers.mend(frame(b"\x00", 0)) == frame(b"\x00", 2)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=300), st.data())
def test_any_cut_gives_the_same(payloads: list[bytes], data: st.DataObject) -> None:
    """However the reply is cut, its packets are numbered on, and nothing is lost but held pieces of headers."""
    numbers = ServerNumbers()
    numbers.begins(frame(b"\x03SELECT 1", 0))
    stream = b"".join(frame(payload, 200) for payload in payloads)
    expected = b"".join(frame(payload, number & 0xFF) for number, payload in enumerate(payloads, 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert b"".join(numbers.mend(piece) for piece in pieces) == expected
