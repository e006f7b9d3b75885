"""Fixtures of the integration tests: real servers, a router before them, and a schema for each test.

`mysql` and `mariadb` are a primary and two replicas as local processes, started once for the whole run;
`cluster` is both in turn. A test that breaks its servers mends them before it ends, or starts its own with
`harness.start`. Where a statement ran: `rwrouter.sandbox.records.ran_on`.
"""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.options import Account
from rwrouter.sandbox.router import RouterProcess
from tests.integration.containers import Containers, running
from tests.integration.harness import RouterFactory, start


@pytest.fixture(scope="session")
def mysql() -> Iterator[Sandbox]:
    """Run a MySQL primary and two replicas, as local processes."""
    with start(Flavor.MYSQL) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Sandbox]:
    """Run a MariaDB primary and two replicas, as local processes."""
    with start(Flavor.MARIADB) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def containers() -> Iterator[Containers]:
    """Run a MySQL primary and two replicas in containers, of the image RWROUTER_TEST_IMAGE."""
    with running() as servers:
        yield servers


@pytest.fixture(params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Sandbox:
    """Each of `mysql` and `mariadb` in turn."""
    sandbox = request.getfixturevalue(request.param)
    assert isinstance(sandbox, Sandbox)
    return sandbox


@pytest.fixture
def marker() -> str:
    """Give a word that no other statement has in it, for `ran_on`."""
    return f"marker-{secrets.token_hex(8)}"


@pytest.fixture
def make_schema() -> Iterator["SchemaFactory"]:
    """Make a schema of a unique name on a sandbox, on all its servers; dropped at the end."""
    factory = SchemaFactory()
    yield factory
    factory.drop()


class SchemaFactory:
    """Makes schemas, and remembers them."""

    def __init__(self) -> None:
        self._made: list[tuple[Sandbox | Containers, str]] = []

    def __call__(self, sandbox: Sandbox | Containers) -> str:
        """Make a schema on *sandbox*, there on every server when this returns; return its name."""
        name = f"test_{secrets.token_hex(4)}"
        sandbox.primary.query(f"CREATE DATABASE {name}")
        self._made.append((sandbox, name))
        sandbox.wait_in_sync()
        return name

    def drop(self) -> None:
        """Drop what was made, where its primary still runs."""
        for sandbox, name in self._made:
            if sandbox.primary.is_running:
                sandbox.primary.query(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def schema(request: pytest.FixtureRequest, make_schema: SchemaFactory) -> str:
    """Make a schema of this test alone, on the cluster that it asks for; give its name."""
    for fixture in ("cluster", "mysql", "mariadb", "containers"):
        if fixture in request.fixturenames:
            return make_schema(request.getfixturevalue(fixture))
    raise LookupError("the fixture `schema` needs `mysql`, `mariadb`, `cluster` or `containers` beside it")


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RouterFactory]:
    """Start routers: `router(cluster, "--workers", "2")`. They end with the test; no log has a traceback.

    Keywords: *wait* (default True: return when an application can read through it), *environment*, *weights*
    (one per server), *config* (the text of a file), *monitor* (another account than the right one).
    """
    made: list[RouterProcess] = []

    def factory(
        servers: Sandbox | Containers,
        *arguments: str,
        wait: bool = True,
        environment: dict[str, str] | None = None,
        weights: Sequence[int] | None = None,
        config: str | None = None,
        monitor: Account | None = None,
    ) -> RouterProcess:
        if "--workers" not in arguments:
            arguments = (*arguments, "--workers", "1")
        addresses = [server.address for server in servers.servers]
        if weights is not None:
            addresses = [f"{address},weight={n}" for address, n in zip(addresses, weights, strict=True)]
        if config is not None:
            path = tmp_path / "rwrouter.toml"
            path.write_text(config)
            arguments = ("--config", str(path), *arguments)
        account = monitor or servers.monitor
        process = RouterProcess(addresses, account, servers.app, arguments, environment)
        made.append(process)
        process.wait_listening()
        if wait:
            process.wait_ready()
        return process

    yield factory
    logs = []
    for process in made:
        try:
            process.stop()
        finally:
            logs.append(process.log())
            process.close()
    for log in logs:
        assert "Traceback" not in log, log
