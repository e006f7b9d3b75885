"""A worker's view of the servers."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from rwrouter.config.model import Settings
from rwrouter.model import Role, Server, Snapshot, State
from rwrouter.proxy.servers import Routes, client_key
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
    """What runs there ends well; it is kept while a connection is open, and forgotten then."""
    made = routes(PRIMARY, server("db2"), server("db3", state=State.DOWN))
    gone, dead = made.endpoints["db2"], made.endpoints["db3"]
    gone.counters.connections = dead.counters.connections = 1
    made.update(Snapshot(2, (PRIMARY,), "db1", None, ""))
    assert gone.is_gone
    assert gone.server.state is State.DRAINING
    assert dead.server.state is State.DOWN
    assert readers(made) == {"db1": 1}
    gone.counters.connections = 0
    made.update(Snapshot(3, (PRIMARY,), "db1", None, ""))
    assert list(made.endpoints) == ["db1", "db3"]


def test_a_server_that_comes_back_is_used_again() -> None:
    """While a session still holds a connection to it, or after."""
    made = routes(PRIMARY, server("db2"))
    made.endpoints["db2"].counters.connections = 1
    made.update(Snapshot(2, (PRIMARY,), "db1", None, ""))
    made.update(Snapshot(3, (PRIMARY, server("db2")), "db1", None, ""))
    assert not made.endpoints["db2"].is_gone
    assert readers(made) == {"db2": 100, "db1": 1}


def test_an_unchanged_topology_keeps_the_turns() -> None:
    """A snapshot that changes nothing for reads does not begin the cycle anew: shares would suffer."""
    made = routes(PRIMARY, server("db2"))
    before = made.readers
    made.update(Snapshot(2, (PRIMARY, server("db2", executed="x")), "db1", None, ""))
    assert made.readers is before


def test_servers_keep_their_gtids_while_nobody_is_primary() -> None:
    """That writes carry GTIDs is not forgotten with the primary: else reads of replicas would fail then."""
    made = routes(PRIMARY, server("db2"))
    assert made.has_gtids
    made.update(Snapshot(2, (replace(PRIMARY, state=State.DOWN), server("db2")), None, None, ""))
    assert made.has_gtids
    made.update(Snapshot(3, (replace(PRIMARY, executed=""), server("db2")), "db1", None, ""))
    assert not made.has_gtids


def test_why_nobody_serves() -> None:
    """The sentence names each server and its state."""
    made = routes(server("db2", state=State.DOWN), primary=None)
    assert "db2 is down" in made.why_nobody()


@pytest.mark.parametrize(
    ("case", "zones", "expected"),
    [
        ("a replica of its own zone", ("", "a", "b"), {"db2": 100}),
        ("and the primary, where it is in the zone", ("a", "a", "b"), {"db2": 100, "db1": 1}),
        ("no replica of its own zone", ("a", "b", "b"), {"db2": 100, "db3": 100, "db1": 1}),
    ],
)
def test_reads_stay_in_the_routers_zone(
    case: str, zones: tuple[str, str, str], expected: dict[str, int]
) -> None:
    """Replicas of its own zone first; the others only where none of them is fit."""
    made = Routes(Settings.model_validate({"zone": "a"}), lambda: 0.0)
    servers = [
        replace(one, zone=zone)
        for one, zone in zip((PRIMARY, server("db2"), server("db3")), zones, strict=True)
    ]
    made.update(Snapshot(1, tuple(servers), "db1", None, ""))
    assert readers(made) == expected, case


STRATEGIES = ["round_robin", "least_outstanding", "latency", "client_hash", "random"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_strategy_gives_fit_servers_alone(strategy: str) -> None:
    """Whatever it goes by, it gives each reader over 2,000 clients, and never one that is out."""
    servers = (PRIMARY, server("db2"), server("db3"), server("db4", state=State.DOWN))
    made = routes(*servers, strategy=strategy, primary_weight=0)
    chosen: Counter[str] = Counter()
    for number in range(2000):
        endpoint = made.of(b"10.0.%d.%d" % divmod(number, 256)).readers.pick()
        assert endpoint is not None
        chosen[endpoint.server.name] += 1
    assert set(chosen) == {"db2", "db3"}
    assert abs(chosen["db2"] - 1000) < 120


def test_statements_under_way_and_latency_are_heeded() -> None:
    """A busier server, and a slower one, is not the one that is given."""
    busy = routes(PRIMARY, server("db2"), server("db3"), strategy="least_outstanding", primary_weight=0)
    db2 = busy.endpoints["db2"]
    db2.outstanding = 1
    assert db2.tell is not None
    db2.tell(db2, 1)
    assert {busy.readers.pick() for _ in range(5)} == {busy.endpoints["db3"]}
    slow = routes(PRIMARY, server("db2"), server("db3"), strategy="latency", primary_weight=0)
    slow.endpoints["db2"].latency.observe(0.5, 0)
    slow.endpoints["db3"].latency.observe(0.1, 0)
    assert {slow.readers.pick() for _ in range(5)} == {slow.endpoints["db3"]}


def test_a_client_keeps_its_server_while_that_is_fit() -> None:
    """With client_hash; it moves when its server goes, and returns with it."""
    made = routes(PRIMARY, server("db2"), server("db3"), strategy="client_hash", primary_weight=0)
    mine = made.of(b"192.0.2.1")
    home = mine.readers.pick()
    assert home is not None
    others = [server(name) for name in ("db2", "db3") if name != home.server.name]
    made.update(Snapshot(2, (PRIMARY, *others), "db1", None, ""))
    assert mine.readers.pick() is made.endpoints[others[0].name]
    made.update(Snapshot(3, (PRIMARY, server("db2"), server("db3")), "db1", None, ""))
    back = mine.readers.pick()
    assert back is not None
    assert back.server.name == home.server.name
    assert (mine.primary, mine.has_gtids) == (made.primary, made.has_gtids)


@pytest.mark.parametrize(
    ("peer", "key"), [("192.0.2.1:50000", b"192.0.2.1"), ("[::1]:50000", b"[::1]"), ("unix", b"7")]
)
def test_a_client_is_its_address(peer: str, key: bytes) -> None:
    """Without the port; a connection of a Unix socket is a client of its own."""
    assert client_key(peer, 7) == key


def test_a_server_that_starts_slowly_has_a_part_of_its_weight() -> None:
    """Never nothing, or nobody would see how it does."""
    made = routes(
        server("db2"),
        replace(server("db3"), ramp=0.3),
        replace(server("db4"), ramp=0.1, weight=1),
        primary=None,
    )
    assert readers(made) == {"db2": 100, "db3": 30, "db4": 1}


def test_connections_that_are_being_opened_are_given_up_when_the_server_is_down() -> None:
    """A hung server accepts, and would let each client wait for the whole time-out."""
    made = routes(PRIMARY, server("db2"))
    given_up: list[str] = []
    made.endpoints["db2"].dialing.add(lambda: given_up.append("db2"))
    made.update(Snapshot(2, (PRIMARY, server("db2")), "db1", None, ""))
    assert given_up == []
    made.update(Snapshot(3, (PRIMARY, server("db2", state=State.DOWN)), "db1", None, ""))
    assert given_up == ["db2"]


def test_when_the_monitor_has_reached_it_one_client_may_try() -> None:
    """The circuit is half-open: the others wait for that one's luck."""
    made = routes(PRIMARY, server("db2"))
    endpoint = made.endpoints["db2"]
    made.shun(endpoint, "refused")
    made.update(Snapshot(2, (PRIMARY, server("db2", state=State.DOWN)), "db1", None, ""))
    made.update(Snapshot(3, (PRIMARY, server("db2")), "db1", None, ""))
    assert readers(made) == {"db2": 100, "db1": 1}
    assert [bool(endpoint.circuit.ask(0.0, 0)), bool(endpoint.circuit.ask(0.0, 0))] == [False, True]
