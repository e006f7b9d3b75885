"""Runs `cluster/monitor.py` on an event loop: carries its probes to the servers, and hands snapshots on.

Each server has a connection and a thread of its own, because PyMySQL blocks, name look-ups block, and a
server that hangs must never delay the probing of others. A thread that does not come back in time is left to
itself (its sockets have time-outs) and replaced.
"""

import asyncio
import contextlib
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import pymysql
from pymysql.constants import CR
from pymysql.cursors import DictCursor

from rwrouter.cluster import probes
from rwrouter.cluster.monitor import Monitor, Probe
from rwrouter.cluster.probes import Answer, Failure, Greeted, Refusal, Row
from rwrouter.cluster.trial import Trial
from rwrouter.config.model import ServerTlsSettings, Settings, TlsMode
from rwrouter.model import Address, Snapshot, State

if TYPE_CHECKING:
    from pymysql.connections import Connection

logger = logging.getLogger("rwrouter.monitor")

PROGRAM: Final = "rwrouter monitor"  # how it is called in the servers' process lists
TRIAL_PAUSE: Final = 10.0  # seconds until a failed trial of session variables is repeated
TRIAL_LIMIT: Final = 60.0  # seconds for one trial: some 650 round trips
LOST: Final = frozenset({CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, 0})  # 0: PyMySQL saw a closed socket
Result = TypeVar("Result")
_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Monitoring:
    """The monitor of one router. All its methods belong to the thread of the loop that runs `run`."""

    def __init__(self, settings: Settings, on_snapshot: Callable[[Snapshot], None]) -> None:
        """*on_snapshot* is called with each new snapshot, the first one at the start of `run`."""
        self._settings = settings
        self._on_snapshot = on_snapshot
        self._monitor = Monitor(settings, random.Random().random)  # noqa: S311  jitter is no secret
        self._carriers: dict[str, Carrier] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._is_closed = False
        self._trial_at: float | None = 0.0  # when the next trial may start; None while one runs
        self._told: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The topology as it is known now."""
        return self._monitor.snapshot

    async def run(self) -> None:
        """Probe until `close` is called or the task is cancelled."""
        try:
            while not self._is_closed:
                now = time.monotonic()
                for probe in self._monitor.due(now):
                    self._keep(self._carry(probe))
                if self._trial_at is not None and self._trial_at <= now:
                    trial = self._monitor.untried()
                    if trial is not None:
                        self._trial_at = None
                        self._keep(self._try_variables(trial))
                self._flush()
                due = self._monitor.next_due()
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), None if due is None else max(0.0, due - now))
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for carrier in self._carriers.values():
                carrier.close()

    def nudge(self, server: str, why: str) -> None:
        """Probe *server* now: a worker saw a sign of a change (1290, 1836, 1053), which is *why*."""
        logger.info("event=nudge server=%s why=%r", server, why)
        self._monitor.nudge(server, time.monotonic())
        self._wake.set()

    def look(self, server: str) -> None:
        """Probe *server* now: its role is being changed."""
        self._monitor.nudge(server, time.monotonic())
        self._wake.set()

    def failed(self, server: str) -> None:
        """Probe *server* now: a worker could not connect to it, and has logged why. If that fails too, it is down."""
        self._monitor.passive_failure(server, time.monotonic())
        self._wake.set()

    def decree(self, server: str, state: State | None, weight: int | None = None) -> None:
        """Drain or disable *server*, or neither, and set its weight, for a person. Raises KeyError."""
        self._monitor.decree(server, time.monotonic(), state=state, weight=weight)
        self._wake.set()

    def reconfigure(self, settings: Settings) -> None:
        """Take new *settings* without forgetting what is known of servers that stay."""
        before, self._settings = self._settings, settings
        self._monitor.reconfigure(settings, time.monotonic())
        how = ("monitor", "server_tls")
        if any(getattr(before, part) != getattr(settings, part) for part in how):
            while self._carriers:
                self._carriers.popitem()[1].close()
        self._wake.set()

    def close(self) -> None:
        """Make `run` return."""
        self._is_closed = True
        self._wake.set()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _flush(self) -> None:
        for name in self._carriers.keys() - self._monitor.watching:
            self._carriers.pop(name).close()
        for event in self._monitor.take_events():
            logger.log(_LEVELS[event.level], "%s", event)
        snapshot = self._monitor.snapshot
        if snapshot is not self._told:
            self._told = snapshot
            self._on_snapshot(snapshot)

    async def _carry(self, probe: Probe) -> None:
        carrier = self._carriers.get(probe.server)
        if carrier is None:
            carrier = self._carriers[probe.server] = Carrier(probe.server, Link(self._settings))
        try:
            async with asyncio.timeout(probe.timeout):
                result = await carrier.do(lambda link: link.ask(probe))
        except TimeoutError:
            result = Failure(f"no answer within {probe.timeout:g} s")
            carrier.close()
            self._carriers.pop(probe.server, None)
        self._monitor.answer(probe.server, time.monotonic(), result)
        self._wake.set()

    async def _try_variables(self, probe: Probe) -> None:
        carrier = Carrier(f"{probe.server} trial", Link(self._settings))
        wait = TRIAL_PAUSE
        try:
            async with asyncio.timeout(TRIAL_LIMIT):
                version, names = await carrier.do(lambda link: link.try_variables(probe))
            self._monitor.settable(version, names, time.monotonic())
            wait = 0.0
        except (TimeoutError, OSError, pymysql.MySQLError) as exc:
            logger.warning("event=trial_failed server=%s why=%r", probe.server, str(exc))
        finally:
            carrier.close()
            self._trial_at = time.monotonic() + wait
            self._wake.set()


class Carrier:
    """A thread that does one thing at a time with a link to one server."""

    def __init__(self, name: str, link: "Link") -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._link = link
        # A daemon: a name look-up that hangs must not keep the process from ending.
        threading.Thread(target=self._work, name=f"monitor {name}", daemon=True).start()

    async def do(self, job: "Callable[[Link], Result]") -> "Result":
        """Return what *job* returns, or raise what it raises, when the thread has done it."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def run() -> None:
            result: Result | None = None
            error: Exception | None = None
            try:
                result = job(self._link)
            except Exception as exc:  # noqa: BLE001  raised where the result is awaited
                error = exc
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                loop.call_soon_threadsafe(settle, result, error)

        def settle(result: "Result | None", error: Exception | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(cast("Result", result))
            else:
                done.set_exception(error)

        self._jobs.put(run)
        return await done

    def close(self) -> None:
        """End the thread and the connection, after the job that is being done; do not wait for it."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        self._link.close()


class Link:
    """The connection to one server, made when it is needed. Lives in one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Connection[DictCursor] | None = None
        self._address: Address | None = None  # where it is connected to

    def ask(self, probe: Probe) -> Answer | Failure:
        """Ask the questions of *probe*. A failure is an answer, not an exception.

        If a connection from before turns out to be lost, it is made again: the server may have ended it.
        """
        had_connection = self._connection is not None
        failure = self._round(probe)
        if (
            had_connection
            and isinstance(failure, Failure)
            and failure.code in LOST
            and not failure.is_timeout
        ):
            return self._round(probe)
        return failure

    def try_variables(self, probe: Probe) -> tuple[str, tuple[str, ...]]:
        """Return the greeted version, and the session variables that a client can set.

        Raises OSError and pymysql.MySQLError. The connection is of no other use afterwards.
        """
        connection = self._connected(probe)
        trial = Trial()
        for name in trial.candidates(_query(connection, trial.names_sql)):
            try:
                _query(connection, trial.sql(name))
            except pymysql.MySQLError as exc:
                code = _code(exc)
                if code in LOST:
                    raise
                trial.tell(name, code)
            else:
                trial.tell(name, 0)
        return _greeted(connection).version, tuple(trial.settable)

    def close(self) -> None:
        """Drop the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, pymysql.MySQLError):
                connection.close()

    def _round(self, probe: Probe) -> Answer | Failure:
        answers: dict[probes.Topic, list[Row] | Refusal] = {}
        try:
            connection = self._connected(probe)
            greeted = _greeted(connection)
            heartbeat = self._settings.monitor.heartbeat
            for question in probes.questions(greeted.version, probe.topics, heartbeat):
                try:
                    answers[question.topic] = _query(connection, question.sql)
                except pymysql.MySQLError as exc:
                    code = _code(exc)
                    if code < 1000 or 2000 <= code < 3000:  # not the server's word: the connection is lost
                        raise
                    answers[question.topic] = Refusal(code, str(exc.args[1]))
        except Exception as exc:  # noqa: BLE001  whatever a broken server makes PyMySQL raise is an answer
            self.close()
            return _failure(exc, probe.timeout)
        return Answer(greeted, answers)

    def _connected(self, probe: Probe) -> "Connection[DictCursor]":
        if probe.address != self._address:
            self.close()
        if self._connection is None:
            self._address = probe.address
            account = self._settings.monitor
            self._connection = pymysql.connect(
                host=probe.address.host,
                port=probe.address.port,
                user=account.user,
                password=account.password.get_secret_value(),
                connect_timeout=probe.timeout,
                read_timeout=probe.timeout,
                write_timeout=probe.timeout,
                autocommit=True,
                charset="utf8mb4",
                init_command="SET time_zone = '+00:00'",  # times are read as UTC
                program_name=PROGRAM,
                cursorclass=DictCursor,
                **tls_arguments(self._settings.server_tls),
            )
        return self._connection


def tls_arguments(tls: ServerTlsSettings) -> dict[str, Any]:
    """Return what PyMySQL takes for *tls*. Without arguments it does what PREFERRED means."""
    if tls.mode is TlsMode.DISABLED:
        return {"ssl_disabled": True}
    arguments: dict[str, Any] = {}
    if tls.certificate:
        arguments |= {"ssl_cert": tls.certificate, "ssl_key": tls.key or None}
    if tls.mode is TlsMode.REQUIRED:
        arguments["ssl"] = {"check_hostname": False, "verify_mode": "none"}
    elif tls.mode in {TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY}:
        arguments |= {
            "ssl_ca": tls.ca or None,
            "ssl_verify_cert": True,
            "ssl_verify_identity": tls.mode is TlsMode.VERIFY_IDENTITY,
        }
    return arguments


def _query(connection: "Connection[DictCursor]", sql: str) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _greeted(connection: "Connection[DictCursor]") -> Greeted:
    known: Any = connection  # its stubs leave these out
    return Greeted(
        version=str(known.server_version),
        capabilities=int(known.server_capabilities),
        collation=int(known.server_language),
    )


def _code(exc: Exception) -> int:
    return exc.args[0] if exc.args and isinstance(exc.args[0], int) else 0


def _failure(exc: Exception, timeout: float) -> Failure:
    """Return *exc* as a person would say it."""
    code = _code(exc)
    inner = getattr(exc, "original_exception", None) or exc.__context__ or exc
    if isinstance(inner, TimeoutError):
        return Failure(f"no answer within {timeout:g} s", code, is_timeout=True)
    if isinstance(inner, OSError) and inner.strerror:
        return Failure(inner.strerror.lower(), code)
    text = str(exc.args[1]) if code and len(exc.args) > 1 else str(exc) or type(exc).__name__
    return Failure(f"{text} ({code})" if code else text, code)
