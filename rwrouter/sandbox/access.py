"""Real servers as a test or a person sees them, wherever they run: connect, ask, wait for replication."""

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pymysql
from pymysql.cursors import DictCursor

from rwrouter.model import Flavor
from rwrouter.sandbox.binaries import SandboxError
from rwrouter.sandbox.options import Account, Accounts

if TYPE_CHECKING:
    from pymysql.connections import Connection


class Access:
    """One server that listens at *host*:*port* and has the *accounts*."""

    def __init__(self, name: str, flavor: Flavor, host: str, port: int, accounts: Accounts) -> None:
        self.name = name
        self.flavor = flavor
        self.host = host
        self.port = port
        self.accounts = accounts

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether its process is there, paused or not."""
        raise NotImplementedError

    def connect(self, **options: Any) -> "Connection[Any]":
        """Connect as root over TCP, with autocommit. The caller closes. *options* are PyMySQL's, and win."""
        settings: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.accounts.root.user,
            "password": self.accounts.root.password,
            "autocommit": True,
            "connect_timeout": 20,
        }
        return pymysql.connect(**settings | options)

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run *sql* as root on a connection of its own; return its rows by column name."""
        with self.connect(cursorclass=DictCursor) as connection, connection.cursor() as cursor:
            cursor.execute(sql, arguments or None)
            return list(cursor.fetchall())

    def run(self, statements: Iterable[str]) -> None:
        """Run *statements* as root, in turn, on one connection; their rows are dropped."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def value(self, sql: str, arguments: Sequence[Any] = ()) -> Any:
        """Run *sql* as root; return the first column of its first row, None where there is none."""
        rows = self.query(sql, arguments)
        return next(iter(rows[0].values())) if rows else None

    def delay(self, seconds: int) -> None:
        """Let this replica apply everything *seconds* after the primary has it; 0: as soon as it can."""
        if self.flavor is Flavor.MYSQL:
            verbs = ("STOP REPLICA SQL_THREAD", "START REPLICA SQL_THREAD")
            change = f"CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}"
        else:
            verbs = ("STOP SLAVE", "START SLAVE")
            change = f"CHANGE MASTER TO MASTER_DELAY = {seconds}"
        for statement in (verbs[0], change, verbs[1]):
            self.query(statement)


ServerT = TypeVar("ServerT", bound=Access)


class ReplicationSet(Generic[ServerT]):
    """A primary, first of *servers*, and its replicas.

    *primary* and *replicas* are as they were started: a test that changes roles keeps its own account of it.
    """

    accounts: Accounts

    def __init__(self, flavor: Flavor) -> None:
        self.flavor = flavor
        self.servers: list[ServerT] = []

    @property
    def primary(self) -> ServerT:
        """The server that was started as the primary."""
        return self.servers[0]

    @property
    def replicas(self) -> list[ServerT]:
        """The servers that were started as replicas."""
        return self.servers[1:]

    @property
    def root(self) -> Account:
        """The account that may do all."""
        return self.accounts.root

    @property
    def app(self) -> Account:
        """The account of an application: all on every schema, nothing that read_only would let through."""
        return self.accounts.app

    @property
    def monitor(self) -> Account:
        """The account with what the router's monitor needs, and no more."""
        return self.accounts.monitor

    def server(self, name: str) -> ServerT:
        """Return the server called *name*. Raises KeyError."""
        for server in self.servers:
            if server.name == name:
                return server
        raise KeyError(name)

    def wait_in_sync(self, timeout: float = 90.0) -> None:
        """Return when every running replica has what the primary has; raise SandboxError after *timeout*."""
        mysql = self.flavor is Flavor.MYSQL
        wanted = self.primary.value("SELECT @@global.gtid_executed" if mysql else "SELECT @@gtid_binlog_pos")
        wait = "WAIT_FOR_EXECUTED_GTID_SET" if mysql else "MASTER_GTID_WAIT"
        deadline = time.monotonic() + timeout
        for replica in self.replicas:
            if replica.is_running:
                left = max(0.001, deadline - time.monotonic())  # 0 would wait for ever
                if replica.value(f"SELECT {wait}(%s, %s)", (wanted, left)) != 0:
                    raise SandboxError(f"{replica.name} has not caught up within {timeout:g} s")
