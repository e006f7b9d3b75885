"""The gate for writes: what workers are told, and what is waited for."""

import asyncio

from rwrouter.model import Address, Server, Snapshot
from rwrouter.process.channel import EndTransactions, Hold, Open
from rwrouter.process.gate import WriteGate
from tests.unit.process.recording import recorded


def test_open_transactions_are_waited_for_worker_by_worker() -> None:
    """Until each has told that it has none; one that has nothing new to tell is not waited for again."""

    async def play() -> None:
        workers, channels, _ = recorded()
        gate = WriteGate(workers, Snapshot, lambda _: None)
        gate.hold("db2")
        assert gate.held_for == "db2"
        assert await gate.drained(0.0) == 2  # nobody has told yet
        workers.on_message(workers.processes[0], Open(0))
        workers.on_message(workers.processes[1], Open(3))
        assert await gate.drained(0.0) == 3
        gate.end_transactions()
        workers.on_message(workers.processes[1], Open(0))
        assert await gate.drained(0.0) == 0
        gate.release()
        assert not gate.held_for
        assert channels[0].sent == [Hold("db2"), EndTransactions(), Hold("")]

    asyncio.run(play())


def test_a_new_primary_is_looked_for_on_all_servers() -> None:
    """Until it is seen, or the time is over."""
    servers = tuple(Server(name, Address(name, 3306)) for name in ("db1", "db2"))
    looked: list[str] = []

    def snapshot() -> Snapshot:
        return Snapshot(servers=servers, primary="db2" if len(looked) > 2 else "db1")

    async def play() -> None:
        gate = WriteGate(recorded()[0], snapshot, looked.append)
        assert not await gate.recognised("db2", 0.0)
        assert looked == []
        assert await gate.recognised("db2", 60.0)
        assert looked == ["db1", "db2"] * 2

    asyncio.run(play())
