"""Uploads: where a command or a file ends, however it is cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.upload import Upload

FILE = b"\x03\x00\x00\x02abc" + b"\x01\x00\x00\x03d" + b"\x00\x00\x00\x04"


@given(cuts=st.lists(st.integers(0, len(FILE)), max_size=6))
def test_a_file_ends_with_an_empty_packet(cuts: list[int]) -> None:
    """All of the file belongs to it, and nothing of what comes after."""
    data = FILE + b"\x01\x00\x00\x00\x0e"
    upload = Upload(file=True)
    taken = 0
    bounds = sorted({0, *cuts, len(data)})
    for start, end in pairwise(bounds):
        if upload.complete:
            break
        taken += upload.receive(data[start:end])
    assert upload.complete
    assert taken == len(FILE)


def test_a_command_of_16_mb_ends_with_a_shorter_packet() -> None:
    """A payload of 2^24-1 bytes is continued, also by an empty packet."""
    data = b"\xff\xff\xff\x00" + bytes(0xFFFFFF) + b"\x00\x00\x00\x01"
    upload = Upload()
    assert upload.receive(data[:-1]) == len(data) - 1
    assert not upload.complete
    assert upload.receive(data[-1:] + b"more") == 1
    assert upload.complete
    assert upload.sequence_id == 1


def test_a_short_command() -> None:
    """A single packet ends where its length says."""
    upload = Upload()
    assert upload.receive(b"\x02\x00\x00\x00\x03;rest") == 6
    assert upload.complete


def test_a_file_is_numbered_on() -> None:
    """Ids of a client that counts otherwise are put right, however its packets are cut."""
    upload = Upload(file=True, number=255)
    stream = b"\x03\x00\x00\x07abc\x01\x00\x00\x09d\x00\x00\x00\x08"
    out = b""
    for at in range(len(stream)):
        assert upload.receive(stream[at : at + 1]) == 1
        out += upload.renumber(stream[at : at + 1])
    assert upload.complete
    assert out == b"\x03\x00\x00\xffabc\x01\x00\x00\x00d\x00\x00\x00\x01"
