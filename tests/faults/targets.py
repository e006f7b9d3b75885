"""The routers that the lab torments: rwrouter, and MySQL Router as another that splits by itself.

MySQL Router splits only with the metadata that `benchmarks/mysql_router.py` writes. Nobody changes them when roles
change, as MySQL Shell's `setPrimaryInstance` would; scenarios with a new primary do that themselves, by `promoted`.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final

import pymysql

from benchmarks import mysql_router
from rwrouter.sandbox import Sandbox, SandboxServer
from rwrouter.sandbox.janitor import Janitor
from rwrouter.sandbox.router import RouterProcess
from rwrouter.sandbox.server import free_port
from tests.faults.load import PATIENCE, SCHEMA


class Target(ABC):
    """A router before the servers of a sandbox."""

    name: ClassVar[str]
    mode: ClassVar[str]  # how it is set up, for the table

    def __init__(self, servers: Sandbox) -> None:
        self.servers = servers
        self.port = 0

    @abstractmethod
    def start(self) -> None:
        """Start it, and return when an application can read through it."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    @abstractmethod
    def log(self) -> str:
        """Return what it has said."""

    @abstractmethod
    def promoted(self, server: SandboxServer) -> None:
        """Tell it who is primary now, where it can't see that itself."""

    def connect(self) -> Any:
        """Log in as the application; the caller closes."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.servers.app.user,
            password=self.servers.app.password,
            database=SCHEMA,
            autocommit=True,
            connect_timeout=PATIENCE,
            read_timeout=PATIENCE,
            write_timeout=PATIENCE,
        )

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return when it serves. Raises what the last attempt raised after *timeout* seconds."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                with self.connect() as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                    return
            except pymysql.MySQLError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)


class RwRouter(Target):
    """This project's router, with the settings it has by itself."""

    name = "rwrouter"
    mode = "its default settings, one worker"

    def __init__(self, servers: Sandbox, settings: str = "") -> None:
        """*settings* is the text of a rwrouter.toml."""
        super().__init__(servers)
        self._settings = settings
        self._process: RouterProcess | None = None
        self._last = ""

    def start(self) -> None:
        """Start it."""
        named = [f"{server.address},name={server.name}" for server in self.servers.servers]
        arguments = ["--workers", "1"]
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            if self._settings:
                file.write(self._settings)
                file.flush()
                arguments += ["--config", file.name]
            self._process = RouterProcess(named, self.servers.monitor, self.servers.app, arguments)
            self._process.wait_ready()
        self.port = self._process.port
        self.wait_ready()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._last = self._process.log()
            self._process.close()
            self._process = None

    def promoted(self, server: SandboxServer) -> None:
        """Say nothing: it sees that itself."""

    def log(self) -> str:
        """Return its log."""
        return self._process.log() if self._process is not None else self._last


CLUSTER: Final = "lab"


def version_of_mysql_router(root: Path) -> str:
    """Return the version of the MySQL Router in *root*."""
    done = subprocess.run(
        [*mysql_router.program(root), "--version"], capture_output=True, text=True, check=True
    )
    found = re.search(r"Ver (\S+)", done.stdout)
    return found[1] if found else done.stdout.strip()


class MySQLRouter(Target):
    """MySQL Router: access_mode=auto, connection sharing, own writes waited for (its default)."""

    name = "MySQL Router"
    mode = (
        "version {version}, `access_mode=auto` with connection sharing, `wait_for_my_writes`, "
        "metadata of a ReplicaSet (made by hand), TTL 0.5 s"
    )

    def __init__(self, servers: Sandbox, root: Path) -> None:
        super().__init__(servers)
        self._root = root
        self._folder = Path(tempfile.mkdtemp(prefix="rwrouter-"))
        self._janitor = Janitor()
        self._janitor.directory(self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._last = ""

    def start(self) -> None:
        """Write the metadata and its configuration, and start it."""
        mysql_router.write_metadata(self.servers, CLUSTER)
        folder, servers = self._folder, self.servers
        for name in ("server-cert.pem", "server-key.pem"):
            shutil.copy(servers.primary.data / name, folder / name)
        keyring = mysql_router.program(self._root, "mysqlrouter_keyring")
        mysql_router.write_keyring(folder, keyring, servers.root.user, servers.root.password)
        mysql_router.write_state(folder, servers, CLUSTER)
        self.port = free_port()
        (folder / "mysqlrouter.conf").write_text(self._configuration())
        with (folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [*mysql_router.program(self._root), "--config", str(folder / "mysqlrouter.conf")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ),
                start_new_session=True,
            )
        self._janitor.process(self._process.pid)
        self.wait_ready()

    def _configuration(self) -> str:
        folder = self._folder
        return f"""\
[DEFAULT]
logging_folder=
runtime_folder={folder}
data_folder={folder}
keyring_path={folder}/keyring
master_key_path={folder}/keyring.key
dynamic_state={folder}/state.json
plugin_folder={self._root}/usr/lib/mysqlrouter/plugin
[logger]
level=INFO
[io]
threads=1
[connection_pool]
max_idle_server_connections=64
[metadata_cache:{CLUSTER}]
cluster_type=rs
router_id={mysql_router.ROUTER_ID}
metadata_cluster={CLUSTER}
user={self.servers.root.user}
ssl_mode=PREFERRED
ttl=0.5
[routing:lab]
bind_address=127.0.0.1
bind_port={self.port}
protocol=classic
max_connect_errors=4294967295
destinations=metadata-cache://{CLUSTER}/?role=PRIMARY_AND_SECONDARY
routing_strategy=round-robin
access_mode=auto
connection_sharing=1
client_ssl_mode=PREFERRED
client_ssl_cert={folder}/server-cert.pem
client_ssl_key={folder}/server-key.pem
server_ssl_mode=PREFERRED
"""

    def promoted(self, server: SandboxServer) -> None:
        """Write the new roles into the metadata, as MySQL Shell does at the end of a switchover."""
        uuid = server.value("SELECT @@server_uuid")
        server.query(
            f"UPDATE {mysql_router.METADATA}.v2_ar_members SET view_id = view_id + 1, "
            f"member_role = IF(member_id = '{uuid}', 'PRIMARY', 'SECONDARY')"
        )

    def stop(self) -> None:
        """End it."""
        self._last = self.log()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGKILL)
        self._process = None
        self._janitor.close()

    def log(self) -> str:
        """Return its log."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else self._last
