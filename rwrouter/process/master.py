"""The master: binds sockets, runs the monitor and the admin, and has workers serve.

It never touches a client's byte.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvloop

from rwrouter.admin.operating import Busy
from rwrouter.admin.server import AdminServer
from rwrouter.admin.status import Worker
from rwrouter.cluster.steps import Order
from rwrouter.config.addresses import parse_admin
from rwrouter.config.certificate import ensure_certificate
from rwrouter.config.model import Settings, TlsMode
from rwrouter.counters import ServerCounters
from rwrouter.errors import ConfigError
from rwrouter.model import Server, Snapshot, State
from rwrouter.process import logs
from rwrouter.process.channel import AskSessions, EndSession, Hold, Message, Nudge, Topology
from rwrouter.process.gate import WriteGate
from rwrouter.process.hands import OperatorHands
from rwrouter.process.listeners import bind, name_of
from rwrouter.process.monitoring import Monitoring
from rwrouter.process.rows import Rows
from rwrouter.process.scoreboard import Scoreboard
from rwrouter.process.switching import Switchover
from rwrouter.process.workers import Identity, Workers
from rwrouter.protocol.auth import RsaKey

if TYPE_CHECKING:
    import socket

log = logging.getLogger("rwrouter.master")

FIRST_LOOK_SECONDS: Final = 3.0
"""How long clients are not yet accepted at a start, so that the first of them finds servers that are known."""

ROWS: Final = 128
"""Servers that are counted for, at least: more than are listed may be found."""

STOP_SECONDS: Final = 2.0
"""How long the monitor may take to end: its threads may be waiting for a server that hangs."""


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
        self._rsa = RsaKey.generate()
        self._stopping = asyncio.Event()
        self._seen = asyncio.Event()
        self._sockets: list[list[socket.socket]] = []
        self._workers = Workers(self.count, settings, self.scoreboard, self._greeting, self._on_nudge)
        self._monitoring = Monitoring(settings, self._on_snapshot)
        self._gate = WriteGate(self._workers, self.snapshot, self._monitoring.look)
        self._switchover: Switchover | None = None  # the last one, over or not
        self._switching: asyncio.Task[None] | None = None
        self._decrees: dict[str, tuple[State | None, int | None]] = {}  # by a person: state, weight

    def bind(self) -> None:
        """Bind all listeners. Raises ConfigError."""
        self._sockets = [bind(listen, self.count) for listen in self.settings.listen]

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        identity = Identity(self._rsa.private_pem(), *_certificate(self.settings))
        watching = loop.create_task(self._monitoring.run())
        admin = await self._start_admin()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._seen.wait(), FIRST_LOOK_SECONDS)
        if self._snapshot.problem:
            log.warning('event=no_server reason="%s"', self._snapshot.problem)
        await self._workers.start(self._sockets, identity)
        await self._stopping.wait()
        log.info("event=stopping")
        if self._switching is not None:
            await asyncio.wait({self._switching})  # half a switchover would leave nobody primary
        await self._workers.drain(self.settings.limits.drain_timeout)
        # Closed first: asyncio.wait_for of Python 3.11 can swallow a cancellation that comes with its result.
        self._monitoring.close()
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

    def _stop(self) -> None:
        self._workers.stop_replacing()
        self._stopping.set()

    # -- topology

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.indexes = self._rows.assign([server.name for server in snapshot.servers])
        if snapshot.primary is not None:
            self._seen.set()
        self._workers.tell(Topology(snapshot, self.indexes))

    def _greeting(self) -> Iterator[Message]:
        """Yield what a new worker has to know."""
        yield Topology(self._snapshot, self.indexes)
        if self._gate.held_for:
            yield Hold(self._gate.held_for)

    def _on_nudge(self, nudge: Nudge) -> None:
        if nudge.failed:
            self._monitoring.failed(nudge.server)
        else:
            self._monitoring.nudge(nudge.server, nudge.why)

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
        self._switchover = Switchover(order, snapshot, self._gate, hands)
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

    async def sessions(self) -> tuple[list[dict[str, Any]], int]:
        """Return the sessions of all workers, and how many workers did not answer in time."""
        answers = await self._workers.ask(AskSessions)
        found = [{**one, "worker": index} for index, told in answers for one in told or []]
        return found, sum(told is None for _, told in answers)

    async def end_session(self, number: int) -> bool:
        """End a session, for a person; False where no worker has it."""
        answers = await self._workers.ask(lambda question: EndSession(question, number))
        return any(told for _, told in answers)

    def snapshot(self) -> Snapshot:
        """Return the topology as the monitor saw it last."""
        return self._snapshot

    def workers(self) -> Sequence[Worker]:
        """Return all workers."""
        return self._workers.status()

    def server_counters(self) -> Mapping[str, ServerCounters]:
        """Return the counts of each server that has a row."""
        return {name: self.scoreboard.server(row) for name, row in self.indexes.items()}

    def listeners(self) -> Sequence[str]:
        """Return where clients connect."""
        return [name_of(copies[0]) for copies in self._sockets]

    def uptime(self) -> float:
        """Return for how many seconds the router has run."""
        return time.monotonic() - self.started


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
