"""What the router is doing, as one JSON object: /v1/status. Keys are promises: added, never renamed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from rwrouter import __version__
from rwrouter.counters import ServerCounters, WorkerCounters, sum_of_workers
from rwrouter.model import Snapshot


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process, as its master sees it."""

    index: int
    pid: int | None  # None while it is being replaced
    is_ready: bool
    counters: WorkerCounters = field(default_factory=WorkerCounters)


class StatusSource(Protocol):
    """Where the admin side looks: each call returns values of this moment, never live objects."""

    def snapshot(self) -> Snapshot:
        """Return the topology."""

    def workers(self) -> Sequence[Worker]:
        """Return all workers, in the order of their indexes."""

    def server_counters(self) -> Mapping[str, ServerCounters]:
        """Return what was counted per server, by its name; a server without traffic may be left out."""

    def listeners(self) -> Sequence[str]:
        """Return where clients connect, the ports as they were bound."""

    def uptime(self) -> float:
        """Return for how many seconds the router has run."""


def trouble(source: StatusSource) -> str:
    """Return why no client could be served now, as a sentence; "" if one could."""
    if problem := source.snapshot().problem:
        return problem
    if not any(worker.is_ready for worker in source.workers()):
        return "no worker is ready yet"
    return ""


def build_status(source: StatusSource) -> dict[str, Any]:
    """Return the whole status, of types that JSON has."""
    snapshot, workers, counted = source.snapshot(), source.workers(), source.server_counters()
    totals = sum_of_workers([worker.counters for worker in workers])
    all_reads = sum(counted.get(server.name, ServerCounters()).reads for server in snapshot.servers)
    servers = []
    for server in snapshot.servers:
        counters = counted.get(server.name, ServerCounters())
        servers.append(
            {
                "name": server.name,
                "address": str(server.address),
                "role": server.role.value,
                "state": server.state.value,
                "reason": server.reason,
                "lag_seconds": server.lag.seconds,
                "lag_why": server.lag.why,
                "weight": server.weight,
                "ramp": server.ramp,
                "zone": server.zone,
                "flavor": server.flavor.value,
                "version": server.version,
                **asdict(counters),
                "share_of_reads": counters.reads / all_reads if all_reads else None,
            }
        )
    problem = trouble(source)
    return {
        "version": __version__,
        "ready": not problem,
        "problem": problem,
        "generation": snapshot.generation,
        "uptime_seconds": round(source.uptime(), 3),
        "primary": snapshot.primary,
        "listeners": list(source.listeners()),
        "clients": totals.clients,
        "alarms": list(snapshot.alarms),
        "servers": servers,
        "workers": [
            {"index": worker.index, "pid": worker.pid, "ready": worker.is_ready, **asdict(worker.counters)}
            for worker in workers
        ],
        "totals": asdict(totals),
    }
