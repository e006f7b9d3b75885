"""Each driver's program sees the same through the router as on the primary, and its reads are spread.

A dump is consistent, and restores through the router.

The programs are in tests/drivers, one for each language; `steps.py` is the list of what each of them does.
"""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rwrouter.config.certificate import ensure_certificate
from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import ran_on
from rwrouter.sandbox.router import RouterProcess
from tests.drivers import page, transcript
from tests.drivers.catalogue import DRIVERS, HERE, REPOSITORY, Driver, NotHere
from tests.integration.conftest import SchemaFactory
from tests.integration.harness import missing, start

TIMEOUT = 300  # seconds for one program: most take two, where the machine is free
READS = 40  # of the step pool.reads
# A busy machine must not take replicas out, nor hold the writes of the direct run beside it against one of them.
PATIENT = """
[monitor]
timeout = "30s"
[reads]
max_lag = "300s"
slow_start = "0s"
[limits]
connect_timeout = "60s"
handshake_timeout = "60s"
"""


@pytest.fixture(scope="module", params=list(Flavor))
def routed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Sandbox, RouterProcess, Path]]:
    """Run servers with TLS and one router before them for all the programs; give its unix socket too."""
    directory = tmp_path_factory.mktemp("drivers")
    options = {}
    if request.param is Flavor.MARIADB:  # before 11.4 it makes no certificate of its own
        files = ensure_certificate(directory / "tls")
        options = {"ssl_cert": str(files.certificate), "ssl_key": str(files.key)}
    socket = directory / "router.sock"
    with start(request.param, options=options) as sandbox:
        settings = directory / "rwrouter.toml"
        settings.write_text(PATIENT)
        arguments = ["--config", str(settings), "--workers", "1", "--listen", f"unix:{socket}"]
        addresses = [server.address for server in sandbox.servers]
        with RouterProcess(addresses, sandbox.monitor, sandbox.app, arguments) as router:
            router.wait_ready()
            yield sandbox, router, socket
            router.stop()
            assert "Traceback" not in router.log(), router.log()


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Remember the command lines of programs that were built."""
    return {}


def run(command: list[str], environment: Mapping[str, str]) -> str:
    """Run a program; return what it printed. AssertionError with its errors if it failed."""
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr[-3000:]}\nafter: {done.stdout[-600:]}"
    return done.stdout


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_a_program_sees_the_same_through_the_router(
    routed: tuple[Sandbox, RouterProcess, Path],
    commands: dict[str, list[str]],
    driver: Driver,
    make_schema: SchemaFactory,
    marker: str,
    tmp_path: Path,
) -> None:
    """Each step gives the same on the primary and through the router; reads of the latter ran on replicas."""
    sandbox, router, socket = routed
    if driver.name not in commands:
        try:
            commands[driver.name] = driver.prepare(tmp_path)
        except NotHere as reason:
            missing(str(reason))
    infile = tmp_path / "rows.txt"
    infile.write_text("".join(f"{n}\twört 🐬 {n}\n" for n in range(500)), encoding="utf-8")

    def ways() -> Iterator[tuple[dict[str, str], dict[str, str]]]:
        for host, port, path, mark in (
            (sandbox.primary.host, sandbox.primary.port, sandbox.primary.socket, "direct"),
            (router.host, router.port, str(socket), marker),
        ):
            schema, other = make_schema(sandbox), make_schema(sandbox)
            yield (
                {
                    "DRIVERS_HOST": host,
                    "DRIVERS_PORT": str(port),
                    "DRIVERS_SOCKET": path,
                    "DRIVERS_USER": sandbox.app.user,
                    "DRIVERS_PASSWORD": sandbox.app.password,
                    "DRIVERS_SCHEMA": schema,
                    "DRIVERS_OTHER": other,
                    "DRIVERS_MARKER": mark,
                    "DRIVERS_INFILE": str(infile),
                    "DRIVERS_FLAVOR": str(sandbox.flavor),
                    "DRIVERS_TABLES": str(HERE / "tables.sql"),
                },
                {schema: "SCHEMA", other: "OTHER"},
            )

    both = list(ways())
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, commands[driver.name], environment) for environment, _ in both]
        direct, through = (
            transcript.read(done.result(), names) for done, (_, names) in zip(runs, both, strict=True)
        )
    transcript.check(direct)
    assert not (found := transcript.differences(direct, through)), found
    if os.environ.get("RWROUTER_WRITE_DOCS"):
        page.write(driver, through)
    told = page.rows().get(f"{driver.title} {driver.language}")
    assert told == page.cells(through.absent), "docs/drivers.md says otherwise: make drivers DOCS=1"
    where = ran_on(sandbox, marker)
    assert len(where) == READS, where
    for replica in sandbox.replicas:
        assert where.count(replica.name) > READS // 5, where


def client(program: str, router: RouterProcess, *arguments: str, given: bytes = b"") -> bytes:
    """Run one of MariaDB's client programs through *router*; return what it printed."""
    if shutil.which(program) is None:
        missing(f"no {program}: tools/install-packages drivers")
    login = [f"--host={router.host}", f"--port={router.port}", f"--user={router.app.user}"]
    command = [program, "--no-defaults", *login, f"--password={router.app.password}", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_a_dump_is_consistent_and_restores_through_the_router(
    routed: tuple[Sandbox, RouterProcess, Path], make_schema: SchemaFactory
) -> None:
    """`mariadb-dump --single-transaction` beside a writer: one connection, on the primary, one moment."""
    sandbox, router, _ = routed
    schema, restored = make_schema(sandbox), make_schema(sandbox)
    one, two = f"one_{schema}", f"two_{schema}"
    with router.connect(database=schema) as connection, connection.cursor() as cursor:
        for table in (one, two):
            cursor.execute(
                f"CREATE TABLE {table} (id INT PRIMARY KEY, amount INT, word TEXT, bytes BLOB) CHARSET utf8mb4"
            )
            rows = [(n, 100, "wört 🐬", bytes(range(256))) for n in range(2000)]
            cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s, %s, %s)", rows)
        cursor.execute("CREATE FUNCTION twice (a INT) RETURNS INT DETERMINISTIC RETURN 2 * a")
        cursor.execute(
            f"CREATE TRIGGER t BEFORE INSERT ON {one} FOR EACH ROW SET NEW.amount = NEW.amount + 0"
        )
    stop = threading.Event()

    def move() -> int:
        """Move amounts from one table to the other: their sum never changes."""
        moved = 0
        with router.connect(database=schema, autocommit=False) as connection, connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute(f"UPDATE {one} SET amount = amount - 1 WHERE id = %s", (moved % 2000,))
                cursor.execute(f"UPDATE {two} SET amount = amount + 1 WHERE id = %s", (moved % 2000,))
                connection.commit()
                moved += 1
        return moved

    how = (
        "--single-transaction",
        "--routines",
        "--triggers",
        "--hex-blob",
        "--default-character-set=utf8mb4",
    )
    with ThreadPoolExecutor(1) as pool:
        mover = pool.submit(move)
        try:
            dump = client("mariadb-dump", router, *how, schema)
        finally:
            stop.set()
        assert mover.result() > 0
    assert set(ran_on(sandbox, f"`{one}`")) == {sandbox.primary.name}
    client("mariadb", router, "--default-character-set=utf8mb4", restored, given=dump)
    with router.connect(database=restored) as connection, connection.cursor() as cursor:
        for replica_or_not in range(3):
            cursor.execute(
                f"SELECT SUM(amount), COUNT(*), MIN(word), MAX(HEX(bytes)), twice({replica_or_not}) FROM "
                f"(SELECT * FROM {one} UNION ALL SELECT * FROM {two}) AS moved"
            )
            expected = (400_000, 4000, "wört 🐬", bytes(range(256)).hex().upper(), 2 * replica_or_not)
            assert cursor.fetchone() == expected
