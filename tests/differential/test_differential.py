"""The same program on the primary and through the router gets the same packets."""

from typing import Final

import pytest

from tests.differential.regressions import REGRESSIONS, Regression
from tests.differential.sessions import Bench
from tests.differential.soak import run_seed

PROGRAMS: Final = 100


@pytest.mark.parametrize("row", REGRESSIONS, ids=lambda row: row.name)
def test_what_was_different_once(benched: Bench, row: Regression, request: pytest.FixtureRequest) -> None:
    """Each row of the table, which says what it was."""
    if benched.cluster.flavor not in row.flavors:
        pytest.skip(f"a row for {', '.join(row.flavors)}")
    if row.missing:
        request.applymarker(pytest.mark.xfail(reason=row.missing, strict=True))
    with benched.pair(row.greeted) as sessions:
        sessions.play(row.program)


def test_random_programs(benched: Bench) -> None:
    """Always the same ones, 12,000 statements on each flavor; `make soak` runs others, and is where new ones fail."""
    for seed in range(PROGRAMS):
        found = run_seed(benched, seed)
        assert not found, f"make soak SEED={seed} MINUTES=0 repeats this\n{found}"
