"""Servers that nobody listed, on real servers: found from any one of them, used, left and forgotten."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rwrouter.config.model import AddressSettings, ServerSettings
from rwrouter.model import Flavor, Role, Snapshot, State
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import ran_on
from tests.integration.harness import RouterFactory, eventually, start
from tests.integration.watch import Watch

RIGHTS = {Flavor.MYSQL: "REPLICATION SLAVE", Flavor.MARIADB: "REPLICATION MASTER ADMIN"}


def all_up(snapshot: Snapshot, count: int = 3) -> bool:
    """Tell whether *count* servers are there, and take work."""
    return [server.state for server in snapshot.servers] == [State.UP] * count


@contextmanager
def granted(cluster: Sandbox, right: str) -> Iterator[None]:
    """Give the monitor's account another right for a while."""
    who = f"'{cluster.monitor.user}'@'%'"
    cluster.primary.query(f"GRANT {right} ON *.* TO {who}")
    cluster.wait_in_sync()
    try:
        yield
    finally:
        cluster.primary.query(f"REVOKE {right} ON *.* FROM {who}")
        cluster.wait_in_sync()


@pytest.mark.parametrize("which", [0, 2])
def test_all_are_found_from_any_one(cluster: Sandbox, which: int) -> None:
    """From the primary by those that registered with it, from a replica by its source."""
    seed = cluster.servers[which]
    with granted(cluster, RIGHTS[cluster.flavor]), Watch(cluster, servers=[seed]) as watch:
        watch.until(all_up)
        found = {server.name: server for server in watch.snapshot.servers}
        wanted = {one.address: Role.REPLICA for one in cluster.servers} | {
            cluster.primary.address: Role.PRIMARY
        }
        wanted[seed.name] = wanted.pop(seed.address)
        assert {name: server.role for name, server in found.items()} == wanted
        # In whole seconds only, by Seconds_Behind_Source: the GRANT has just come.
        watch.until(lambda seen: all(server.lag.seconds == 0.0 for server in seen.servers))


def test_a_replica_tells_of_its_source_without_a_further_right(cluster: Sandbox) -> None:
    """What is missing to find the others is named."""
    with Watch(cluster, servers=cluster.replicas[:1]) as watch:
        watch.until(lambda seen: all_up(seen, 2))
        assert watch.snapshot.primary == cluster.primary.address
        watch.until(lambda seen: any("lacks PROCESS on *.*" in alarm for alarm in seen.alarms))


def test_hosts_of_those_that_fetch_are_tried_where_they_report_none() -> None:
    """PROCESS is enough, where all listen on the same port; SHOW REPLICAS has the port without report_host."""
    with (
        start(Flavor.MYSQL, 1, {"report_host": ""}) as servers,
        granted(servers, "REPLICATION SLAVE, PROCESS"),
        Watch(servers, servers=[servers.primary]) as watch,
    ):
        watch.until(lambda seen: all_up(seen, 2))
        assert watch.snapshot.servers[1].name == servers.replicas[0].address


def test_discovery_can_be_switched_off(cluster: Sandbox) -> None:
    """Then an alarm names whom the servers name."""
    with Watch(cluster, servers=cluster.replicas[:1], discovery=False) as watch:
        wanted = (
            f"not among the configured servers: {cluster.primary.address}; list them, or set discovery = true"
        )
        watch.until(lambda seen: wanted in seen.alarms)
        assert [server.name for server in watch.snapshot.servers] == ["replica1"]


def test_who_needs_a_weight_is_listed_beside_those_that_are_found(cluster: Sandbox) -> None:
    """A list and discovery together: weight and zone as listed, the role as found, and nobody twice."""
    light = cluster.replicas[0]
    listed = [
        ServerSettings(address=cluster.replicas[1].address, name="seed"),
        ServerSettings(address=light.address, name="light", weight=7, zone="b"),
    ]
    with granted(cluster, RIGHTS[cluster.flavor]), Watch(cluster, servers=listed, discovery=True) as watch:
        watch.until(all_up)
        found = {server.name: server for server in watch.snapshot.servers}
    assert found.keys() == {"seed", "light", cluster.primary.address}
    assert (found["light"].weight, found["light"].zone, found["light"].role) == (7, "b", Role.REPLICA)
    assert found[cluster.primary.address].role is Role.PRIMARY


def test_one_server_at_two_addresses_is_one(cluster: Sandbox) -> None:
    """It is told by its identity, whatever its addresses look like."""
    port = cluster.primary.port
    listed = (
        ServerSettings(address=f"127.0.0.1:{port}", name="a"),
        ServerSettings(address=f"localhost:{port}", name="b"),
    )
    with Watch(cluster, servers=listed) as watch:
        watch.until(lambda seen: seen.server("b").state is State.DOWN and seen.primary == "a")
        assert "is the same server as a" in watch.snapshot.server("b").reason
        assert "b is the same server as a: list it once" in watch.snapshot.alarms


def test_a_server_that_leaves_is_forgotten_and_found_again_when_it_comes(cluster: Sandbox) -> None:
    """Under the same name."""
    replica = cluster.replicas[1]
    with (
        granted(cluster, RIGHTS[cluster.flavor]),
        Watch(cluster, servers=[cluster.primary], monitor={"forget": 1.0}) as watch,
    ):
        watch.until(all_up)
        names = {server.name for server in watch.snapshot.servers}
        replica.stop()
        try:
            watch.until(lambda seen: len(seen.servers) == 2)
        finally:
            replica.start()
        watch.until(all_up)
        assert {server.name for server in watch.snapshot.servers} == names
    cluster.wait_in_sync()


def test_addresses_that_only_servers_can_reach_are_mapped() -> None:
    """As with containers: first an alarm that names the server, once; with the map it is found."""
    with start(Flavor.MARIADB, 1, {"report_host": "inside.invalid"}) as servers:
        replica = servers.replicas[0]
        with Watch(servers, servers.root, servers=[servers.primary]) as watch:
            said = f"inside.invalid:{replica.port}"
            watch.until(lambda seen: any(alarm.startswith(f"{said}, a replica of") for alarm in seen.alarms))
            assert [server.name for server in watch.snapshot.servers] == ["primary"]
        mapped = (AddressSettings(says="inside.invalid", reach="127.0.0.1"),)
        with Watch(servers, servers.root, servers=[servers.primary], addresses=mapped) as watch:
            watch.until(lambda seen: all_up(seen, 2))
            assert watch.snapshot.server(said).address.host == "127.0.0.1"
            assert watch.snapshot.alarms == ()


def test_a_router_with_one_address_uses_all(
    cluster: Sandbox, router: RouterFactory, schema: str, marker: str
) -> None:
    """Its workers take what is found without a restart, and a session on a server that leaves goes on."""
    replica = cluster.replicas[1]
    with granted(cluster, RIGHTS[cluster.flavor]):
        front = router(Seed(cluster), "--workers", "2", "--discovery")
        with front.connect(database=schema) as connection, connection.cursor() as cursor:

            def reads_everywhere() -> bool:
                for _ in range(30):
                    cursor.execute(f"SELECT 1 /* {marker} */")
                return {"replica1", "replica2"} <= set(ran_on(cluster, marker))

            eventually(reads_everywhere, "reads on servers that were found", 60)
            replica.kill()
            try:
                for _ in range(60):
                    cursor.execute("SELECT 2")
            finally:
                replica.start()
    cluster.wait_in_sync()


class Seed:
    """A sandbox of which the router is told one server."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.servers = [sandbox.primary]
        self.monitor, self.app = sandbox.monitor, sandbox.app
