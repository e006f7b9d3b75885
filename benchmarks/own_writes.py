"""Do sessions see what was written? Pairs of a write and a read, while a replica is delayed by seconds.

    PYTHONPATH=. python benchmarks/own_writes.py [--pairs 100000] [--flavors mysql,mariadb] [--out FILE]

Each client writes a row and reads it back through the router: by its own connection, or by another one that only
reads. A read that misses the write is stale. Where reads ran is asked of the servers' statement digests, in the
performance schema. One replica stands still for --delay seconds behind the primary; `healthy` has none that does.
"""

import argparse
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.servers import default_root
from rwrouter.model import Flavor
from rwrouter.sandbox.binaries import NoBinary, find
from rwrouter.sandbox.cluster import Sandbox
from rwrouter.sandbox.router import RouterProcess

OPTIONS: Final = {
    Flavor.MYSQL: {
        "performance_schema_consumer_events_statements_history": "OFF",
        "performance_schema_consumer_events_statements_history_long": "OFF",
    },
    Flavor.MARIADB: {"general_log": "OFF", "performance_schema": "ON"},
}
TABLE: Final = "own_writes"
ROWS: Final = 50  # of each client, for updates


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is run: *share* of --pairs. *reader*: the same connection, or another one of the same client."""

    name: str
    level: str
    kind: str  # insert, update
    reader: str  # same, other
    clients: int
    share: float
    delayed: bool = True


SCENARIOS: Final = (
    Scenario("healthy", "session", "insert", "same", 8, 0.1, delayed=False),
    Scenario("healthy", "session", "update", "same", 8, 0.1, delayed=False),
    Scenario("one delayed", "session", "insert", "same", 8, 0.1),
    Scenario("one delayed", "session", "update", "same", 8, 0.1),
    Scenario("one delayed", "eventual", "insert", "same", 8, 0.1),
    Scenario("one delayed", "eventual", "update", "same", 8, 0.1),
    Scenario("one delayed", "session", "insert", "same", 16, 1.0),
    Scenario("one delayed", "global", "insert", "other", 16, 1.0),
    Scenario("one delayed", "eventual", "insert", "other", 16, 0.2),
)


@dataclass(slots=True)
class Outcome:
    """One line of the table."""

    flavor: str
    scenario: str
    level: str
    kind: str
    reader: str
    clients: int
    pairs: int
    stale: int
    reads: dict[str, int]  # server -> reads, as it counted them
    seconds: float
    waits: int
    wait_timeouts: int

    @property
    def on_replicas(self) -> float:
        """Share of the reads that replicas answered."""
        total = sum(self.reads.values())
        return 1 - self.reads.get("primary", 0) / total if total else 0.0


def start(flavor: Flavor, replicas: int) -> Sandbox:
    """Start servers: of this machine, else of the root file system."""
    try:
        find(flavor)
    except NoBinary:
        if flavor is Flavor.MARIADB:
            raise
        return Sandbox.start(replicas, flavor=flavor, root=default_root(), options=OPTIONS[flavor])
    return Sandbox.start(replicas, flavor=flavor, options=OPTIONS[flavor])


@contextmanager
def delayed(sandbox: Sandbox, seconds: int) -> Iterator[None]:
    """Let the last replica apply everything *seconds* later."""
    replica = sandbox.replicas[-1]
    replica.delay(seconds)
    try:
        yield
    finally:
        replica.delay(0)
        sandbox.wait_in_sync()


class Load:
    """The clients of one scenario, each with its pairs."""

    def __init__(self, router: RouterProcess, schema: str, scenario: Scenario, pairs: int) -> None:
        self._router = router
        self._schema = schema
        self._scenario = scenario
        self._each = -(-pairs // scenario.clients)
        self.stale = 0
        self.pairs = 0
        self.trouble: list[str] = []
        self._lock = threading.Lock()

    def run(self) -> float:
        """Run all pairs; return how long it took, in seconds. Raises RuntimeError with what clients were told."""
        threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(self._scenario.clients)
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.trouble:
            raise RuntimeError("; ".join(sorted(set(self.trouble))))
        return time.monotonic() - began

    def _work(self, client: int) -> None:
        stale = done = 0
        try:
            with (
                self._router.connect(database=self._schema) as writer,
                self._router.connect(database=self._schema) as other,
                writer.cursor() as write,
                (writer if self._scenario.reader == "same" else other).cursor() as read,
            ):
                for n in range(self._each):
                    key, value = self._write(write, client, n)
                    read.execute(f"SELECT value FROM {TABLE} WHERE id = %s", (key,))
                    stale += read.fetchone() != (value,)
                    done += 1
        except Exception as exc:  # noqa: BLE001 - told by `run`
            self.trouble.append(repr(exc))
        with self._lock:
            self.stale += stale
            self.pairs += done

    def _write(self, cursor: Any, client: int, n: int) -> tuple[int, int]:
        if self._scenario.kind == "insert":
            key, value = 1_000_000 + client * self._each + n, n
            cursor.execute(f"INSERT INTO {TABLE} VALUES (%s, %s)", (key, value))
        else:
            key, value = client * ROWS + n % ROWS, n + 1
            cursor.execute(f"UPDATE {TABLE} SET value = %s WHERE id = %s", (value, key))
        return key, value


def reads_of(sandbox: Sandbox, schema: str) -> dict[str, int]:
    """Ask each server how many of the pairs' reads it has answered."""
    return {
        server.name: int(
            server.value(
                "SELECT COALESCE(SUM(COUNT_STAR), 0) FROM "
                "performance_schema.events_statements_summary_by_digest "
                f"WHERE SCHEMA_NAME = '{schema}' AND DIGEST_TEXT LIKE 'SELECT%{TABLE}%'"
            )
        )
        for server in sandbox.servers
    }


