"""Read your own writes: with a replica whose applier stands still, no session misses what it wrote."""

import contextlib
import threading
from collections.abc import Iterator

from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory

CLIENTS = 4
PAIRS = 60


@contextlib.contextmanager
def standing_still(cluster: Sandbox) -> Iterator[None]:
    """Delay one replica by minutes; its lag is not above the routers' limit in these tests."""
    replica = cluster.replicas[0]
    replica.delay(600)
    try:
        yield
    finally:
        replica.delay(0)
        cluster.wait_in_sync()


def stale_reads(
    process: RouterProcess, schema: str, pair: str = "insert", reader: str = "same", hint: str = ""
) -> int:
    """Write and read, by several clients at once; return how many reads missed their write.

    *pair*: insert, or update (of a row of its own). *reader*: the same connection, or another one.
    """
    stale: list[int] = []
    trouble: list[str] = []

    def work(client: int) -> None:
        try:
            with (
                process.connect(database=schema) as writer,
                process.connect(database=schema) as other,
                writer.cursor() as write,
                (writer if reader == "same" else other).cursor() as read,
            ):
                for n in range(PAIRS):
                    key = client * PAIRS + n
                    if pair == "insert" or not n:
                        write.execute("INSERT INTO t VALUES (%s, 0)", (key,))
                    else:
                        key = client * PAIRS
                        write.execute("UPDATE t SET b = %s WHERE a = %s", (n, key))
                    read.execute(f"SELECT b FROM t WHERE a = %s {hint}", (key,))
                    if read.fetchall() != ((n if pair == "update" else 0,),):
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


CONFIG = '[reads]\nmax_lag = "1h"\nwait = "50ms"\nconsistency = "{}"\n'


def test_no_read_is_stale(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """At the level session each read sees its write; at eventual some do not, so that the test can see it."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY, b INT)")
    cluster.wait_in_sync()
    with standing_still(cluster):
        process = router(cluster, config=CONFIG.format("session"))
        for pair in ("insert", "update"):
            assert stale_reads(process, schema, pair) == 0, pair
            cluster.primary.query(f"DELETE FROM {schema}.t")
        assert stale_reads(router(cluster, config=CONFIG.format("eventual")), schema) > 0


def test_another_connection_sees_writes_at_global(
    cluster: Sandbox, router: RouterFactory, schema: str
) -> None:
    """At the level global, asked for by a rule, or with `session=NAME`; at session it need not."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY, b INT)")
    cluster.wait_in_sync()
    rule = f'\n[[rules]]\ndatabase = "{schema}"\nconsistency = "global"\n'
    with standing_still(cluster):
        process = router(cluster, config=CONFIG.format("session") + rule)
        assert stale_reads(process, schema, reader="other") == 0
        cluster.primary.query(f"DELETE FROM {schema}.t")
        process = router(cluster, config=CONFIG.format("session"))
        assert stale_reads(process, schema, reader="other", hint="/* rwrouter: session=me */") == 0
        cluster.primary.query(f"DELETE FROM {schema}.t")
        assert stale_reads(process, schema, reader="other") > 0
