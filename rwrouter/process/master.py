"""The master: binds sockets, runs the monitor and the admin, starts workers and replaces those that die.

It never touches a client's byte.
"""

import asyncio
import contextlib
import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from rwrouter.admin.operating import Busy
from rwrouter.admin.server import AdminServer
from rwrouter.admin.status import Worker
from rwrouter.cluster.switchover import Order
from rwrouter.config.addresses import parse_admin
from rwrouter.config.certificate import ensure_certificate
from rwrouter.config.model import Settings, TlsMode
from rwrouter.counters import ServerCounters
from rwrouter.errors import ConfigError
from rwrouter.model import Server, Snapshot, State
from rwrouter.process import logs
from rwrouter.process.channel import (
    AskSessions,
    Channel,
    Drain,
    EndSession,
    EndTransactions,
    Hold,
    Kill,
    Nudge,
    Open,
    Ready,
    Sessions,
    Topology,
)
from rwrouter.process.listeners import bind, name_of
from rwrouter.process.monitoring import Monitoring
from rwrouter.process.rows import Rows
from rwrouter.process.scoreboard import Scoreboard
from rwrouter.process.switching import OperatorHands, Switchover
from rwrouter.process.worker import Start
from rwrouter.protocol.auth import RsaKey

log = logging.getLogger("rwrouter.master")

FIRST_LOOK_SECONDS: Final = 3.0
"""How long clients are not yet accepted at a start, so that the first of them finds servers that are known."""

RESPAWN_SECONDS: Final = 1.0
"""A worker that died sooner than this after its start is replaced only after such a pause."""


ROWS: Final = 128
"""Servers that are counted for, at least: more than are listed may be found."""
ANSWER_SECONDS: Final = 2.0
"""How long a worker has to tell its sessions: one that is busier is left out, and counted."""

DRAIN_LOOK_SECONDS: Final = 0.005
"""Between two looks at what workers have told of open transactions."""

RECOGNISE_SECONDS: Final = 0.05
"""Between two rounds of probes while a new primary is waited for."""

STOP_SECONDS: Final = 2.0
"""How long the monitor may take to end: its threads may be waiting for a server that hangs."""


