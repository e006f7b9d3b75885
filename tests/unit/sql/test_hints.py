"""Hints."""

import pytest

from rwrouter.sql import hints
from rwrouter.sql.plans import Hint


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b" rwrouter: primary ", b"primary"),
        (b"RWROUTER:Replica", b"replica"),
        (b"rwrouter: server = db3, max_lag=2s", b"server=db3 max_lag=2s"),
        (b"FORCE_MASTER", b"primary"),
        (b" maxscale route to master ", b"primary"),
        (b"the master plan", b""),
        (b"about rwrouter: primary", b""),
        (b"rwrouter:" + b"x" * 1_000, b""),
    ],
)
def test_a_hint_has_one_spelling(comment: bytes, text: bytes) -> None:
    """Blanks and case do not count; a sentence about hints is no hint."""
    assert hints.normalise(comment) == text


@pytest.mark.parametrize(
    ("texts", "hint"),
    [
        ([], None),
        (["nonsense"], None),
        (["primary"], Hint(target="primary")),
        (["replica", "primary"], Hint(target="primary")),
        (["replica server=db3 server=db4"], Hint(target="replica", server="db3")),
        (["max_lag=200ms"], Hint(max_lag=0.2)),
        (["max_lag=soon consistency=wrong"], None),
        (["consistency=GLOBAL session=cart"], Hint(consistency="global", session="cart")),
    ],
)
def test_hints_are_read_leniently(texts: list[str], hint: Hint | None) -> None:
    """Primary wins over replica, the first value over later ones, and what is mistyped is left out."""
    assert hints.read(texts) == hint
