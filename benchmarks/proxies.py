"""The proxies that are compared: how each is configured, started on its core, and ended.

All stand before the same servers, to which they speak without TLS, listen on 127.0.0.1, and have one
thread (or one worker) on one core. Those that do not split reads from writes send all to the primary.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final

import mysql_router
import pymysql
from servers import Servers, login
from usage import tree

HERE: Final = Path(__file__).resolve().parent
PATIENCE: Final = 20.0  # seconds within which a proxy must let a client log in
CLUSTER: Final = "bench"  # what MySQL Router calls the servers


class Unavailable(Exception):
    """A proxy can't take part here; the message says why, and becomes its row."""


class Proxy(ABC):
    """A proxy before one set of servers. `start` it, read `pid`, `stop` it."""

    name: ClassVar[str]  # in options and in the raw data
    label: ClassVar[str]  # in tables and pictures
    product: ClassVar[str]  # whose version it has

    def __init__(self, servers: Servers, folder: Path, root: Path | None, core: int) -> None:
        """Prepare. *folder* is for its files, *root* where MySQL Router lies, *core* where it shall run."""
        self.servers = servers
        self.folder = folder / self.name
        self.root = root
        self.core = core
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def version(cls, root: Path | None) -> str:
        """Return the version as the program tells it. Raises Unavailable."""

    @abstractmethod
    def command(self) -> list[str]:
        """Write what files it needs and return its command line. Raises Unavailable."""

    def environment(self) -> dict[str, str]:
        """Return the variables of its environment."""
        return dict(os.environ)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / "output.log"

    @property
    def pid(self) -> int | None:
        """The process whose CPU counts, with its descendants."""
        return self.process.pid if self.process else None

    def processes(self) -> list[int]:
        """Return the ids of its processes, the first one's first; none where it does not run."""
        return tree(self.process.pid) if self.process else []

    def start(self) -> None:
        """Start it and return when a client can log in and read. Raises Unavailable."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["taskset", "--cpu-list", str(self.core), *self.command()]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                start_new_session=True,  # Ctrl-C is for us; we end it
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self.login() as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except (pymysql.MySQLError, OSError) as error:
                reason = str(error)
            else:
                return
            if self.process.poll() is not None:
                reason = f"it ended with {self.process.returncode}"
            if self.process.poll() is not None or time.monotonic() > deadline:
                last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
                self.stop()
                raise Unavailable(f"does not serve: {reason}; it says: {' / '.join(last) or 'nothing'}")
            time.sleep(0.1)

    def login(self) -> pymysql.Connection:  # type: ignore[type-arg]
        """Connect through it."""
        return login(self.port, self.servers.user, self.servers.password)

    def stop(self) -> None:
        """End it and its descendants, by their ids."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        family = tree(process.pid)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


class Direct(Proxy):
    """No proxy: the clients speak to the primary."""

    name = "direct"
    label = "direct"
    product = "direct"

    @classmethod
    def version(cls, root: Path | None) -> str:
        """There is none."""
        del root
        return ""

    def command(self) -> list[str]:
        """Nothing is run."""
        raise AssertionError("direct has no process")

    def start(self) -> None:
        """Point at the primary."""
        self.port = self.servers.primary


class Forwarder(Proxy):
    """The floor: forwarder.c, compiled here."""

    name = "forwarder"
    label = "C forwarder"
    product = "C compiler"

    @classmethod
    def version(cls, root: Path | None) -> str:
        """Return the compiler's version."""
        del root
        return first_line(["cc", "--version"])

    def command(self) -> list[str]:
        """Compile it."""
        binary = self.folder / "forwarder"
        subprocess.run(["cc", "-O2", "-o", str(binary), str(HERE / "forwarder.c")], check=True)
        return [str(binary), str(self.port), "127.0.0.1", str(self.servers.primary)]


class HAProxy(Proxy):
    """HAProxy in TCP mode."""

    name = "haproxy"
    label = "HAProxy (tcp)"
    product = "HAProxy"

    @classmethod
    def version(cls, root: Path | None) -> str:
        """Ask it."""
        del root
        return first_line(["haproxy", "-v"])

    def command(self) -> list[str]:
        """Write its configuration."""
        config = self.folder / "haproxy.cfg"
        config.write_text(f"""\
global
    nbthread 1
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 10m
    timeout server 10m
listen mysql
    bind 127.0.0.1:{self.port}
    server primary 127.0.0.1:{self.servers.primary}
""")
        return ["haproxy", "-db", "-f", str(config)]


class MySQLRouter(Proxy):
    """MySQL Router that forwards bytes (client_ssl_mode=PASSTHROUGH)."""

    name = "mysqlrouter"
    label = "MySQL Router, pass-through"
    product = "MySQL Router"

    @classmethod
    def program(cls, root: Path | None, name: str = "mysqlrouter") -> list[str]:
        """Return the command that runs *name*: the machine's own, or the one in *root*. Raises Unavailable.

        That in *root* is run by its own dynamic loader, so that it needs neither chroot nor its files here.
        """
        if root is not None and (root / "usr/bin" / name).exists():
            return mysql_router.program(root, name)
        found = shutil.which(name)
        if not found:
            raise Unavailable(f"no {name} here: make a root file system with docker/make-rootfs")
        return [found]

    @classmethod
    def version(cls, root: Path | None) -> str:
        """Ask it."""
        return first_line([*cls.program(root), "--version"])

    def command(self) -> list[str]:
        """Write its configuration."""
        program = self.program(self.root)
        plugins = Path("/usr/lib/mysqlrouter/plugin")
        if self.root is not None and program[-1].startswith(str(self.root)):
            plugins = self.root / plugins.relative_to("/")
        config = self.folder / "mysqlrouter.conf"
        config.write_text(f"""\
[DEFAULT]
logging_folder=
runtime_folder={self.folder}
data_folder={self.folder}
keyring_path={self.folder}/keyring
master_key_path={self.folder}/keyring.key
dynamic_state={self.folder}/state.json
plugin_folder={plugins}
max_total_connections=5000
[logger]
level=WARNING
[io]
threads=1
{self.sections()}
[routing:bench]
bind_address=127.0.0.1
bind_port={self.port}
protocol=classic
max_connect_errors=4294967295
{self.routing()}
""")
        return [*program, "--config", str(config)]

    def sections(self) -> str:
        """Return sections of other plugins."""
        return ""

    def routing(self) -> str:
        """Return what the section of the listener has besides its address."""
        return f"""\
destinations=127.0.0.1:{self.servers.primary}
routing_strategy=first-available
connection_sharing=0
client_ssl_mode=PASSTHROUGH"""


