"""The demo's own judgement of who ran a statement."""

import pytest

from rwrouter.cli.demo import BOTH, PRIMARY, REPLICA, TOUR, fits, names


@pytest.mark.parametrize(
    ("expected", "servers", "times", "fit"),
    [
        (PRIMARY, ["primary"], 1, True),
        (PRIMARY, ["replica1"], 1, False),
        (PRIMARY, [], 1, False),
        (PRIMARY, ["primary", "replica1"], 1, False),
        (REPLICA, ["replica2"], 1, True),
        (REPLICA, ["primary"], 1, False),
        (BOTH, ["replica1", "replica2"], 2, True),
        (BOTH, ["replica1", "replica1"], 2, False),
        (BOTH, ["replica1", "replica2", "primary"], 3, False),
        ("", [], 1, True),
        ("", ["primary", "replica1"], 1, True),
    ],
)
def test_a_statement_ran_where_it_should_or_not(
    expected: str, servers: list[str], times: int, *, fit: bool
) -> None:
    """As often as it was sent, on those it is for, and on nobody else."""
    assert fits(expected, servers, times) is fit


def test_who_ran_a_statement_is_counted() -> None:
    """One name alone stands without a number."""
    assert names(["replica2"]) == "replica2"
    assert names(["replica2", "replica1", "replica2"]) == "replica1 1, replica2 2"
    assert names([]) == ""


def test_the_tour_shows_each_kind() -> None:
    """Writes, reads, locking reads, a transaction: the primary and the replicas both have something to do."""
    steps = [step for section in TOUR.values() for step in section]
    assert {step.expected for step in steps} == {PRIMARY, REPLICA, BOTH, ""}
    for words in ("INSERT", "BEGIN", "FOR UPDATE", "READ ONLY", "WITH"):
        assert any(words in step.sql for step in steps), words
