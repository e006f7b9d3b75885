"""The MySQL servers that every proxy stands before, with sysbench's table of 200,000 rows in them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pymysql

from rwrouter.model import Flavor
from rwrouter.sandbox.cluster import Sandbox

ROWS: Final = 200_000
SCHEMA: Final = "sbtest"
OPTIONS: Final = {
    "innodb_buffer_pool_size": "256M",
    "innodb_redo_log_capacity": "256M",
    "max_connections": "4000",
    "back_log": "1000",
    "binlog_expire_logs_seconds": "600",
    "performance_schema_consumer_events_statements_history": "OFF",
    "performance_schema_consumer_events_statements_history_long": "OFF",
}


def default_root() -> Path | None:
    """Return the root file system that docker/make-rootfs makes, None where it has not been made."""
    cache = os.environ.get("RWROUTER_CACHE", "/var/cache/rwrouter")
    root = Path(os.environ.get("RWROUTER_ROOTFS", f"{cache}/sid-rootfs"))
    return root if (root / "usr/sbin/mysqld").exists() else None


@dataclass(frozen=True, slots=True)
class Servers:
    """A primary and its replicas, listening on 127.0.0.1."""

    primary: int  # port
    replicas: tuple[int, ...]  # ports
    user: str
    password: str
    monitor_user: str
    monitor_password: str
    version: str
    certificates: Path  # folder: server-cert.pem and its key; client-cert.pem, its key and cacert.pem
    sandbox: Sandbox

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports, the primary's first."""
        return (self.primary, *self.replicas)


def login(port: int, user: str, password: str) -> pymysql.Connection:  # type: ignore[type-arg]
    """Connect without TLS. A first login also fills the server's cache of caching_sha2_password."""
    return pymysql.connect(
        host="127.0.0.1",
        port=port,
        user=user,
        password=password,
        database=SCHEMA,
        ssl_disabled=True,
        connect_timeout=5,
        read_timeout=20,
        autocommit=True,
    )


@contextmanager
def servers(root: Path | None, cores: set[int], replicas: int = 2) -> Iterator[Servers]:
    """Start the servers on *cores*, fill them, and end them afterwards. Raises SandboxError."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # children inherit it
    try:
        sandbox = Sandbox.start(replicas=replicas, flavor=Flavor.MYSQL, root=root, options=OPTIONS)
    finally:
        os.sched_setaffinity(0, before)
    with sandbox, tempfile.TemporaryDirectory(prefix="rwrouter-bench-") as folder:
        certificates = Path(folder)
        copy_certificates(sandbox, root, certificates)
        app = sandbox.app
        sandbox.primary.query(f"CREATE DATABASE {SCHEMA}")
        subprocess.run(
            [
                "sysbench",
                "oltp_read_write",
                *sysbench_options(sandbox.primary.port, app.user, app.password),
                "prepare",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        sandbox.wait_in_sync(timeout=120)
        for server in sandbox.servers:
            with login(server.port, app.user, app.password) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT SUM(LENGTH(c) + LENGTH(pad)) FROM sbtest1")  # warm the buffer pool
        yield Servers(
            primary=sandbox.primary.port,
            replicas=tuple(server.port for server in sandbox.replicas),
            user=app.user,
            password=app.password,
            monitor_user=sandbox.monitor.user,
            monitor_password=sandbox.monitor.password,
            version=str(sandbox.primary.value("SELECT VERSION()")),
            certificates=certificates,
            sandbox=sandbox,
        )


def copy_certificates(sandbox: Sandbox, root: Path | None, folder: Path) -> None:
    """Copy what the primary made for itself at its first start, the authority by sysbench's name for it."""
    inside = Path(str(sandbox.primary.value("SELECT @@datadir")))
    data = root / inside.relative_to("/") if root else inside
    for name in ("server-cert.pem", "server-key.pem", "client-cert.pem", "client-key.pem"):
        shutil.copy(data / name, folder / name)
    shutil.copy(data / "ca.pem", folder / "cacert.pem")


def sysbench_options(port: int, user: str, password: str) -> list[str]:
    """Return sysbench's options for the table behind *port*."""
    return [
        "--db-driver=mysql",
        "--mysql-host=127.0.0.1",
        f"--mysql-port={port}",
        f"--mysql-user={user}",
        f"--mysql-password={password}",
        f"--mysql-db={SCHEMA}",
        "--tables=1",
        f"--table-size={ROWS}",
    ]