def counters_of(router: RouterProcess) -> dict[str, int]:
    """Ask the router for its counters."""
    with urllib.request.urlopen(f"http://127.0.0.1:{router.admin_port}/v1/status", timeout=10) as answer:
        return dict(json.load(answer)["totals"])


def run(sandbox: Sandbox, scenario: Scenario, pairs: int, number: int) -> Outcome:
    """Run one scenario in a schema of its own, through a router of its own."""
    schema = f"own_writes_{number}"
    primary = sandbox.primary
    primary.query(f"CREATE DATABASE {schema}")
    primary.query(f"CREATE TABLE {schema}.{TABLE} (id BIGINT PRIMARY KEY, value INT NOT NULL)")
    rows = ", ".join(f"({n}, 0)" for n in range(ROWS * scenario.clients))
    primary.query(f"INSERT INTO {schema}.{TABLE} VALUES {rows}")
    with TemporaryDirectory() as directory:
        config = Path(directory) / "rwrouter.toml"
        # A busy machine must not pass for dead servers: nothing of that is measured here.
        config.write_text(
            f'[reads]\nconsistency = "{scenario.level}"\n[monitor]\ntimeout = "10s"\nfall = 10\n'
        )
        arguments = ("--config", str(config), "--workers", "1")
        addresses = [f"{server.address},name={server.name}" for server in sandbox.servers]
        with RouterProcess(addresses, sandbox.monitor, sandbox.app, arguments) as router:
            router.wait_ready()
            load = Load(router, schema, scenario, pairs)
            seconds = load.run()
            time.sleep(1)  # counters are flushed a few times a second
            counters = counters_of(router)
    outcome = Outcome(
        sandbox.flavor.value,
        scenario.name,
        scenario.level,
        scenario.kind,
        scenario.reader,
        scenario.clients,
        load.pairs,
        load.stale,
        reads_of(sandbox, schema),
        round(seconds, 1),
        counters["waits"],
        counters["wait_timeouts"],
    )
    primary.query(f"DROP DATABASE {schema}")
    return outcome


HEAD: Final = (
    "| Servers | Replicas | Level | Writes | Read by | Clients | Pairs | Stale | Reads on replicas | Waits |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def line(found: Outcome) -> str:
    """Return *found* as a line of the Markdown table."""
    by_server = ", ".join(f"{name} {count:,}" for name, count in found.reads.items() if name != "primary")
    reader = "the same connection" if found.reader == "same" else "another connection"
    return (
        f"| {found.flavor} | {found.scenario} | `{found.level}` | {found.kind} | {reader} | {found.clients} "
        f"| {found.pairs:,} | **{found.stale:,}** | {found.on_replicas:.1%} ({by_server}) | {found.waits:,} |"
    )


def main() -> None:
    """Run all scenarios, or some; print the table; exit with 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=100_000, help="of the largest scenarios")
    parser.add_argument("--delay", type=int, default=5, help="of the last replica, in seconds")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--flavors", default="mysql,mariadb")
    parser.add_argument("--only", default="", help="numbers of scenarios, from 1, with commas")
    parser.add_argument("--out", type=Path, help="file for the outcomes, as JSON")
    options = parser.parse_args()
    chosen = [int(text) - 1 for text in options.only.split(",") if text] or range(len(SCENARIOS))
    outcomes: list[Outcome] = []
    print(HEAD, flush=True)
    for flavor in map(Flavor, options.flavors.split(",")):
        with start(flavor, options.replicas) as sandbox:
            for number in chosen:
                scenario = SCENARIOS[number]
                pairs = max(scenario.clients, int(options.pairs * scenario.share))
                if scenario.delayed:
                    with delayed(sandbox, options.delay):
                        outcomes.append(run(sandbox, scenario, pairs, number))
                else:
                    outcomes.append(run(sandbox, scenario, pairs, number))
                print(line(outcomes[-1]), flush=True)
                if options.out is not None:
                    options.out.write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")
    broken = [one for one in outcomes if one.stale and one.level in {"session", "global"}]
    blind = not any(one.stale for one in outcomes if one.level == "eventual")
    if broken or (blind and any(one.level == "eventual" for one in outcomes)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
