"""A name that does not resolve any more: who is connected goes on, who comes new is told, or served elsewhere."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest

from rwrouter.sandbox import Sandbox
from rwrouter.sandbox import router as sandbox_router
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import eventually, missing
from tests.integration.test_health import PATIENT, states

NAMES = ("db-primary.test", "db-replica1.test", "db-replica2.test")
Known = Callable[..., None]


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Known:
    """Say which names resolve, to routers that are started in this test: they have an /etc/hosts of their own."""
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        missing("a test of names gives the router a file system of its own, which root may do")
    hosts = tmp_path / "hosts"
    plain = Path("/etc/hosts").read_text()
    honest = sandbox_router.command

    def command(*arguments: object) -> list[str]:
        line = honest(*arguments)  # type: ignore[arg-type]
        return ["unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh", *line]

    monkeypatch.setattr(sandbox_router, "command", command)

    def resolve(*names: str) -> None:
        hosts.write_text(plain + "".join(f"127.0.0.1 {name}\n" for name in names))

    resolve(*NAMES)
    return resolve


@pytest.fixture
def front(cluster: Sandbox, known: Known, tmp_path: Path) -> Iterator[RouterProcess]:
    """Run a router that knows the servers by name."""
    assert known is not None
    config = tmp_path / "rwrouter.toml"
    config.write_text(PATIENT + '[limits]\nprimary_wait = "2s"\n[reads]\nprimary_weight = 0\n')
    listed = [
        f"{name}:{server.port},name={server.name}"
        for name, server in zip(NAMES, cluster.servers, strict=True)
    ]
    arguments = ("--config", str(config), "--workers", "1")
    with RouterProcess(listed, cluster.monitor, cluster.app, arguments) as process:
        process.wait_ready()
        yield process


def test_names_that_stop_resolving(cluster: Sandbox, front: RouterProcess, known: Known, schema: str) -> None:
    """No connection that works is ended, in a transaction or not; a new client reads where it can."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT)")
    cluster.wait_in_sync()
    eventually(lambda: states(front) == ["up"] * 3, "all are well")
    with front.connect(database=schema) as connection, connection.cursor() as old:
        for _ in range(6):
            old.execute("SELECT 1")
        old.execute("BEGIN")
        old.execute("INSERT INTO t VALUES (1)")
        known(NAMES[2])
        with front.connect(database=schema) as other, other.cursor() as new:
            for _ in range(6):
                assert new.execute("SELECT COUNT(*) FROM t") == 1
            with pytest.raises(pymysql.err.OperationalError, match="no primary took it within 2 s") as told:
                new.execute("INSERT INTO t VALUES (2)")
            assert NAMES[0] in str(told.value) or cluster.primary.name in str(told.value)
            assert "Name or service not known" in str(told.value)
        old.execute("INSERT INTO t VALUES (3)")
        old.execute("COMMIT")
        assert states(front) == ["up"] * 3
        known(*NAMES)
        with front.connect(database=schema) as other, other.cursor() as new:
            assert new.execute("INSERT INTO t VALUES (4)") == 1
    assert [row["a"] for row in cluster.primary.query(f"SELECT a FROM {schema}.t ORDER BY a")] == [1, 3, 4]
    assert "event=server_down" not in front.log()
