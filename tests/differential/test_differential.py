"""The same program on the primary and through the router gets the same packets."""

import pytest

from tests.differential.regressions import REGRESSIONS, Regression
from tests.differential.sessions import Bench


@pytest.mark.parametrize("row", REGRESSIONS, ids=lambda row: row.name)
def test_what_was_different_once(benched: Bench, row: Regression, request: pytest.FixtureRequest) -> None:
    """Each row of the table, which says what it was."""
    if benched.cluster.flavor not in row.flavors:
        pytest.skip(f"a row for {', '.join(row.flavors)}")
    if row.missing:
        request.applymarker(pytest.mark.xfail(reason=row.missing, strict=True))
    with benched.pair(row.greeted) as sessions:
        sessions.play(row.program)
