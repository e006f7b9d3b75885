"""An asyncio event loop in virtual time: no clock, no socket, no thread; the same seed gives the same order.

What `call_soon` is given runs in its order, as asyncio promises. What falls due at the same moment runs in an order
that the seed decides: that is where a real selector makes no promise.
"""

import asyncio
import contextvars
import heapq
import random
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.network import Network


class Stuck(Exception):
    """Nothing is left to happen, though somebody still waits."""


class Loop(asyncio.AbstractEventLoop):
    """Runs callbacks until a task is done. *network* is what `create_connection` connects over."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._due: list[tuple[float, float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._context = contextvars.copy_context()  # one for all: nothing here has context variables
        self.network: Network | None = None
        self.errors: list[str] = []  # what nobody caught

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def stall(self, seconds: float) -> None:
        """Let *seconds* pass in which nothing runs: what was due in them is late."""
        self._now += seconds

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """Run *callback* in this round or the next."""
        handle = asyncio.Handle(callback, args, self, context or self._context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """Run *callback* soon: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Run *callback* in *delay* seconds."""
        return self.call_at(self._now + max(0.0, delay), callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Run *callback* at *when*."""
        handle = asyncio.TimerHandle(when, callback, args, self, context or self._context)
        self._count += 1
        heapq.heappush(self._due, (when, self._rng.random(), self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is dropped when it is due."""

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Any = None, **_kwargs: Any
    ) -> "asyncio.Task[Any]":
        """Start a task on this loop."""
        return asyncio.Task(coro, loop=self, name=name or "task", context=context)

    def get_debug(self) -> bool:
        """Tell that no debugging is on: it would be slow."""
        return False

    def is_running(self) -> bool:
        """Tell that it runs: it exists only for that."""
        return True

    def is_closed(self) -> bool:
        """Tell that it is never closed."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what nobody caught: in a router that is a bug."""
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect over the modelled network."""
        if self.network is None:
            raise OSError(f"no network to {host}:{port}")
        return await self.network.connect(protocol_factory, host)

    def run(self, main: Coroutine[Any, Any, None], limit: float) -> None:
        """Run *main* to its end. Raises what it raises; Stuck where it has not ended at *limit* seconds."""
        events._set_running_loop(self)
        try:
            task = self.create_task(main)
            self._run_until(task, limit)
            task.result()
        finally:
            self._cancel_all()
            events._set_running_loop(None)

    def _run_until(self, task: "asyncio.Task[None]", limit: float) -> None:
        ready, due = self._ready, self._due
        while True:
            while ready:
                handle = ready.popleft()
                if not handle._cancelled:
                    try:
                        handle._callback(*handle._args)  # type: ignore[attr-defined]
                    except Exception as exc:  # noqa: BLE001 - as asyncio's own loop
                        self.call_exception_handler({"message": f"in {handle}", "exception": exc})
            if task.done():
                return
            if not due:
                raise Stuck("nothing is left to happen, and the history has not ended")
            when, _, _, timer = heapq.heappop(due)
            if timer._cancelled:
                continue
            if when > self._now:
                self._now = when
                if when > limit:
                    raise Stuck(f"the history has not ended after {limit:g} s")
            ready.append(timer)

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks(self):
            task.cancel()
        while self._ready:
            handle = self._ready.popleft()
            if not handle._cancelled:
                handle._run()
        self._due.clear()
