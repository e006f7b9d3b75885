"""The worker processes of a master: started, replaced when they die, told and asked, and drained at the end."""

import asyncio
import logging
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rwrouter.admin.status import Worker
from rwrouter.config.model import Settings
from rwrouter.process.channel import (
    AskSessions,
    Channel,
    Drain,
    EndSession,
    Kill,
    Message,
    Nudge,
    Open,
    Ready,
    Sessions,
)
from rwrouter.process.listeners import name_of
from rwrouter.process.scoreboard import Scoreboard
from rwrouter.process.worker import Start

log = logging.getLogger("rwrouter.master")

RESPAWN_SECONDS: Final = 1.0
"""A worker that died sooner than this after its start is replaced only after such a pause."""

ANSWER_SECONDS: Final = 2.0
"""How long a worker has to tell its sessions: one that is busier is left out, and counted."""

DRAIN_GRACE_SECONDS: Final = 2.0
"""How much longer than it was told a worker may take to drain, before it is killed."""

Answer = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Identity:
    """What every worker shows to clients: the key of the RSA exchange, and the paths of certificate and key."""

    rsa_pem: bytes
    certificate: str
    key: str


class WorkerProcess:
    """A worker, as the master sees it."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: Channel | None = None
        self.started = 0.0
        self.is_ready = False
        self.open: int | None = None  # transactions on the primary, while writes are held; None: not told yet


class Workers:
    """All workers of a master. *greet* gives what each is told when it starts, *on_nudge* gets what one has seen."""

    def __init__(
        self,
        count: int,
        settings: Settings,
        scoreboard: Scoreboard,
        greet: Callable[[], Iterable[Message]],
        on_nudge: Callable[[Nudge], None],
    ) -> None:
        self._settings = settings
        self._scoreboard = scoreboard
        self._greet = greet
        self._on_nudge = on_nudge
        self._identity = Identity(b"", "", "")
        self._sockets: Sequence[Sequence[socket.socket]] = ()
        self._is_stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._questions: dict[tuple[int, int], asyncio.Future[Answer]] = {}  # (worker, number)
        self._asked = 0
        self.processes = [WorkerProcess(index) for index in range(count)]

    async def start(self, sockets: Sequence[Sequence[socket.socket]], identity: Identity) -> None:
        """Start all. *sockets*: of each listener, one socket a worker; they go on belonging to the caller."""
        self._sockets, self._identity = sockets, identity
        for worker in self.processes:
            await self._spawn(worker)

    async def _spawn(self, worker: WorkerProcess) -> None:
        ours, theirs = socket.socketpair()
        numbers = [copies[worker.index].fileno() for copies in self._sockets]
        start = Start(
            settings=self._settings,
            index=worker.index,
            stride=len(self.processes),
            listeners=tuple(numbers),
            scoreboard=self._scoreboard.fd,
            rsa_pem=self._identity.rsa_pem,
            certificate=self._identity.certificate,
            key=self._identity.key,
        )
        worker.is_ready = False
        worker.started = time.monotonic()
        worker.process = subprocess.Popen(  # noqa: ASYNC220  takes a millisecond, at a start or a crash
            [sys.executable, "-m", "rwrouter.process.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno(), self._scoreboard.fd, *numbers],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        body = pickle.dumps(start)
        ours.sendall(len(body).to_bytes(4, "little") + body)
        worker.channel = await Channel.open(
            ours, lambda message: self.on_message(worker, message), lambda: self._on_exit(worker)
        )
        worker.open = None
        for message in self._greet():
            worker.channel.send(message)

    def on_message(self, worker: WorkerProcess, message: Any) -> None:
        """Take in what *worker* says."""
        if isinstance(message, Ready):
            worker.is_ready = True
            if all(other.is_ready for other in self.processes):
                for copies in self._sockets:
                    log.info("event=ready listening on %s", name_of(copies[0]))
        elif isinstance(message, Nudge):
            self._on_nudge(message)
        elif isinstance(message, Open):
            worker.open = message.count
        elif isinstance(message, Sessions):
            answer = self._questions.get((worker.index, message.number))
            if answer is not None and not answer.done():
                answer.set_result(message.sessions)
        elif isinstance(message, Kill):
            for other in self.processes:
                if other is not worker and other.channel is not None:
                    other.channel.send(message)

    def _on_exit(self, worker: WorkerProcess) -> None:
        worker.channel = None
        worker.is_ready = False
        if not self._is_stopping:
            task = asyncio.get_running_loop().create_task(self._replace(worker))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _replace(self, worker: WorkerProcess) -> None:
        process = worker.process
        status = await asyncio.to_thread(process.wait) if process is not None else None
        log.error("event=worker_died index=%d status=%s", worker.index, status)
        self._scoreboard.retire(worker.index)
        if time.monotonic() - worker.started < RESPAWN_SECONDS:
            await asyncio.sleep(RESPAWN_SECONDS)
        if not self._is_stopping:
            await self._spawn(worker)

    def stop_replacing(self) -> None:
        """Leave it at those that run: the end is near."""
        self._is_stopping = True

    async def drain(self, limit: float) -> None:
        """Have all finish within *limit* seconds, and return when they have ended."""
        self.tell(Drain(limit))
        deadline = time.monotonic() + limit + DRAIN_GRACE_SECONDS
        for worker in self.processes:
            process = worker.process
            while process is not None and process.poll() is None:
                if time.monotonic() > deadline:
                    process.kill()
                await asyncio.sleep(0.02)

    def tell(self, message: Message) -> None:
        """Send *message* to all that run."""
        for worker in self.processes:
            if worker.channel is not None:
                worker.channel.send(message)

    async def ask(self, build: Callable[[int], AskSessions | EndSession]) -> list[tuple[int, Answer | None]]:
        """Ask each; return index and answer, None where none came within ANSWER_SECONDS.

        *build* makes the message of a question's number.
        """
        self._asked += 1
        number = self._asked
        loop = asyncio.get_running_loop()
        asked: dict[int, asyncio.Future[Answer]] = {}
        for worker in self.processes:
            if worker.channel is not None:
                asked[worker.index] = self._questions[worker.index, number] = loop.create_future()
                worker.channel.send(build(number))
        try:
            if asked:
                await asyncio.wait(asked.values(), timeout=ANSWER_SECONDS)
        finally:
            for index in asked:
                del self._questions[index, number]
        return [(worker.index, _answer_of(asked.get(worker.index))) for worker in self.processes]

    def status(self) -> Sequence[Worker]:
        """Return all as the admin shows them."""
        return [
            Worker(
                each.index,
                each.process.pid if each.process is not None else None,
                each.is_ready,
                self._scoreboard.worker(each.index),
            )
            for each in self.processes
        ]


def _answer_of(asked: "asyncio.Future[Answer] | None") -> Answer | None:
    return asked.result() if asked is not None and asked.done() and not asked.cancelled() else None
