"""The router's own part in a switchover: its workers hold writes, tell what is still open, let writes flow again."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from rwrouter.model import Snapshot
from rwrouter.process.channel import EndTransactions, Hold
from rwrouter.process.workers import Workers

DRAIN_LOOK_SECONDS: Final = 0.005
"""Between two looks at what workers have told of open transactions."""

RECOGNISE_SECONDS: Final = 0.05
"""Between two rounds of probes while a new primary is waited for."""


class WriteGate:
    """Holds writes in all workers: the `Gate` of `switching.py`."""

    def __init__(
        self, workers: Workers, snapshot: Callable[[], Snapshot], probe: Callable[[str], None]
    ) -> None:
        """*snapshot*: what workers were told last. *probe* has the server of a name looked at."""
        self._workers = workers
        self._snapshot = snapshot
        self._probe = probe
        self.held_for = ""  # who is made the primary, while workers hold writes

    def hold(self, candidate: str) -> None:
        """Have all workers hold writes."""
        self.held_for = candidate
        for worker in self._workers.processes:
            worker.open = None
        self._workers.tell(Hold(candidate))

    def release(self) -> None:
        """Let writes flow again."""
        self.held_for = ""
        self._workers.tell(Hold(""))

    def end_transactions(self) -> None:
        """End the sessions whose transactions are open on the primary."""
        self._workers.tell(EndTransactions())

    async def drained(self, limit: float) -> int:
        """Return what is left open on the primary after *limit* seconds at most."""
        deadline = time.monotonic() + limit
        while True:
            counts = [worker.open for worker in self._workers.processes if worker.channel is not None]
            if all(count == 0 for count in counts):
                return 0
            if time.monotonic() >= deadline:
                return sum(1 if count is None else count for count in counts)
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    async def recognised(self, name: str, limit: float) -> bool:
        """Have all servers probed until *name* is seen to be the primary; False after *limit* seconds."""
        deadline = time.monotonic() + limit
        while self._snapshot().primary != name:
            if time.monotonic() >= deadline:
                return False
            for server in self._snapshot().servers:
                self._probe(server.name)
            await asyncio.sleep(RECOGNISE_SECONDS)
        return True
