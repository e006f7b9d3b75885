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
from typing import Any, Final, TypeVar, cast

import pymysql

from rwrouter.cluster.monitor import Monitor, Probe
from rwrouter.cluster.probes import Failure
from rwrouter.config.model import Settings
from rwrouter.model import Snapshot, State
from rwrouter.process.link import Link

logger = logging.getLogger("rwrouter.monitor")

TRIAL_PAUSE: Final = 10.0  # seconds until a failed trial of session variables is repeated
TRIAL_LIMIT: Final = 60.0  # seconds for one trial: some 650 round trips
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

    def __init__(self, name: str, link: Link) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._link = link
        # A daemon: a name look-up that hangs must not keep the process from ending.
        threading.Thread(target=self._work, name=f"monitor {name}", daemon=True).start()

    async def do(self, job: Callable[[Link], Result]) -> Result:
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
