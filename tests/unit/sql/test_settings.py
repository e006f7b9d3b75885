"""SET."""

import pytest

from rwrouter.sql import plans
from rwrouter.sql.settings import effects_of_set
from rwrouter.sql.tokens import tokenize


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ("a = ?", plans.SETS_VARIABLE),
        ("@a = ?", plans.USER_VARIABLE),
        ("@a = - ?", plans.USER_VARIABLE),
        ("@a = f(?, ?)", plans.USER_VARIABLE),
        ("@a = ?, autocommit = ?", plans.USER_VARIABLE | plans.SETS_VARIABLE),
        ("global a = ?", 0),
        ("@@global.a = ?", 0),
        ("@@global.a = ?, b = ?", plans.SETS_VARIABLE),
        ("names utf8mb4", plans.SETS_VARIABLE),
        ("role r", plans.ROLE),
        ("password = ?", plans.ACCOUNTS | plans.WRITES),
        ("transaction read only", plans.NEXT_TRANSACTION),
        ("session transaction read only", plans.SETS_VARIABLE),
        ("timestamp = ?", plans.NEXT_STATEMENT),
        ("session_track_gtids = own_gtid", plans.TRACKERS),
        ("session_track_gtids = off, a = ?", plans.TRACKERS | plans.SETS_VARIABLE),
    ],
)
def test_a_list_has_the_effects_of_all_its_items(text: str, effects: int) -> None:
    """Each assignment counts."""
    assert effects_of_set(tokenize(text) or []) == effects


def test_an_empty_set_is_no_error() -> None:
    """What the server will refuse is passed on."""
    assert effects_of_set([]) == plans.SETS_VARIABLE
