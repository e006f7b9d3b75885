"""Servers that are not who they were: another one at the address, another source, data that the primary lacks."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from rwrouter.model import Flavor, Snapshot, State
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.options import replication_statements
from rwrouter.sandbox.server import SandboxServer
from tests.faults.link import Link
from tests.integration.harness import RouterFactory, eventually, start
from tests.integration.test_discovery import RIGHTS, all_up
from tests.integration.test_health import PATIENT as PATIENT_ROUTER
from tests.integration.test_health import states
from tests.integration.watch import Watch

PATIENT = {"timeout": 10.0, "fall": 9}  # a busy machine must not look like a server that is down


@pytest.fixture(scope="module", params=list(Flavor))
def pair(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Run a primary and a replica of this module's own, with all rights for the monitor to find the other."""
    with start(request.param, 1) as servers:
        servers.primary.query(f"GRANT {RIGHTS[servers.flavor]} ON *.* TO '{servers.monitor.user}'@'%'")
        servers.wait_in_sync()
        yield servers


def alarms(snapshot: Snapshot, text: str) -> list[str]:
    """Return the alarms with *text* in them."""
    return [alarm for alarm in snapshot.alarms if text in alarm]


def test_another_server_at_a_known_address(pair: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """It comes back with another server_uuid (MariaDB: server_id): it is told, and used, for it replicates."""
    replica = pair.replicas[0]
    with Watch(pair, monitor=PATIENT | {"fall": 1}) as watch:
        watch.until_state(replica, State.UP)
        before = watch.snapshot.server(replica.name).uuid
        replica.stop()
        watch.until_state(replica, State.DOWN)
        if pair.flavor is Flavor.MYSQL:
            (replica.data / "auto.cnf").unlink()
        else:
            replica.server_id += 100
        replica.start()
        watch.until_state(replica, State.UP)
        assert f"event=server_changed server={replica.name}" in caplog.text
        if pair.flavor is Flavor.MYSQL:
            assert watch.snapshot.server(replica.name).uuid not in {"", before}
    pair.wait_in_sync()


def test_a_found_replica_of_another_set_gets_no_reads(pair: Sandbox) -> None:
    """Somebody points it to another primary: it is left at once, with the reason, though it tells a lag of 0."""
    replica = pair.replicas[0]
    options = {"server_id": "77"} if pair.flavor is Flavor.MARIADB else None
    with (
        start(pair.flavor, 0, options) as others,
        Watch(pair, servers=[pair.primary], monitor=PATIENT) as watch,
    ):
        watch.until(lambda seen: all_up(seen, 2))
        follow(replica, others)
        source = f"replicates from 127.0.0.1:{others.primary.port}, which is none of these servers"
        watch.until(lambda seen: seen.servers[1].reason == source)
        assert watch.snapshot.servers[1].state is State.LAGGING
        assert watch.snapshot.primary == pair.primary.name
        follow(replica, pair)
        watch.until(lambda seen: all_up(seen, 2))


def follow(replica: SandboxServer, servers: Sandbox) -> None:
    """Make *replica* replicate from the primary of *servers*."""
    replica.query("STOP REPLICA" if replica.flavor is Flavor.MYSQL else "STOP SLAVE")
    account = servers.accounts.replication
    replica.run(replication_statements(replica.flavor, servers.primary.port, account))


def test_an_address_that_leads_to_another_server_is_not_read_from(
    pair: Sandbox, router: RouterFactory
) -> None:
    """A name or a virtual address moves: not one row of the other server reaches a client, however soon it asks."""
    pair.primary.run(["CREATE DATABASE ours", "CREATE TABLE ours.t AS SELECT 'ours' AS v"])
    pair.wait_in_sync()
    options = {"server_id": "77"} if pair.flavor is Flavor.MARIADB else None
    replica = pair.replicas[0]
    config = PATIENT_ROUTER + "[reads]\nprimary_weight = 0\n"
    with start(pair.flavor, 0, options) as others, Link(replica.host, replica.port) as link:
        app = pair.app
        others.primary.run(
            [
                f"DROP USER IF EXISTS '{app.user}'@'%'",
                f"CREATE USER '{app.user}'@'%' IDENTIFIED BY '{app.password}'",
                f"GRANT ALL ON *.* TO '{app.user}'@'%'",
                f"DROP USER IF EXISTS '{pair.monitor.user}'@'%'",
                f"CREATE USER '{pair.monitor.user}'@'%' IDENTIFIED BY '{pair.monitor.password}'",
                f"GRANT ALL ON *.* TO '{pair.monitor.user}'@'%'",
                "CREATE DATABASE ours",
                "CREATE TABLE ours.t AS SELECT 'theirs' AS v",
                "SET GLOBAL read_only = 1",
            ]
        )
        front = router(Listed(pair, [pair.primary.address, link.address]), config=config)
        eventually(lambda: states(front) == ["up"] * 2, "both are well")
        with front.connect() as connection, connection.cursor() as cursor:
            assert values(cursor) == {"ours"}
            link.lead_to(others.primary.host, others.primary.port)
            for _ in range(5):
                with front.connect() as other, other.cursor() as new:
                    assert values(new) == {"ours"}
            link.cut_all()
            assert values(cursor) == {"ours"}
            for _ in range(5):
                with front.connect() as other, other.cursor() as new:
                    assert values(new) == {"ours"}
        assert "another server answers at its address" in front.log()
        eventually(lambda: "event=server_changed" in front.log(), "the monitor has seen it, too")
        eventually(lambda: states(front) == ["up", "lagging"], "it is no replica")
        link.lead_to(replica.host, replica.port)
        link.cut_all()
        eventually(lambda: states(front) == ["up"] * 2, "it is back")


def values(cursor: Any) -> set[str]:
    """Return what some reads say."""
    found = set()
    for _ in range(4):
        cursor.execute("SELECT v FROM ours.t")
        found.add(cursor.fetchone()[0])
    return found


class Listed:
    """A sandbox whose servers a router is told by other addresses."""

    def __init__(self, sandbox: Sandbox, addresses: list[str]) -> None:
        self.servers = [SimpleNamespace(address=address) for address in addresses]
        self.monitor, self.app = sandbox.monitor, sandbox.app


def test_what_the_primary_lacks_is_an_alarm(pair: Sandbox) -> None:
    """A replica that was written to, until the primary has that, too."""
    replica = pair.replicas[0]
    with Watch(pair, monitor=PATIENT) as watch:
        watch.until_state(replica, State.UP)
        replica.query("SET GLOBAL read_only = 0")
        replica.query("CREATE DATABASE past_the_primary")
        replica.query(f"SET GLOBAL {'super_' if pair.flavor is Flavor.MYSQL else ''}read_only = 1")
        said = f"{replica.name} has transactions that the primary {pair.primary.name} lacks"
        watch.until(lambda seen: bool(alarms(seen, said)))
        assert watch.snapshot.primary == pair.primary.name
        if pair.flavor is Flavor.MARIADB:
            pair.primary.query("CREATE DATABASE IF NOT EXISTS other")
            watch.until(lambda seen: not alarms(seen, said))
