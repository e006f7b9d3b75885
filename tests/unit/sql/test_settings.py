"""SET."""

import pytest

from rwrouter.sql import plans
from rwrouter.sql.settings import effects_of_set
from rwrouter.sql.tokens import tokenize


@pytest.mark.parametrize(
    ("text", "effects", "local"),
    [
        ("a = ?", plans.SETS_VARIABLE, False),
        ("@a = ?", plans.USER_VARIABLE, False),
        ("@a = - ?", plans.USER_VARIABLE, False),
        ("@a = f(?, ?)", plans.USER_VARIABLE, False),
        ("@a = ?, autocommit = ?", plans.USER_VARIABLE | plans.SETS_VARIABLE, False),
        ("global a = ?", 0, False),
        ("@@global.a = ?", 0, False),
        ("@@global.a = ?, b = ?", plans.SETS_VARIABLE, False),
        ("names utf8mb4", plans.SETS_VARIABLE, False),
        ("role r", plans.ROLE, False),
        ("password = ?", plans.ACCOUNTS | plans.WRITES, False),
        ("transaction read only", plans.NEXT_TRANSACTION, False),
        ("session transaction read only", plans.SETS_VARIABLE, False),
        ("timestamp = ?", plans.NEXT_STATEMENT, False),
        ("session_track_gtids = own_gtid", plans.TRACKERS, True),
        ("session_track_gtids = off, a = ?", plans.TRACKERS | plans.SETS_VARIABLE, False),
    ],
)
def test_a_list_has_the_effects_of_all_its_items(text: str, effects: int, *, local: bool) -> None:
    """Each assignment counts, and only trackers alone are the router's own."""
    assert effects_of_set(tokenize(text) or []) == (effects, local)


def test_an_empty_set_is_no_error() -> None:
    """What the server will refuse is passed on."""
    assert effects_of_set([]) == (plans.SETS_VARIABLE, False)
