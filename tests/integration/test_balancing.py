"""Which server answers, on real servers: strategies, weights, drained servers, reads of others' writes."""

import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from click.testing import CliRunner

from rwrouter.cli.main import main
from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import ran_on
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory, eventually

READS = 600
PAIRS = 200
DELAY = 2  # seconds by which the delayed replica is behind


def configured(tmp_path: Path, reads: str) -> tuple[str, str]:
    """Return the arguments for a router with these lines in [reads]."""
    path = tmp_path / "rwrouter.toml"
    path.write_text(f"[reads]\n{reads}\n")
    return "--config", str(path)


def read_many(router: RouterProcess, marker: str, times: int = READS, clients: int = 4) -> None:
    """Read *times* times with *marker*, from *clients* connections at one time."""
    failures: list[BaseException] = []

    def read() -> None:
        try:
            with closing(router.connect()) as connection, connection.cursor() as cursor:
                for _ in range(times // clients):
                    cursor.execute(f"SELECT 1 /* {marker} */")
        except pymysql.MySQLError as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("strategy", ["round_robin", "least_outstanding", "latency", "random"])
def test_replicas_share_the_reads(
    cluster: Sandbox, router: RouterFactory, tmp_path: Path, marker: str, strategy: str
) -> None:
    """By the servers' own records, two replicas alike have from a third to two thirds each, and none is lost."""
    process = router(cluster, *configured(tmp_path, f'strategy = "{strategy}"\nprimary_weight = 0'))
    read_many(process, marker)
    counts = Counter(ran_on(cluster, marker))
    assert sum(counts.values()) == READS
    assert cluster.primary.name not in counts
    bound = 0.47 if strategy == "round_robin" else 0.42 if strategy == "random" else 0.2
    assert min(counts[one.name] for one in cluster.replicas) > bound * READS, counts


def test_a_client_address_has_one_server(
    mariadb: Sandbox, router: RouterFactory, tmp_path: Path, marker: str
) -> None:
    """All connections of one address read from one replica."""
    process = router(mariadb, *configured(tmp_path, 'strategy = "client_hash"\nprimary_weight = 0'))
    read_many(process, marker, 100)
    assert len(set(ran_on(mariadb, marker))) == 1


def command(process: RouterProcess, *arguments: str) -> str:
    """Run `rwrouter` with *arguments* against *process*; return what it prints."""
    done = CliRunner().invoke(main, [*arguments, "--admin", f"127.0.0.1:{process.admin_port}"])
    assert done.exit_code == 0, done.output
    return done.output


def states(process: RouterProcess) -> dict[str, str]:
    """Return the state of each server, as the router tells it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{process.admin_port}/v1/status", timeout=30) as answer:
        return {server["name"]: server["state"] for server in json.load(answer)["servers"]}


def test_a_drained_server_finishes_and_takes_nothing_new(
    cluster: Sandbox, router: RouterFactory, tmp_path: Path, marker: str, schema: str
) -> None:
    """An open read-only transaction on it goes on to its end; reads go elsewhere, until it is enabled."""
    process = router(cluster, *configured(tmp_path, "primary_weight = 0"))
    drained, other = cluster.replicas
    with closing(process.connect()) as connection, connection.cursor() as cursor:
        for _ in range(4):
            cursor.execute("START TRANSACTION READ ONLY")
            cursor.execute("SELECT @@port")
            if cursor.fetchone() == (drained.port,):
                break
            cursor.execute("COMMIT")
        name = drained.address
        assert command(process, "drain", name) == f"{name}: draining, weight 100\n"
        eventually(lambda: states(process)[name] == "draining", "it is shown as draining")
        read_many(process, marker, 100)
        assert set(ran_on(cluster, marker)) == {other.name}
        cursor.execute("SELECT @@port")
        assert cursor.fetchone() == (drained.port,), "the transaction is still there"
        cursor.execute("COMMIT")
    command(process, "enable", name)
    command(process, "weight", name, "300")
    after = f"{marker}-after"
    eventually(lambda: states(process)[name] == "up", "it takes work again")
    read_many(process, after, 400)
    assert Counter(ran_on(cluster, after))[drained.name] >= 290


@contextmanager
def delayed(sandbox: Sandbox) -> Iterator[None]:
    """Hold one replica back by DELAY seconds."""
    replica = sandbox.replicas[0]
    if replica.flavor is Flavor.MARIADB:
        stop, change, start = "STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY={}", "START SLAVE"
    else:
        stop, change = "STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_DELAY={}"
        start = "START REPLICA"
    for statement in (stop, change.format(DELAY), start):
        replica.query(statement)
    try:
        yield
    finally:
        for statement in (stop, change.format(0), start):
            replica.query(statement)
        sandbox.wait_in_sync()


def stale_reads(process: RouterProcess, schema: str) -> int:
    """Write on one connection and read on another, PAIRS times; return how often the write was not seen."""
    stale = 0
    options: dict[str, Any] = {"database": schema}
    with (
        closing(process.connect(**options)) as writer,
        closing(process.connect(**options)) as reader,
        writer.cursor() as write,
        reader.cursor() as read,
    ):
        for number in range(PAIRS):
            write.execute("INSERT INTO t VALUES (%s)", (number,))
            read.execute("SELECT COUNT(*) FROM t WHERE id = %s", (number,))
            stale += read.fetchone() != (1,)
        write.execute("DELETE FROM t")
    return stale


def test_a_global_read_sees_the_writes_of_others(
    cluster: Sandbox, router: RouterFactory, tmp_path: Path, schema: str
) -> None:
    """With a replica held back: no stale read at level global, many at level eventual; replicas still answer."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (id INT PRIMARY KEY)")
    cluster.wait_in_sync()
    lines = 'primary_weight = 0\nwait = "50ms"\nconsistency = '
    with delayed(cluster):
        assert stale_reads(router(cluster, *configured(tmp_path, lines + '"eventual"')), schema) > 0
        time.sleep(DELAY)
        process = router(cluster, *configured(tmp_path, lines + '"global"'), "--workers", "2")
        assert stale_reads(process, schema) == 0
        with urllib.request.urlopen(f"http://127.0.0.1:{process.admin_port}/v1/status", timeout=30) as answer:
            status = json.load(answer)
        reads = {server["name"]: server["reads"] for server in status["servers"]}
        assert reads[cluster.replicas[1].address] > PAIRS / 4, reads
