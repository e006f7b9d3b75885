"""The operator's connections to the servers, by which a switchover is carried out."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pymysql
from pymysql.cursors import DictCursor

from rwrouter.cluster.probes import Row
from rwrouter.cluster.standing import Query, Standing, queries, read_standing
from rwrouter.cluster.steps import MARGIN, Order, Statement
from rwrouter.cluster.watched import REFUSED
from rwrouter.config.model import ServerTlsSettings
from rwrouter.model import Address
from rwrouter.process.link import tls_arguments

if TYPE_CHECKING:
    from pymysql.connections import Connection

CONNECT_SECONDS: Final = 5.0

PROGRAM: Final = "rwrouter switchover"  # how it is called in the servers' process lists

Result = TypeVar("Result")


class StepFailed(Exception):
    """A step could not be done, for the reason in its text.

    *is_refusal*: by a server's own word, which then has changed nothing.
    """

    def __init__(self, why: str, *, is_refusal: bool = False) -> None:
        super().__init__(why)
        self.is_refusal = is_refusal


class Hands(Protocol):
    """The operator's connections to the servers."""

    async def run(self, server: str, statement: Statement, limit: float) -> list[Row]:
        """Return the rows. Raises StepFailed."""

    async def look(self, server: str, limit: float) -> Standing:
        """Return what *server* says before a switchover. Raises StepFailed."""

    def close(self) -> None:
        """Hang up everywhere."""


class OperatorHands:
    """Connections by PyMySQL, one to each server, each used by one thread at a time."""

    def __init__(self, order: Order, servers: Mapping[str, Address], tls: ServerTlsSettings) -> None:
        self._order = order
        self._servers = servers
        self._tls = tls
        self._connections: dict[str, Connection[DictCursor]] = {}
        # Twice as many as servers: a statement that hangs on one must not keep its undoing waiting.
        self._threads = ThreadPoolExecutor(2 * len(servers) or 1, thread_name_prefix="switchover")

    async def run(self, server: str, statement: Statement, limit: float) -> list[Row]:
        """Run *statement* as the operator."""
        return await self._do(server, lambda connection: _rows(connection, statement), limit)

    async def look(self, server: str, limit: float) -> Standing:
        """Ask everything."""

        def ask(connection: "Connection[DictCursor]") -> Standing:
            known: Any = connection  # its stubs leave the version out
            answers: dict[Query, list[Row] | None] = {}
            for query, sql in queries(str(known.server_version)).items():
                try:
                    answers[query] = _rows(connection, Statement(sql))
                except pymysql.MySQLError:
                    if query is not Query.CREDENTIALS:
                        raise
                    answers[query] = None
            return read_standing(server, self._servers[server], answers)

        return await self._do(server, ask, limit)

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections.values():
            with contextlib.suppress(OSError, pymysql.MySQLError):
                connection.close()
        self._connections.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _do(
        self, server: str, work: "Callable[[Connection[DictCursor]], Result]", limit: float
    ) -> Result:
        def job() -> Result:
            connection = self._connections.pop(server, None) or self._connect(server, limit)
            try:
                found = work(connection)
            except pymysql.MySQLError as exc:
                if _is_the_servers(exc):
                    self._connections[server] = connection
                else:
                    connection.close()
                raise
            self._connections[server] = connection
            return found

        try:
            async with asyncio.timeout(limit + MARGIN):
                return await asyncio.get_running_loop().run_in_executor(self._threads, job)
        except TimeoutError:
            raise StepFailed(f"{server}: no answer within {limit:g} s") from None
        except (pymysql.MySQLError, OSError, ValueError) as exc:
            raise StepFailed(f"{server}: {self._said(exc)}", is_refusal=_is_the_servers(exc)) from None

    def _connect(self, server: str, limit: float) -> "Connection[DictCursor]":
        address = self._servers[server]
        return pymysql.connect(
            host=address.host,
            port=address.port,
            user=self._order.user,
            password=self._order.password,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=limit + MARGIN,
            write_timeout=limit + MARGIN,
            autocommit=True,
            charset="utf8mb4",
            # read_only waits for what is being written; for how long, is said here.
            init_command=f"SET SESSION lock_wait_timeout = {max(1, round(self._order.catch_up))}",
            program_name=PROGRAM,
            cursorclass=DictCursor,
            **tls_arguments(self._tls),
        )

    def _said(self, exc: Exception) -> str:
        """Return *exc* as the server said it, without a password that it may quote."""
        text = f"{exc.args[1]} ({exc.args[0]})" if len(exc.args) > 1 else str(exc) or type(exc).__name__
        if exc.args and exc.args[0] in REFUSED:
            text += "; check --user and RWROUTER_OPERATOR_PASSWORD: this account has to work on every server"
        for secret in (self._order.password, self._order.replication_password):
            if secret:
                text = text.replace(secret, "***")
        return text


def _rows(connection: "Connection[DictCursor]", statement: Statement) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, statement.arguments or None)
        return list(cursor.fetchall())


def _is_the_servers(exc: Exception) -> bool:
    """Tell whether *exc* is a server's word, and not the end of a connection."""
    code = exc.args[0] if isinstance(exc, pymysql.MySQLError) and exc.args else 0
    return isinstance(code, int) and code >= 1000 and not 2000 <= code < 3000
