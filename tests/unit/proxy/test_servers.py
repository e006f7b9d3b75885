"""A worker's view of the servers."""

from typing import Any

import pytest

from rwrouter.config.model import Settings
from rwrouter.model import Role, Server, Snapshot, State
from rwrouter.proxy.servers import Routes
from tests.unit.proxy.stage import server

PRIMARY = server("db1", Role.PRIMARY)


def routes(*servers: Server, primary: str | None = "db1", **reads: Any) -> Routes:
    """Build routes over *servers*."""
    made = Routes(Settings.model_validate({"reads": reads}), lambda: 0.0)
    made.update(Snapshot(1, servers, primary, None, ""))
    return made


def readers(made: Routes) -> dict[str, int]:
    """Return who reads, and with which weight."""
    return {endpoint.server.name: weight for endpoint, weight in made.readers.laid_out}


@pytest.mark.parametrize(
    ("case", "servers", "reads", "expected"),
    [
        ("replicas, and the primary a little", (PRIMARY, server("db2")), {}, {"db2": 100, "db1": 1}),
        ("the primary not at all", (PRIMARY, server("db2")), {"primary_weight": 0}, {"db2": 100}),
        ("no replica is fit", (PRIMARY, server("db2", state=State.LAGGING)), {}, {"db1": 1}),
        ("no replica is fit, and no fallback", (PRIMARY,), {"fallback": "error"}, {}),
        (
            "drained",
            (PRIMARY, server("db2", state=State.DRAINING), server("db3")),
            {},
            {"db3": 100, "db1": 1},
        ),
        ("the primary is down", (server("db1", Role.PRIMARY, State.DOWN), server("db2")), {}, {"db2": 100}),
    ],
)
def test_who_reads(
    case: str, servers: tuple[Server, ...], reads: dict[str, Any], expected: dict[str, int]
) -> None:
    """Only servers that are up, with their weights; the primary as the settings say."""
    assert readers(routes(*servers, **reads)) == expected, case


def test_a_shunned_server_is_left_alone() -> None:
    """A refused connection takes it out at once, before the monitor has looked."""
    made = routes(PRIMARY, server("db2"), server("db3"))
    made.shun(made.endpoints["db2"], "refused")
    assert "db2" not in readers(made)


def test_servers_that_are_gone_take_no_work() -> None:
    """A server that is not configured any more is down for sessions that still know it."""
    made = routes(PRIMARY, server("db2"))
    gone = made.endpoints["db2"]
    made.update(Snapshot(2, (PRIMARY,), "db1", None, ""))
    assert gone.server.state is State.DOWN
    assert readers(made) == {"db1": 1}


def test_an_unchanged_topology_keeps_the_turns() -> None:
    """A snapshot that changes nothing for reads does not begin the cycle anew: shares would suffer."""
    made = routes(PRIMARY, server("db2"))
    before = made.readers
    made.update(Snapshot(2, (PRIMARY, server("db2", executed="x")), "db1", None, ""))
    assert made.readers is before


def test_why_nobody_serves() -> None:
    """The sentence names each server and its state."""
    made = routes(server("db2", state=State.DOWN), primary=None)
    assert "db2 is down" in made.why_nobody()
