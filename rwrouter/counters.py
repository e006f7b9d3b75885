"""What is counted: plain slotted ints, because they are counted once per statement."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final


def _total(text: str) -> Any:
    """Return a field that only grows."""
    return field(default=0, metadata={"help": text, "gauge": False})


def _now(text: str) -> Any:
    """Return a field that says how many there are now."""
    return field(default=0, metadata={"help": text, "gauge": True})


@dataclass(slots=True)
class WorkerCounters:
    """What one worker counts, or the sum over several."""

    clients: int = _now("clients connected")
    clients_total: int = _total("clients that have connected")
    clients_refused: int = _total("clients turned away by a limit or a shutdown")
    logins_failed: int = _total("logins refused")
    sessions_pinned: int = _now("sessions tied to one connection")
    statements: int = _total("statements received from clients")
    errors: int = _total("error packets sent to clients")
    plan_hits: int = _total("statements whose plan was remembered")
    plan_misses: int = _total("statements that had to be classified")
    disagreements: int = _total("statements that the two readings of SQL disagreed on")
    self_corrections: int = _total("statements that a replica refused as writes, run again on the primary")
    retries: int = _total("reads run again on another server after a fault")
    held_now: int = _now("statements that wait for a primary")
    held: int = _total("statements that have waited for a primary")
    held_timeouts: int = _total("such waits that ended with an error")
    waits: int = _total("reads that waited for a replica to have a write")
    wait_timeouts: int = _total("such waits that ended without it: another server was asked")
    wait_microseconds: int = _total("time that reads have waited so, in microseconds")
    waits_spared: int = _total("reads that need not wait: the monitor had seen the write on the replica")
    waits_skipped: int = _total(
        "reads that only looked, on a replica thought to be too far behind to wait for"
    )
    read_fallbacks: int = _total("reads that the primary answered, because no replica was fit for them")
    reads_refused: int = _total("reads that failed, because no replica was fit (reads.fallback)")
    local_answers: int = _total("statements answered by the router itself")
    protocol_errors: int = _total("connections ended because a client broke the protocol")
    bytes_in: int = _total("bytes received from clients")
    bytes_out: int = _total("bytes sent to clients")


@dataclass(slots=True)
class ServerCounters:
    """What one worker counts of one server, or the sum over workers."""

    statements: int = _total("statements sent")
    reads: int = _total("statements sent as reads")
    writes: int = _total("statements sent as writes, or because nothing else was sure")
    errors: int = _total("error packets received")
    connections: int = _now("connections open")
    connections_total: int = _total("connections opened")
    connect_failures: int = _total("connections that could not be opened")
    outstanding: int = _now("statements under way")
    circuits_open: int = _now(
        "workers that open no connection there for now, because one could not be opened"
    )
    circuits_capped: int = _now("workers that open fewer connections there, because it was full")
    ended_idle: int = _total("connections that it ended while they were idle, and said so")
    bytes_in: int = _total("bytes received")
    bytes_out: int = _total("bytes sent")


WORKER_COUNTERS: Final[tuple[str, ...]] = tuple(f.name for f in fields(WorkerCounters))
SERVER_COUNTERS: Final[tuple[str, ...]] = tuple(f.name for f in fields(ServerCounters))


def gauges(kind: type[WorkerCounters | ServerCounters]) -> frozenset[str]:
    """Return the names of the fields that say how many there are now, and so end with their worker."""
    return frozenset(f.name for f in fields(kind) if f.metadata["gauge"])


def help_of(kind: type[WorkerCounters | ServerCounters]) -> dict[str, str]:
    """Return what each field of *kind* counts, in words."""
    return {f.name: f.metadata["help"] for f in fields(kind)}


def worker_values(counters: WorkerCounters) -> list[int]:
    """Return the numbers in the order of WORKER_COUNTERS."""
    return [getattr(counters, name) for name in WORKER_COUNTERS]


def server_values(counters: ServerCounters) -> list[int]:
    """Return the numbers in the order of SERVER_COUNTERS."""
    return [getattr(counters, name) for name in SERVER_COUNTERS]


def sum_of_workers(rows: Sequence[WorkerCounters]) -> WorkerCounters:
    """Return the sums over *rows*."""
    return WorkerCounters(*(sum(column) for column in zip(*map(worker_values, rows), strict=True)))
