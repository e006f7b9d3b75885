"""Character sets that hide quotes."""

import codecs

import pytest

from rwrouter.protocol.charsets import has_unsafe_trail_bytes, is_unsafe_collation


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        (b"gbk", "gbk"),
        (b"GB18030", "gb18030"),
        (b"big5", "big5"),
        (b"sjis", "shift_jis"),
        (b"utf8mb4", "utf-8"),
        (b"latin1", "latin-1"),
        (b"euckr", "euc_kr"),
        (b"gb2312", "gb2312"),
        (b"ujis", "euc_jp"),
    ],
)
def test_unsafe_is_what_can_end_in_a_backslash(name: bytes, codec: str) -> None:
    """A set is unsafe when some character's trail byte is a backslash: asked of the codec."""
    found = False
    for lead in range(0x81, 0xFF):
        try:
            found |= len(codecs.decode(bytes((lead, 0x5C)), codec)) == 1
        except UnicodeDecodeError:
            continue
    assert has_unsafe_trail_bytes(name) == found


def test_collations() -> None:
    """gbk_chinese_ci and its nopad form are unsafe; utf8mb4 and latin1 are not."""
    assert is_unsafe_collation(28)
    assert is_unsafe_collation(28 + 1024)
    assert not is_unsafe_collation(255)
    assert not is_unsafe_collation(8)
