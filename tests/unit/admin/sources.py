"""A source of status that tests fill in; its methods are documented where they are promised."""
# ruff: noqa: D102

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rwrouter.admin.operating import Busy
from rwrouter.admin.status import Worker
from rwrouter.cluster.steps import Order
from rwrouter.counters import ServerCounters, WorkerCounters
from rwrouter.model import Address, Lag, Role, Server, Snapshot, State

SERVERS = (
    Server("db1", Address("10.0.0.1", 3306), Role.PRIMARY, State.UP, "", Lag(None, "is the primary"), 1),
    Server("db2", Address("10.0.0.2", 3306), Role.REPLICA, State.UP, "", Lag(0.25, "heartbeat")),
    Server("db3", Address("::1", 3306), Role.REPLICA, State.DOWN, 'said "no"', Lag(None, "does not answer")),
)


SESSION: dict[str, Any] = {
    "id": 1 << 30,
    "user": "app",
    "client": "192.0.2.1:4711",
    "schema": "shop",
    "seconds": 12.5,
    "tied_by": ["temporary_table", "transaction"],
    "tied_to": "db1",
    "keeps": ["user_variable"],
    "servers": ["db1", "db2"],
    "is_running": False,
    "statement": "SELECT ?",
    "reason": "reads",
    "worker": 0,
}


@dataclass
class FixedSource:
    """Says what it was made with."""

    seen: Snapshot = field(
        default_factory=lambda: Snapshot(generation=7, servers=SERVERS, primary="db1", problem="")
    )
    processes: Sequence[Worker] = (
        Worker(0, 100, is_ready=True, counters=WorkerCounters(clients=2, statements=10, bytes_in=5)),
        Worker(1, None, is_ready=False, counters=WorkerCounters(clients=1, statements=1)),
    )
    counted: Mapping[str, ServerCounters] = field(
        default_factory=lambda: {
            "db1": ServerCounters(reads=1),
            "db2": ServerCounters(reads=3, connections=4),
        }
    )

    order: Order | None = None

    known: list[dict[str, Any]] = field(default_factory=lambda: [SESSION])

    def snapshot(self) -> Snapshot:
        return self.seen

    def workers(self) -> Sequence[Worker]:
        return self.processes

    def server_counters(self) -> Mapping[str, ServerCounters]:
        return self.counted

    def listeners(self) -> Sequence[str]:
        return ["127.0.0.1:6450"]

    def uptime(self) -> float:
        return 12.5

    def set_state(self, server: str, state: State | None) -> Server:
        return self._change(replace(self.seen.server(server), state=state or State.UP))

    def set_weight(self, server: str, weight: int) -> Server:
        return self._change(replace(self.seen.server(server), weight=weight))

    def switch_over(self, order: Order) -> None:
        if self.order is not None:
            raise Busy("one is under way")
        self.order = order

    def switchover_report(self) -> dict[str, Any]:
        return {"state": "none" if self.order is None else "running", "over": self.order is None}

    async def sessions(self) -> tuple[list[dict[str, Any]], int]:
        return list(self.known), 1

    async def end_session(self, number: int) -> bool:
        before = len(self.known)
        self.known = [one for one in self.known if one["id"] != number]
        return len(self.known) < before

    def _change(self, server: Server) -> Server:
        servers = [server if one.name == server.name else one for one in self.seen.servers]
        self.seen = replace(self.seen, servers=tuple(servers))
        return server
