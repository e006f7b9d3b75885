"""Fixtures of the differential test: servers of its own, because it may leave any state on them while it runs."""

from collections.abc import Iterator

import pytest

from rwrouter.model import Flavor
from tests.differential.sessions import Bench, bench


@pytest.fixture(scope="module", params=list(Flavor))
def benched(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Run a primary, two replicas and a router, of each flavor in turn."""
    with bench(request.param) as made:
        yield made
        assert "Traceback" not in made.router.log()
