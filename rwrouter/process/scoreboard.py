"""Counters in memory that master and workers share, without locks: each worker writes its own slot only.

    words 0-3      the layout: magic, workers, servers_max, words per slot
    then per worker one slot: the worker's counters, then servers_max times a server's counters

Every word is an unsigned 64-bit number in the machine's order, aligned to 8 bytes, so that a reader sees an
old or a new number and never half of one. Which server has which index is decided by the master (rows.py);
workers are told with the topology.
"""

import mmap
import os
from array import array
from collections.abc import Sequence
from typing import Final, Self

from rwrouter.counters import (
    SERVER_COUNTERS,
    WORKER_COUNTERS,
    ServerCounters,
    WorkerCounters,
    gauges,
    server_values,
    worker_values,
)

MAGIC: Final = 0x7277726F75746572  # "rwrouter" read as a number
HEADER: Final = 4  # words
MASK: Final = (1 << 64) - 1

_WORKER_GAUGES: Final = gauges(WorkerCounters)
_SERVER_GAUGES: Final = gauges(ServerCounters)


def _slot_words(servers_max: int) -> int:
    return len(WORKER_COUNTERS) + servers_max * len(SERVER_COUNTERS)


class Scoreboard:
    """The whole of it, for the master; *slot()* is one worker's part.

    *fd* is the anonymous file behind it; it is inherited by workers, who attach to it by its number. The
    memory goes when the last process that has it ends.
    """

    def __init__(self, fd: int) -> None:
        """Map the file *fd*. Raises ValueError if it is no scoreboard of this version."""
        self.fd = fd
        self._map = mmap.mmap(fd, 0)
        self._words = memoryview(self._map).cast("Q")
        magic, self.workers, self.servers_max, slot_words = self._words[:HEADER].tolist()
        if magic != MAGIC or slot_words != _slot_words(self.servers_max):
            self.close()
            raise ValueError(f"file descriptor {fd} is no scoreboard of this version")

    @classmethod
    def create(cls, workers: int, servers_max: int = 128) -> Self:
        """Make a scoreboard, all counters at zero, on a new anonymous file that child processes inherit."""
        fd = os.memfd_create("rwrouter-scoreboard", 0)  # 0: without close-on-exec
        words = _slot_words(servers_max)
        os.truncate(fd, 8 * (HEADER + workers * words))
        os.pwrite(fd, array("Q", [MAGIC, workers, servers_max, words]).tobytes(), 0)
        return cls(fd)

    @classmethod
    def attach(cls, fd: int) -> Self:
        """Map the scoreboard on the inherited file *fd*. Raises ValueError if it is none."""
        return cls(fd)

    def close(self) -> None:
        """Unmap; the file descriptor stays open. Slots of this mapping must not be used any more."""
        self._words.release()
        self._map.close()

    def slot(self, worker: int) -> "Slot":
        """Return the part of *worker* (0 and up), to write to. Raises IndexError."""
        if not 0 <= worker < self.workers:
            raise IndexError(f"worker {worker} of {self.workers}")
        size = _slot_words(self.servers_max)
        start = HEADER + worker * size
        return Slot(self._words[start : start + size], self.servers_max)

    def worker(self, worker: int) -> WorkerCounters:
        """Return what *worker* has counted."""
        return self.slot(worker).worker()

    def total(self) -> WorkerCounters:
        """Return the sums over all workers."""
        return WorkerCounters(*self._sums(0, len(WORKER_COUNTERS)))

    def server(self, index: int) -> ServerCounters:
        """Return the sums over all workers for the server with *index*. Raises IndexError."""
        return ServerCounters(*self._sums(_server_start(index, self.servers_max), len(SERVER_COUNTERS)))

    def retire(self, worker: int) -> None:
        """Take what *worker* had open out of the sums: called by the master when that process has ended."""
        slot = self.slot(worker)
        slot.write(*slot.resumed())

    def _sums(self, start: int, count: int) -> list[int]:
        size = _slot_words(self.servers_max)
        sums = [0] * count
        for worker in range(self.workers):
            at = HEADER + worker * size + start
            sums = [one + other for one, other in zip(sums, self._words[at : at + count], strict=True)]
        return sums


class Slot:
    """One worker's part. The worker counts in objects of its own and writes them here 4 times a second."""

    __slots__ = ("_servers_max", "_words")

    def __init__(self, words: memoryview, servers_max: int) -> None:
        self._words = words
        self._servers_max = servers_max

    def write(self, worker: WorkerCounters, servers: Sequence[ServerCounters]) -> None:
        """Publish the counters; *servers* in the order of the master's list. Past servers_max: IndexError."""
        if len(servers) > self._servers_max:
            raise IndexError(f"{len(servers)} servers, and place for {self._servers_max}")
        values = worker_values(worker)
        for server in servers:
            values += server_values(server)
        self._words[: len(values)] = memoryview(array("Q", [value & MASK for value in values]))

    def worker(self) -> WorkerCounters:
        """Return what was published last of the worker itself."""
        return WorkerCounters(*self._words[: len(WORKER_COUNTERS)])

    def server(self, index: int) -> ServerCounters:
        """Return what was published last of the server with *index*. Raises IndexError."""
        start = _server_start(index, self._servers_max)
        return ServerCounters(*self._words[start : start + len(SERVER_COUNTERS)])

    def resumed(self) -> tuple[WorkerCounters, list[ServerCounters]]:
        """Return the counters that a new worker in this slot starts from.

        Totals go on where the worker before it stopped, so that no sum ever falls; what it had open is gone.
        """
        worker = self.worker()
        servers = [self.server(index) for index in range(self._servers_max)]
        for name in _WORKER_GAUGES:
            setattr(worker, name, 0)
        for server in servers:
            for name in _SERVER_GAUGES:
                setattr(server, name, 0)
        return worker, servers


def _server_start(index: int, servers_max: int) -> int:
    if not 0 <= index < servers_max:
        raise IndexError(f"server {index}, and place for {servers_max}")
    return len(WORKER_COUNTERS) + index * len(SERVER_COUNTERS)