class WorkerProcess:
    """A worker, as the master sees it."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: Channel | None = None
        self.started = 0.0
        self.is_ready = False
        self.open: int | None = None  # transactions on the primary, while writes are held; None: not told yet


class Master:
    """Runs everything until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._snapshot = Snapshot()
        self.started = time.monotonic()
        count = settings.workers
        self.count = (os.cpu_count() or 1) if count == "auto" else count
        self.scoreboard = Scoreboard.create(self.count, max(ROWS, 2 * len(settings.servers)))
        self._rows = Rows(self.scoreboard.servers_max)
        self.indexes: dict[str, int] = {}
        self._workers = [WorkerProcess(index) for index in range(self.count)]
        self._rsa = RsaKey.generate()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen = asyncio.Event()
        self._sockets: list[list[socket.socket]] = []
        self._held_for = ""  # who is made the primary, while workers hold writes
        self._switchover: Switchover | None = None  # the last one, over or not
        self._switching: asyncio.Task[None] | None = None

        self._questions: dict[tuple[int, int], asyncio.Future[list[dict[str, Any]]]] = {}  # (worker, number)
        self._asked = 0
        self._decrees: dict[str, tuple[State | None, int | None]] = {}  # by a person: state, weight

    def bind(self) -> None:
        """Bind all listeners. Raises ConfigError."""
        self._sockets = [bind(listen, self.count) for listen in self.settings.listen]

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        self._certificate, self._key = _certificate(self.settings)
        monitoring = Monitoring(self.settings, self._on_snapshot)
        self._monitoring = monitoring
        watching = loop.create_task(monitoring.run())
        admin = await self._start_admin()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._seen.wait(), FIRST_LOOK_SECONDS)
        if self._snapshot.problem:
            log.warning('event=no_server reason="%s"', self._snapshot.problem)
        for worker in self._workers:
            await self._spawn(worker)
        await self._stopping.wait()
        log.info("event=stopping")
        if self._switching is not None:
            await asyncio.wait({self._switching})  # half a switchover would leave nobody primary
        await self._drain()
        # Closed first: asyncio.wait_for of Python 3.11 can swallow a cancellation that comes with its result.
        monitoring.close()
        watching.cancel()
        await asyncio.wait({watching}, timeout=STOP_SECONDS)
        if admin is not None:
            await admin.stop()
        for listen in self.settings.listen:
            if listen.startswith("unix:"):
                with contextlib.suppress(OSError):
                    os.unlink(listen.removeprefix("unix:"))  # noqa: PTH108
        log.info("event=stopped")
        return 0

    # -- topology

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.indexes = self._rows.assign([server.name for server in snapshot.servers])
        if snapshot.primary is not None:
            self._seen.set()
        for worker in self._workers:
            if worker.channel is not None:
                worker.channel.send(Topology(snapshot, self.indexes))

    # -- workers

    async def _spawn(self, worker: WorkerProcess) -> None:
        ours, theirs = socket.socketpair()
        sockets = [copies[worker.index] for copies in self._sockets]
        numbers = [sock.fileno() for sock in sockets]
        start = Start(
            settings=self.settings,
            index=worker.index,
            stride=self.count,
            listeners=tuple(numbers),
            scoreboard=self.scoreboard.fd,
            rsa_pem=self._rsa.private_pem(),
            certificate=self._certificate,
            key=self._key,
        )
        worker.is_ready = False
        worker.started = time.monotonic()
        worker.process = subprocess.Popen(  # noqa: ASYNC220  takes a millisecond, at a start or a crash
            [sys.executable, "-m", "rwrouter.process.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno(), self.scoreboard.fd, *numbers],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        body = pickle.dumps(start)
        ours.sendall(len(body).to_bytes(4, "little") + body)
        worker.channel = await Channel.open(
            ours, lambda message: self._on_message(worker, message), lambda: self._on_exit(worker)
        )
        worker.channel.send(Topology(self._snapshot, self.indexes))
        if self._held_for:
            worker.open = None
            worker.channel.send(Hold(self._held_for))

    def _on_message(self, worker: WorkerProcess, message: Any) -> None:
        if isinstance(message, Ready):
            worker.is_ready = True
            if all(other.is_ready for other in self._workers):
                for copies in self._sockets:
                    log.info("event=ready listening on %s", name_of(copies[0]))
        elif isinstance(message, Nudge):
            if message.failed:
                self._monitoring.failed(message.server, message.why)
            else:
                self._monitoring.nudge(message.server, message.why)
        elif isinstance(message, Open):
            worker.open = message.count

        elif isinstance(message, Sessions):
            answer = self._questions.get((worker.index, message.number))
            if answer is not None and not answer.done():
                answer.set_result(message.sessions)
        elif isinstance(message, Kill):
            for other in self._workers:
                if other is not worker and other.channel is not None:
                    other.channel.send(message)

    def _on_exit(self, worker: WorkerProcess) -> None:
        worker.channel = None
        worker.is_ready = False
        if not self._stopping.is_set():
            task = asyncio.get_running_loop().create_task(self._replace(worker))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _replace(self, worker: WorkerProcess) -> None:
        process = worker.process
        status = await asyncio.to_thread(process.wait) if process is not None else None
        log.error("event=worker_died index=%d status=%s", worker.index, status)
        self.scoreboard.retire(worker.index)
        if time.monotonic() - worker.started < RESPAWN_SECONDS:
            await asyncio.sleep(RESPAWN_SECONDS)
        if not self._stopping.is_set():
            await self._spawn(worker)

    async def _drain(self) -> None:
        timeout = self.settings.limits.drain_timeout
        for worker in self._workers:
            if worker.channel is not None:
                worker.channel.send(Drain(timeout))
        deadline = time.monotonic() + timeout + 2
        for worker in self._workers:
            process = worker.process
            while process is not None and process.poll() is None:
                if time.monotonic() > deadline:
                    process.kill()
                await asyncio.sleep(0.02)

    # -- admin

    async def _start_admin(self) -> AdminServer | None:
        if not self.settings.admin:
            return None
        place = parse_admin(self.settings.admin)
        server = AdminServer(self, self.settings.admin_token.get_secret_value() or None, self)
        bound = await server.start(place.host, place.port)
        log.info("event=admin admin on %s", bound)
        return server

    def set_state(self, server: str, state: State | None) -> Server:
        """Drain or disable *server*, or neither, for a person. Raises KeyError."""
        return self._decree(server, state, self._decrees.get(server, (None, None))[1])

    def set_weight(self, server: str, weight: int) -> Server:
        """Set *server*'s weight for a person. Raises KeyError."""
        return self._decree(server, self._decrees.get(server, (None, None))[0], weight)

    def _decree(self, server: str, state: State | None, weight: int | None) -> Server:
        self._monitoring.decree(server, state, weight)
        self._decrees[server] = (state, weight)
        log.info("event=decree server=%s state=%s weight=%s", server, state or "as found", weight)
        return self._monitoring.snapshot.server(server)

    # -- switchover: see process/switching.py

    def switch_over(self, order: Order) -> None:
        """Begin a switchover. Raises Busy."""
        if self._switching is not None:
            raise Busy("a switchover is under way: GET /v1/switchover tells how far it is")
        snapshot = self._monitoring.snapshot
        addresses = {server.name: server.address for server in snapshot.servers}
        hands = OperatorHands(order, addresses, self.settings.server_tls)
        self._switchover = Switchover(order, snapshot, self, hands)
        self._switching = asyncio.get_running_loop().create_task(self._switchover.run())
        self._switching.add_done_callback(self._switched)

    def _switched(self, task: asyncio.Task[None]) -> None:
        self._switching = None
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("event=bug", exc_info=exc)

    def switchover_report(self) -> dict[str, Any]:
        """Return how far the last switchover is, or what became of it."""
        return (
            {"state": "none", "over": True} if self._switchover is None else self._switchover.report.as_json()
        )

    def hold(self, candidate: str) -> None:
        """Have all workers hold writes."""
        self._held_for = candidate
        for worker in self._workers:
            worker.open = None
        self._tell_workers(Hold(candidate))

    def release(self) -> None:
        """Let writes flow again."""
        self._held_for = ""
        self._tell_workers(Hold(""))

    def end_transactions(self) -> None:
        """End the sessions whose transactions are open on the primary."""
        self._tell_workers(EndTransactions())

    def _tell_workers(self, message: Hold | EndTransactions) -> None:
        for worker in self._workers:
            if worker.channel is not None:
                worker.channel.send(message)

    async def drained(self, limit: float) -> int:
        """Return what is left open on the primary after *limit* seconds at most."""
        deadline = time.monotonic() + limit
        while True:
            counts = [worker.open for worker in self._workers if worker.channel is not None]
            if all(count == 0 for count in counts):
                return 0
            if time.monotonic() >= deadline:
                return sum(1 if count is None else count for count in counts)
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    async def recognised(self, name: str, limit: float) -> bool:
        """Have all servers probed until *name* is seen to be the primary; False after *limit* seconds."""
        deadline = time.monotonic() + limit
        while self._snapshot.primary != name:
            if time.monotonic() >= deadline:
                return False
            for server in self._snapshot.servers:
                self._monitoring.look(server.name)
            await asyncio.sleep(RECOGNISE_SECONDS)
        return True

    async def sessions(self) -> tuple[list[dict[str, Any]], int]:
        """Return the sessions of all workers, and how many workers did not answer in time."""
        answers = await self._ask_workers(AskSessions)
        found = [{**one, "worker": index} for index, told in answers for one in told or []]
        return found, sum(told is None for _, told in answers)

    async def end_session(self, number: int) -> bool:
        """End a session, for a person; False where no worker has it."""
        answers = await self._ask_workers(lambda question: EndSession(question, number))
        return any(told for _, told in answers)

    async def _ask_workers(
        self, build: Callable[[int], AskSessions | EndSession]
    ) -> list[tuple[int, list[dict[str, Any]] | None]]:
        """Ask each worker; return index and answer, None where none came within ANSWER_SECONDS."""
        self._asked += 1
        number = self._asked
        loop = asyncio.get_running_loop()
        asked: dict[int, asyncio.Future[list[dict[str, Any]]]] = {}
        for worker in self._workers:
            if worker.channel is not None:
                asked[worker.index] = self._questions[worker.index, number] = loop.create_future()
                worker.channel.send(build(number))
        try:
            if asked:
                await asyncio.wait(asked.values(), timeout=ANSWER_SECONDS)
        finally:
            for index in asked:
                del self._questions[index, number]
        return [
            (worker.index, asked[worker.index].result() if _is_answered(asked.get(worker.index)) else None)
            for worker in self._workers
        ]

    def snapshot(self) -> Snapshot:
        """Return the topology as the monitor saw it last."""
        return self._snapshot

    def workers(self) -> Sequence[Worker]:
        """Return all workers."""
        return [
            Worker(
                each.index,
                each.process.pid if each.process is not None else None,
                each.is_ready,
                self.scoreboard.worker(each.index),
            )
            for each in self._workers
        ]

    def server_counters(self) -> Mapping[str, ServerCounters]:
        """Return the counts of each server that has a row."""
        return {name: self.scoreboard.server(row) for name, row in self.indexes.items()}

    def listeners(self) -> Sequence[str]:
        """Return where clients connect."""
        return [name_of(copies[0]) for copies in self._sockets]

    def uptime(self) -> float:
        """Return for how many seconds the router has run."""
        return time.monotonic() - self.started


def _is_answered(answer: "asyncio.Future[Any] | None") -> bool:
    return answer is not None and answer.done() and not answer.cancelled()


def _certificate(settings: Settings) -> tuple[str, str]:
    tls = settings.client_tls
    if tls.certificate or tls.mode is TlsMode.DISABLED:
        return tls.certificate, tls.key
    try:
        files = ensure_certificate(_state_directory())
    except OSError as exc:
        raise ConfigError(
            f"client_tls.certificate: none is given, and none can be made: {exc}; give one, or set "
            'client_tls.mode = "DISABLED"'
        ) from exc
    return str(files.certificate), str(files.key)


def _state_directory() -> Path:
    """Return where files live that are made once: the XDG specification's place, or root's."""
    given = os.environ.get("XDG_STATE_HOME")
    if given:
        return Path(given) / "rwrouter"
    return Path("/var/lib/rwrouter") if os.geteuid() == 0 else Path.home() / ".local" / "state" / "rwrouter"


def serve(settings: Settings) -> int:
    """Run the router with *settings* until it is told to stop; return the exit status."""
    logs.configure(settings.log)
    try:
        return uvloop.run(_main(settings))
    except ConfigError as exc:
        log.error("event=not_started reason=%s", json.dumps(str(exc)))  # noqa: TRY400  no traceback for a setting
        return 1


async def _main(settings: Settings) -> int:
    master = Master(settings)
    master.bind()
    return await master.run()
