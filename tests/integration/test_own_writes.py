"""Read your own writes: with a replica whose applier stands still, no session misses what it wrote."""

import contextlib
import threading
from collections.abc import Iterator

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory

CLIENTS = 4
PAIRS = 60


@contextlib.contextmanager
def standing_still(cluster: Sandbox) -> Iterator[None]:
    """Delay one replica by minutes; its lag is not above the routers' limit in these tests."""
    replica = cluster.replicas[0]
    if cluster.flavor is Flavor.MYSQL:
        delay = "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {}"
        stop, start = "STOP REPLICA SQL_THREAD", "START REPLICA SQL_THREAD"
    else:
        delay, stop, start = "CHANGE MASTER TO MASTER_DELAY = {}", "STOP SLAVE", "START SLAVE"
    for statement in (stop, delay.format(600), start):
        replica.query(statement)
    try:
        yield
    finally:
        for statement in (stop, delay.format(0), start):
            replica.query(statement)
        cluster.wait_in_sync()


def stale_reads(process: RouterProcess, schema: str) -> int:
    """Insert and select, by several clients at once; return how many selects missed their insert."""
    stale: list[int] = []
    trouble: list[str] = []

    def work(client: int) -> None:
        try:
            with process.connect(database=schema) as connection, connection.cursor() as cursor:
                for n in range(PAIRS):
                    key = client * PAIRS + n
                    cursor.execute("INSERT INTO t VALUES (%s)", (key,))
                    cursor.execute("SELECT a FROM t WHERE a = %s", (key,))
                    if cursor.fetchall() != ((key,),):
                        stale.append(key)
        except Exception as exc:  # noqa: BLE001 - told by the assertion below
            trouble.append(repr(exc))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not trouble, trouble
    return len(stale)


def test_no_read_is_stale(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """At the level session each select sees its insert; at eventual some do not, so that the test can see it."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    cluster.wait_in_sync()
    text = '[reads]\nmax_lag = "1h"\nwait = "50ms"\nconsistency = "{}"\n'
    with standing_still(cluster):
        assert stale_reads(router(cluster, config=text.format("session")), schema) == 0
        cluster.primary.query(f"DELETE FROM {schema}.t")
        assert stale_reads(router(cluster, config=text.format("eventual")), schema) > 0
