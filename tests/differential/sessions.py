"""Two sessions side by side: one on the primary, one through the router, each in a schema of its own."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import pymysql

from rwrouter.model import Flavor
from rwrouter.protocol import flags
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.differential.compare import difference
from tests.differential.grammar import CHANGES_SCHEMA, FOREIGN_KEY, REFILL, SETUP
from tests.differential.steps import Query, Side, Step, run, shown
from tests.differential.view import DIRECT, ROUTED, View
from tests.differential.wire import MALFORMED, PATIENCE, SILENT, Client
from tests.integration.harness import start

ALWAYS: Final = (
    flags.CLIENT_LONG_FLAG
    | flags.CLIENT_PROTOCOL_41
    | flags.CLIENT_TRANSACTIONS
    | flags.CLIENT_LOCAL_FILES
    | flags.CLIENT_MULTI_RESULTS
    | flags.CLIENT_PS_MULTI_RESULTS
    | flags.CLIENT_PLUGIN_AUTH
    | flags.CLIENT_SECURE_CONNECTION
)
ALL: Final = (
    "CREATE DATABASE {s}",
    "CREATE DATABASE {o}",
    "CREATE TABLE {o}.far (id INT PRIMARY KEY)",
    "INSERT INTO {o}.far VALUES (1)",
    "USE {s}",
    *SETUP,
)
OPTIONAL: Final = (
    flags.CLIENT_DEPRECATE_EOF,
    flags.CLIENT_SESSION_TRACK,
    flags.CLIENT_MULTI_STATEMENTS,
    flags.CLIENT_QUERY_ATTRIBUTES,
    flags.CLIENT_FOUND_ROWS,
    flags.CLIENT_IGNORE_SPACE,
)
"""Capabilities that change what is sent, and that programs are run with and without."""


@dataclass(frozen=True)
class Greeted:
    """How both sessions log in."""

    capabilities: int = ALWAYS | flags.CLIENT_DEPRECATE_EOF
    collation: int = 45

    def __repr__(self) -> str:
        names = [
            f"flags.{name}"
            for name, value in vars(flags).items()
            if value in OPTIONAL and self.capabilities & value and name.startswith("CLIENT_")
        ]
        return f"Greeted({' | '.join(['ALWAYS', *names])}, {self.collation})"


class Difference(AssertionError):
    """The two sessions were not told the same. Its text is the program, ready for regressions.py."""

    def __init__(self, told: str, greeted: Greeted, program: Sequence[Step]) -> None:
        super().__init__(f"{told}\n{greeted!r}, [\n{shown(program)}\n]")
        self.program = tuple(program)


class Bench:
    """Servers, and a router before them, on which pairs of sessions are opened one after another."""

    def __init__(self, cluster: Sandbox, router: RouterProcess) -> None:
        self.cluster = cluster
        self.router = router
        self.statements = 0  # run in pairs, since the start
        self._has_keys = False  # foreign ones
        self._usable = False  # the schemas are there, and nothing but their rows was changed
        self._root = cluster.primary.connect()

    def close(self) -> None:
        """Leave the servers as they were, if they are there."""
        with contextlib.suppress(pymysql.MySQLError):
            self._clear()
            self._root.close()

    def _clear(self) -> None:
        with self._root.cursor() as cursor:
            cursor.execute("XA RECOVER")
            for row in cursor.fetchall():
                name = row[3].decode() if isinstance(row[3], bytes) else row[3]
                with contextlib.suppress(pymysql.MySQLError):
                    cursor.execute(f"XA ROLLBACK '{name}'")
            for schema in (DIRECT, ROUTED):
                for name in (schema, f"{schema}_o"):
                    cursor.execute(f"DROP DATABASE IF EXISTS {name}")

    @contextlib.contextmanager
    def pair(self, greeted: Greeted, *, exact: bool = True) -> Iterator["Pair"]:
        """Open two sessions in schemas that are as new. *exact*: also where a difference is known, and harmless."""
        # With foreign keys MySQL 9.7 ends itself at times (row0sel.cc), whatever is in the child.
        has_keys = exact or self.cluster.flavor is Flavor.MARIADB
        if not self._usable or self._has_keys is not has_keys:
            self._usable = False
            self._clear()
        self._has_keys = has_keys
        with contextlib.ExitStack() as stack:
            sides = []
            primary = self.cluster.primary
            for schema, port in ((DIRECT, primary.port), (ROUTED, self.router.port)):
                client = Client(
                    (primary.host, port),
                    self.cluster.app,
                    capabilities=greeted.capabilities,
                    collation=greeted.collation,
                    # Where the server itself is silent there is nothing to compare (see `Pair.run`).
                    patience=5.0 if schema == DIRECT else PATIENCE,
                )
                stack.callback(client.close)
                sides.append(Side(client, schema))
            pair = Pair(self, greeted, *sides, exact=exact)
            for sql in ("USE {s}", *REFILL) if self._usable else ALL:
                pair.set_up(sql if has_keys else sql.replace(FOREIGN_KEY, ""))
            self._usable = False  # until the end, which an exception may spare us
            yield pair
            self._usable = not pair.changed


class Pair:
    """The two sessions, and the program that they have run."""

    def __init__(
        self, bench: Bench, greeted: Greeted, direct: Side, routed: Side, *, exact: bool = True
    ) -> None:
        self._views = [View(side.schema, bench.cluster.flavor, exact=exact) for side in (direct, routed)]
        self._bench = bench
        self._greeted = greeted
        self._direct = direct
        self._routed = routed
        self.program: list[Step] = []
        self.over = False  # both connections have ended
        self.changed = False  # a statement may have changed more than rows

    def set_up(self, sql: str) -> None:
        """Run *sql* on both, which must work."""
        for side in (self._direct, self._routed):
            reply = run(Query(sql), side)
            assert reply[-1].kind == "ok", (side.schema, sql, reply[-1])

    def run(self, step: Step) -> None:
        """Run *step* on both. Raises Difference."""
        if self.over:
            return
        self.program.append(step)
        self.changed = self.changed or bool(CHANGES_SCHEMA.search(repr(step)))
        self._bench.statements += 1
        direct = run(step, self._direct)
        if direct and direct[-1].kind == "lost" and direct[-1].payload in {SILENT, MALFORMED.encode()}:
            # The server itself gives half an answer (MySQL 9.7, EOF packets: an execution without a cursor behind one
            # with, where it has to be prepared anew, lacks the EOF behind its columns): nothing to compare.
            self.over = True
            return
        routed = run(step, self._routed)
        told = difference(self._views[0].of(direct), self._views[1].of(routed))
        if told:
            if routed and routed[-1].kind == "lost":
                log = "\n".join(self._bench.router.log().splitlines()[-5:])
                told += f"\n  ({routed[-1].payload.decode()}; the router's log:\n{log})"
            raise Difference(told, self._greeted, self.program)
        self.over = bool(direct) and direct[-1].kind == "lost"

    def play(self, program: Sequence[Step]) -> None:
        """Run all of *program*."""
        for step in program:
            self.run(step)


def flavor_flags(flavor: Flavor) -> tuple[int, ...]:
    """Return the optional capabilities that servers of *flavor* have."""
    return tuple(f for f in OPTIONAL if flavor is Flavor.MYSQL or f != flags.CLIENT_QUERY_ATTRIBUTES)


COLLATIONS: Final = (45, 45, 45, 8, 33, 28)  # utf8mb4, latin1, utf8mb3, gbk


def login(flavor: Flavor, random: Random) -> Greeted:
    """Return a way to log in, which *random* alone decides."""
    capabilities = ALWAYS
    for capability in flavor_flags(flavor):
        if random.random() < 0.5:
            capabilities |= capability
    return Greeted(capabilities, random.choice(COLLATIONS))


def shrink(program: list[Step], differs: Callable[[list[Step]], bool]) -> list[Step]:
    """Return a part of *program* that still differs, and from which no step can be left out."""
    size = max(1, len(program) // 2)
    while True:
        start, smaller = 0, False
        while start < len(program):
            rest = program[:start] + program[start + size :]
            if rest and differs(rest):
                program, smaller = rest, True
            else:
                start += size
        if size == 1 and not smaller:
            return program
        size = max(1, size // 2)


@contextlib.contextmanager
def bench(flavor: Flavor, delay: int = 0) -> Iterator[Bench]:
    """Start a primary, two replicas and a router before them; one replica is *delay* seconds behind."""
    quiet = {"general_log": "OFF"} if flavor is Flavor.MARIADB else {}  # hours of statements would fill it
    with start(flavor, options=quiet) as cluster:
        if delay:
            cluster.replicas[-1].delay(delay)
        addresses = [server.address for server in cluster.servers]
        with RouterProcess(addresses, cluster.monitor, cluster.app, ("--workers", "1")) as router:
            router.wait_ready()
            made = Bench(cluster, router)
            try:
                yield made
            finally:
                made.close()
