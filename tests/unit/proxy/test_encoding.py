"""In which bytes the router answers."""

import pytest

from rwrouter.proxy.encoding import encoding_of
from rwrouter.routing.session import Session


@pytest.mark.parametrize(
    ("results", "collation", "name", "text"),
    [
        (None, 8, 8, b"\xe9"),
        (None, 33, 33, b"\xc3\xa9"),
        (None, 255, 255, b"\xc3\xa9"),
        (None, 309, 45, b"\xc3\xa9"),  # past PyMySQL's table: utf8mb4
        (b"latin1", 255, 8, b"\xe9"),
        (b"utf8mb3", 8, 33, b"\xc3\xa9"),
        (b"utf8mb4", 8, 45, b"\xc3\xa9"),
        (b"ascii", 8, 11, b"?"),
        (b"ucs2", 8, 35, b"\x00\xe9"),
        (b"gbk", 8, 28, b"\xa8\xa6"),
        (b"macce", 8, 38, b"?"),  # a set that Python has not: what is ASCII is right
        (b"binary", 8, 63, b"\xc3\xa9"),
        (b"", 8, 45, b"\xc3\xa9"),  # NULL: nothing is converted
    ],
)
def test_texts_are_in_the_sessions_character_set(
    results: bytes | None, collation: int, name: int, text: bytes
) -> None:
    """The set that the session has set, else that of its login; columns name it by its id."""
    session = Session()
    if results is not None:
        session.variables[b"character_set_results"] = results
    encoding = encoding_of(session, collation)
    assert encoding.collation == name
    assert encoding.encode("é") == text
