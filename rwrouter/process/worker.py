"""One worker: an event loop that serves clients. Started by the master, told what to do over a channel."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvloop

from rwrouter.config.model import Settings, TlsMode
from rwrouter.counters import ServerCounters, server_values, sum_of_workers
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
from rwrouter.process.scoreboard import Scoreboard
from rwrouter.protocol.auth import RsaKey
from rwrouter.protocol.tls import context_towards_clients, context_towards_servers
from rwrouter.proxy import sessions
from rwrouter.proxy.dial import Account
from rwrouter.proxy.gateway import Gateway
from rwrouter.proxy.login import ClientLogin

if TYPE_CHECKING:
    from rwrouter.process.scoreboard import Slot

log = logging.getLogger("rwrouter.worker")

FLUSH_SECONDS: Final = 0.25
"""How often counts go to shared memory: not on the hot path, and soon enough for a person who watches."""


COUNT_SECONDS: Final = 0.01
"""Between two counts of open transactions, while a switchover waits for their end."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first thing that a worker is told."""

    settings: Settings
    index: int
    stride: int
    listeners: tuple[int, ...]  # file descriptors
    scoreboard: int  # file descriptor
    rsa_pem: bytes
    certificate: str
    key: str


class Worker:
    """Serves clients until it is told to drain, or the master is gone."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._stopping = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._drain_timeout = 0.0
        settings = start.settings
        self._slot: Slot = Scoreboard.attach(start.scoreboard).slot(start.index)
        self._before = self._slot.resumed()
        self._indexes: dict[str, int] = {}
        servers = settings.server_tls
        client_tls = None
        if settings.client_tls.mode is not TlsMode.DISABLED:
            client_tls = context_towards_clients(start.certificate, start.key, settings.client_tls.ca)
        self.gateway = Gateway(
            settings,
            index=start.index,
            stride=start.stride,
            rsa=RsaKey.load(start.rsa_pem),
            client_tls=client_tls,
            server_tls=context_towards_servers(
                servers.mode.value, servers.ca, servers.certificate, servers.key
            ),
            nudge=self._nudge,
            kill_elsewhere=self._kill_elsewhere,
        )

    async def run(self, sock: socket.socket) -> None:
        """Serve until the end."""
        self._channel = await Channel.open(sock, self._on_message, self._on_orphaned)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the master decides
        loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        factory = partial(ClientLogin, self.gateway)
        for number in self._start.listeners:
            listener = socket.socket(fileno=number)
            listener.setblocking(False)
            if listener.family == socket.AF_UNIX:
                server = await loop.create_unix_server(factory, sock=listener)
            else:
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by what it accepts
                server = await loop.create_server(factory, sock=listener, backlog=4096)
            self._servers.append(server)
        self._channel.send(Ready(self._start.index))
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # statements make no cycles; connections few
        flushing = loop.create_task(self._flush_for_ever())
        await self._stopping.wait()
        await self._drain()
        flushing.cancel()
        self._flush()

    async def _drain(self) -> None:
        for server in self._servers:
            server.close()
        deadline = self.gateway.loop.time() + self._drain_timeout
        clients = self.gateway.clients
        while clients:
            late = self.gateway.loop.time() >= deadline
            for client in tuple(clients.values()):
                if late or client.is_idle:
                    client.shut_down()
            if late:
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)  # goodbyes leave

    def _on_message(self, message: Any) -> None:
        if isinstance(message, Topology):
            self._take_rows(message.indexes)
            self.gateway.update(message.snapshot)
        elif isinstance(message, Drain):
            self._drain_timeout = message.timeout
            self._stopping.set()
        elif isinstance(message, Hold):
            self._hold(message.candidate)
        elif isinstance(message, EndTransactions):
            self.gateway.holding.end_transactions()
        elif isinstance(message, Kill):
            self.gateway.kill(message.number, message.account, query_only=message.query_only)
        elif isinstance(message, AskSessions):
            self._channel.send(Sessions(message.number, sessions.all_facts(self.gateway)))
        elif isinstance(message, EndSession):
            ended = sessions.end(self.gateway, message.session)
            self._channel.send(Sessions(message.number, [{"id": message.session}] if ended else []))

    def _take_rows(self, indexes: dict[str, int]) -> None:
        """A row that was another server's before starts from nothing."""
        before, self._indexes = self._indexes, indexes
        owners = {row: name for name, row in before.items()}
        for name, row in indexes.items():
            if owners.get(row, name) != name:
                self._before[1][row] = ServerCounters()

    def _hold(self, candidate: str) -> None:
        holding = self.gateway.holding
        if not candidate:
            holding.release()
            return
        holding.hold(candidate)
        self.gateway.spawn(self._tell_open())

    async def _tell_open(self) -> None:
        """Tell the master what is under way on the primary, until writes flow again."""
        told = -1
        holding = self.gateway.holding
        while holding.held_for:
            count = holding.under_way()
            if count != told:
                told = count
                self._channel.send(Open(count))
            await asyncio.sleep(COUNT_SECONDS)

    def _on_orphaned(self) -> None:
        if not self._stopping.is_set():
            log.error('event=orphaned reason="the master is gone"')
            self._stopping.set()

    def _nudge(self, server: str, why: str, *, failed: bool) -> None:
        self._channel.send(Nudge(server, why, failed=failed))

    def _kill_elsewhere(self, number: int, account: Account, *, query_only: bool) -> None:
        self._channel.send(Kill(number, account, query_only))

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._flush()

    def _flush(self) -> None:
        worker, servers = self._before  # of the worker that had this slot before: totals never fall
        now = self.gateway.totals_by_server(self._indexes)
        rows = [
            ServerCounters(*map(sum, zip(server_values(old), server_values(new), strict=True)))
            for old, new in zip(servers, now, strict=False)
        ]
        self._slot.write(sum_of_workers([worker, self.gateway.totals()]), rows)


def _receive_start(sock: socket.socket) -> Start:
    import pickle

    with sock.dup() as copy, copy.makefile("rb", buffering=0) as stream:
        size = int.from_bytes(stream.read(4), "little")
        start = pickle.loads(stream.read(size))  # noqa: S301  from the master, over its own socket pair
    if not isinstance(start, Start):
        raise TypeError("the master's first message")
    return start


async def _serve(start: Start, sock: socket.socket) -> None:
    await Worker(start).run(sock)


def main() -> None:
    """Entry point: the channel's file descriptor is the only argument."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    start = _receive_start(sock)
    logs.configure(start.settings.log)
    uvloop.run(_serve(start, sock))
    os._exit(0)  # open sockets and threads of libraries must not delay the end


if __name__ == "__main__":
    from rwrouter.process import worker  # noqa: PLW0406  so that pickled names are those of the package, not of __main__

    worker.main()