class MySQLRouterSharing(MySQLRouter):
    """MySQL Router that speaks the protocol and shares connections, before the primary.

    It shares only what it could log in again, so it must learn the password: with client_ssl_mode=DISABLED
    it can't, and says nothing of it. Given a key it learns it by RSA from a client without TLS.
    """

    name = "mysqlrouter-sharing"
    label = "MySQL Router, sharing"

    def sections(self) -> str:
        """Let it keep connections."""
        return "[connection_pool]\nmax_idle_server_connections=64"

    def routing(self) -> str:
        """Return the listener's options."""
        return f"""\
destinations=127.0.0.1:{self.servers.primary}
routing_strategy=first-available
{self.sharing()}"""

    def sharing(self) -> str:
        """Return the options that let it share; the key pair is the primary's own."""
        return f"""\
connection_sharing=1
client_ssl_mode=PREFERRED
client_ssl_cert={self.servers.certificates}/server-cert.pem
client_ssl_key={self.servers.certificates}/server-key.pem
server_ssl_mode=DISABLED"""


class MySQLRouterSplitting(MySQLRouterSharing):
    """MySQL Router that splits reads and writes over the primary and the replicas."""

    name = "mysqlrouter-splitting"
    label = "MySQL Router, sharing, splitting"

    def sections(self) -> str:
        """Tell it where the metadata are, which it needs for splitting, and who may read them."""
        servers = self.servers
        mysql_router.write_metadata(servers.sandbox, CLUSTER)
        keyring = self.program(self.root, "mysqlrouter_keyring")
        mysql_router.write_keyring(self.folder, keyring, servers.user, servers.password)
        mysql_router.write_state(self.folder, servers.sandbox, CLUSTER)
        return f"""\
{super().sections()}
[metadata_cache:{CLUSTER}]
cluster_type=rs
router_id={mysql_router.ROUTER_ID}
metadata_cluster={CLUSTER}
user={self.servers.user}
ssl_mode=DISABLED
ttl=60"""

    def routing(self) -> str:
        """Return the listener's options."""
        return f"""\
destinations=metadata-cache://{CLUSTER}/?role=PRIMARY_AND_SECONDARY
routing_strategy=round-robin
access_mode=auto
{self.sharing()}"""


class RwRouter(Proxy):
    """This project's router: splits reads and writes over the primary and the replicas."""

    name = "rwrouter"
    label = "rwrouter"
    product = "rwrouter"

    @classmethod
    def version(cls, root: Path | None) -> str:
        """Return the package's version, the commit where this is a checkout, and what it runs on."""
        del root
        if importlib.util.find_spec("rwrouter.cli.main") is None:
            raise Unavailable("rwrouter has no command line here")
        described = subprocess.run(
            ["git", "-C", str(HERE), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        uvloop = importlib.metadata.version("uvloop")
        python = ".".join(str(part) for part in sys.version_info[:3])
        return f"rwrouter {described or 'installed'}, Python {python}, uvloop {uvloop}"

    def command(self) -> list[str]:
        """Write its configuration."""
        listed = "".join(f'[[servers]]\naddress = "127.0.0.1:{port}"\n' for port in self.servers.ports)
        config = self.folder / "rwrouter.toml"
        config.write_text(f"""\
listen = ["127.0.0.1:{self.port}"]
admin = ""
workers = 1
{self.settings()}
[monitor]
user = "{self.servers.monitor_user}"
[client_tls]
certificate = "{self.servers.certificates}/server-cert.pem"
key = "{self.servers.certificates}/server-key.pem"
[server_tls]
mode = "DISABLED"
{listed}""")
        return [sys.executable, "-m", "rwrouter.cli.main", "run", "--config", str(config), "--workers", "1"]

    def settings(self) -> str:
        """Return more settings, for variants."""
        return ""

    def environment(self) -> dict[str, str]:
        """Return the environment with the monitor's password and the way to this checkout."""
        paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        return super().environment() | {
            "RWROUTER_MONITOR_PASSWORD": self.servers.monitor_password,
            "PYTHONPATH": os.pathsep.join(paths),
        }


PROXIES: Final[dict[str, type[Proxy]]] = {
    proxy.name: proxy
    for proxy in (Direct, Forwarder, HAProxy, MySQLRouter, MySQLRouterSharing, MySQLRouterSplitting, RwRouter)
}


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_line(command: list[str]) -> str:
    """Return the first line that *command* prints. Raises Unavailable where it is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"{command[0]} can't be run: {error}") from error
    return (done.stdout or done.stderr).strip().splitlines()[0].strip()
