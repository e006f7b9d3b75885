"""Carries a switchover out: the operator's hands on the servers, and the router's own gate for writes.

`cluster/switchover.py` says which steps, and how each is undone. Here they are done, one after the other, on all
servers of a step at the same time; a failure undoes what was done, last first.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pymysql
from pymysql.cursors import DictCursor

from rwrouter.cluster.probes import Row
from rwrouter.cluster.standing import Query, Standing, queries, read_standing
from rwrouter.cluster.switchover import (
    MARGIN,
    Action,
    Forbidden,
    Kind,
    Order,
    Plan,
    Statement,
    Step,
    make_plan,
    still_missing,
)
from rwrouter.config.model import ServerTlsSettings
from rwrouter.model import Address, Server, Snapshot, State
from rwrouter.process.monitoring import tls_arguments

if TYPE_CHECKING:
    from pymysql.connections import Connection

log = logging.getLogger("rwrouter.switchover")

LOOK_SECONDS: Final = 0.02
"""Between two looks at whether a replica has connected."""

CONNECT_SECONDS: Final = 5.0

UNDO_SECONDS: Final = 5.0
"""How long a rolled-back primary may take to be seen, before writes flow anyway: they wait for one then."""

Result = TypeVar("Result")

PROGRAM: Final = "rwrouter switchover"  # how it is called in the servers' process lists


class StepFailed(Exception):
    """A step could not be done, for the reason in its text.

    *is_refusal*: by a server's own word, which then has changed nothing.
    """

    def __init__(self, why: str, *, is_refusal: bool = False) -> None:
        super().__init__(why)
        self.is_refusal = is_refusal


class Gate(Protocol):
    """What the router does about its own clients."""

    def hold(self, candidate: str) -> None:
        """Have all workers hold writes and new transactions: *candidate* is made the primary."""

    def release(self) -> None:
        """Have them flow again."""

    async def drained(self, limit: float) -> int:
        """Return how many transactions and writes are still under way on the primary after *limit* s at most."""

    def end_transactions(self) -> None:
        """End the sessions whose transactions are still open on the primary."""

    async def recognised(self, name: str, limit: float) -> bool:
        """Have the servers looked at; return whether *name* is seen to be the primary within *limit* s."""


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


@dataclass(slots=True)
class Progress:
    """How far one step is."""

    step: Step
    state: str = "waiting"  # then running, and done, failed or undone
    seconds: float | None = None
    error: str = ""


@dataclass(slots=True)
class Report:
    """What has become of a switchover, at any moment."""

    order: Order
    old: str
    state: str = "checking"  # refused, planned; running, rolling back; done, rolled back, failed
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    steps: list[Progress] = field(default_factory=list)
    held_seconds: float | None = None  # for how long writes were held

    @property
    def is_over(self) -> bool:
        """Nothing more will happen."""
        return self.state not in {"checking", "running", "rolling back"}

    def as_json(self) -> dict[str, Any]:
        """Return it, of types that JSON has; no secret is in it."""
        return {
            "state": self.state,
            "over": self.is_over,
            "from": self.old,
            "to": self.order.to,
            "problems": self.problems,
            "warnings": self.warnings,
            "held_seconds": self.held_seconds,
            "steps": [
                {
                    "name": one.step.name,
                    "what": one.step.what,
                    "sql": _shown(one.step, undo=False),
                    "undo": _shown(one.step, undo=True),
                    "state": one.state,
                    "seconds": one.seconds,
                    "error": one.error,
                }
                for one in self.steps
            ],
        }


def _shown(step: Step, *, undo: bool) -> list[str]:
    return [
        f"{action.server}: {statement}"
        for action in step.actions
        for statement in (action.undo if undo else action.statements)
    ]


class Switchover:
    """One switchover, from its checks to its end. *report* is true at any moment."""

    def __init__(self, order: Order, snapshot: Snapshot, gate: Gate, hands: Hands) -> None:
        self.report = Report(order, snapshot.primary or "")
        self._snapshot = snapshot
        self._gate = gate
        self._hands = hands
        self._plan: Plan | None = None
        self._held_at = 0.0
        self._touched: set[tuple[str, str]] = (
            set()
        )  # step and server, where something was done, or may have been

    async def run(self) -> None:
        """Carry it out. Raises nothing: the report tells."""
        report = self.report
        try:
            await self._prepare()
            if not report.order.dry_run:
                await self._carry_out()
            else:
                report.state = "planned"
        except Forbidden as exc:
            report.state, report.problems = "refused", list(exc.problems)
        finally:
            self._hands.close()
            if not report.is_over:  # cancelled, or a bug of ours
                self._gate.release()
                report.state = "failed"
        level = logging.INFO if report.state in {"done", "planned"} else logging.WARNING
        log.log(
            level,
            'event=switchover state="%s" old=%s new=%s held_seconds=%s why="%s"',
            report.state,
            report.old,
            report.order.to,
            report.held_seconds,
            "; ".join(report.problems),
        )

    # -- before

    async def _prepare(self) -> None:
        """Ask all servers, and make the plan. Raises Forbidden."""
        report, snapshot = self.report, self._snapshot
        names = [server.name for server in snapshot.servers]
        if report.order.to not in names:
            raise Forbidden(
                [f"there is no server {report.order.to!r}: there are {', '.join(names) or 'none'}"]
            )
        if not report.old:
            raise Forbidden([f"there is no primary that could hand over: {snapshot.problem}"])
        if report.order.to == report.old:
            raise Forbidden([f"{report.old} is the primary already"])
        missing: dict[str, str] = {}
        # The primary last: what it has then, it had when the others were asked, or has got since.
        others = [server for server in snapshot.servers if server.name != report.old]
        found = await asyncio.gather(*(self._look(server, missing) for server in others))
        found.append(await self._look(snapshot.server(report.old), missing))
        standings = {one.name: one for one in found if one is not None}
        self._plan = make_plan(report.order, report.old, standings, missing)
        report.warnings = list(self._plan.warnings)
        report.steps = [Progress(step) for step in self._plan.steps]

    async def _look(self, server: Server, missing: dict[str, str]) -> Standing | None:
        if server.state in {State.DOWN, State.DISABLED}:
            missing[server.name] = f"is {server.state}"
            return None
        try:
            return await self._hands.look(server.name, self.report.order.catch_up)
        except StepFailed as exc:
            if server.name not in {self.report.old, self.report.order.to}:
                raise Forbidden([f"{exc}; disable it first if it is to be left out"]) from exc
            raise Forbidden([str(exc)]) from exc

    # -- the steps

    async def _carry_out(self) -> None:
        report = self.report
        report.state = "running"
        for index, one in enumerate(report.steps):
            one.state = "running"
            began = time.monotonic()
            try:
                await self._do(one.step)
            except StepFailed as exc:
                one.state, one.error = "failed", str(exc)
                if not one.step.is_cleanup:
                    report.problems.append(f"{one.step.name}: {exc}")
                    await self._roll_back(index)
                    return
                report.warnings.append(
                    f"{one.step.name}: {exc}; do it by hand: {_shown(one.step, undo=False)}"
                )
            else:
                one.state = "done"
            finally:
                one.seconds = round(time.monotonic() - began, 3)
                log.info(
                    "event=switchover_step step=%s state=%s seconds=%s", one.step.name, one.state, one.seconds
                )
        report.state = "done"

    async def _do(self, step: Step) -> None:
        gate, report = self._gate, self.report
        match step.kind:
            case Kind.HOLD:
                self._held_at = time.monotonic()
                gate.hold(report.order.to)
            case Kind.DRAIN:
                await self._drain(step)
            case Kind.RUN:
                await self._on_each(step.actions, lambda action: self._run(step, action))
            case Kind.CATCH_UP:
                await self._catch_up(step)
            case Kind.VERIFY:
                await self._on_each(step.actions, lambda action: self._verify(action, step.timeout))
            case Kind.RECOGNISE:
                if not await gate.recognised(report.order.to, step.timeout):
                    raise StepFailed(
                        f"{report.order.to} was not seen to be the primary within {step.timeout:g} s"
                    )
            case Kind.RELEASE:
                gate.release()
                report.held_seconds = round(time.monotonic() - self._held_at, 3)

    async def _on_each(self, actions: Iterable[Action], do: "Callable[[Action], Any]") -> None:
        """Do something on all servers of *actions* at the same time. Raises StepFailed when all have ended."""
        outcomes = await asyncio.gather(*map(do, actions), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in failures:
            if not isinstance(failure, StepFailed):
                raise failure
        if failures:
            raise StepFailed("; ".join(map(str, failures)))

    async def _run(self, step: Step, action: Action) -> None:
        for statement in action.statements:
            try:
                await self._hands.run(action.server, statement, step.timeout)
            except StepFailed as exc:
                if not exc.is_refusal:
                    self._touched.add((step.name, action.server))
                raise
            self._touched.add((step.name, action.server))

    async def _run_back(self, action: Action, limit: float) -> None:
        for statement in action.undo:
            await self._hands.run(action.server, statement, limit)

    async def _drain(self, step: Step) -> None:
        left = await self._gate.drained(step.timeout)
        if left and self.report.order.kills:
            self._gate.end_transactions()
            left = await self._gate.drained(step.timeout)
        if left:
            raise StepFailed(
                f"{left} transaction(s) still open on {self.report.old} after {step.timeout:g} s: try again when "
                "they have ended, wait longer (--drain), or end them (--transactions kill)"
            )

    async def _catch_up(self, step: Step) -> None:
        asked, waits = step.actions
        rows = await self._hands.run(asked.server, asked.statements[0], step.timeout)
        position = str(next(iter(rows[0].values())) or "")
        statement = waits.statements[0]
        rows = await self._hands.run(
            waits.server, Statement(statement.sql, (position, *statement.arguments[1:])), step.timeout
        )
        if next(iter(rows[0].values())) != 0:
            raise StepFailed(
                f"{waits.server} has not got everything of {asked.server} within {step.timeout:g} s"
            )

    async def _verify(self, action: Action, limit: float) -> None:
        assert self._plan is not None  # noqa: S101  made before the first step
        deadline = time.monotonic() + limit
        while True:
            rows = await self._hands.run(action.server, action.statements[0], limit)
            try:
                why = still_missing(rows, self._plan.new)
            except ValueError as exc:
                raise StepFailed(f"{action.server}: {exc}") from exc
            if not why:
                return
            if time.monotonic() > deadline:
                raise StepFailed(f"{action.server}: {why}")
            await asyncio.sleep(LOOK_SECONDS)

    # -- back

    async def _roll_back(self, failed: int) -> None:
        """Undo the steps up to the one at index *failed*, last first, and let writes flow again."""
        report = self.report
        report.state = "rolling back"
        is_whole = True
        for one in reversed(report.steps[: failed + 1]):
            wrong = await self._undo(one.step)
            if wrong:
                is_whole = False
                one.error = "; ".join(filter(None, (one.error, f"not undone: {wrong}")))
                report.problems.append(
                    f"{one.step.name} is not undone: {wrong}; by hand: {_shown(one.step, undo=True)}"
                )
            elif one.state == "done":
                one.state = "undone"
        report.state = "rolled back" if is_whole else "failed"

    async def _undo(self, step: Step) -> str:
        """Undo *step*; return what went wrong with that. Each server is tried, whatever becomes of the others."""
        if step.kind is Kind.HOLD:
            await self._gate.recognised(self.report.old, UNDO_SECONDS)
            self._gate.release()
            self.report.held_seconds = round(time.monotonic() - self._held_at, 3)
        if step.kind is not Kind.RUN:
            return ""
        try:
            await self._on_each(
                (action for action in step.actions if (step.name, action.server) in self._touched),
                lambda action: self._run_back(action, step.timeout),
            )
        except StepFailed as exc:
            return str(exc)
        return ""
