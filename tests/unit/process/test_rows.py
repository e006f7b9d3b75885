"""Rows of the scoreboard."""

from hypothesis import given
from hypothesis import strategies as st

from rwrouter.process.rows import Rows


def test_a_server_keeps_its_row() -> None:
    """Also one that goes and comes back, while its row is not needed."""
    rows = Rows(3)
    assert rows.assign(["a", "b"]) == {"a": 0, "b": 1}
    assert rows.assign(["b"])["a"] == 0
    assert rows.assign(["b", "c", "a"]) == {"b": 1, "c": 2, "a": 0}


def test_the_row_of_the_one_longest_gone_is_given_away() -> None:
    """Where all are taken; where all are there, the last one has none."""
    rows = Rows(2)
    rows.assign(["a", "b"])
    rows.assign(["b"])
    assert rows.assign(["b", "c"]) == {"b": 1, "c": 0}
    assert rows.assign(["b", "c", "d"]) == {"b": 1, "c": 0}


@given(st.integers(1, 4), st.lists(st.sets(st.sampled_from("abcdef"))))
def test_no_two_have_the_same_row(places: int, history: list[set[str]]) -> None:
    """Whoever comes and goes, and all that are there have one as long as there are rows."""
    rows = Rows(places)
    for names in history:
        given_rows = rows.assign(sorted(names))
        assert len(set(given_rows.values())) == len(given_rows) <= places
        assert all(0 <= row < places for row in given_rows.values())
        assert len(names & given_rows.keys()) == min(len(names), places)
