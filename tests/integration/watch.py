"""The monitor alone, before real servers: what it finds, without a router around it."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rwrouter.config.model import MonitorSettings, ReadSettings, ServerSettings, Settings
from rwrouter.model import Snapshot, State
from rwrouter.process.monitoring import Monitoring
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.options import Account
from rwrouter.sandbox.server import SandboxServer

INTERVAL = 0.5  # seconds between two probes


class Watch:
    """A monitor of a sandbox, running in a thread of its own. It keeps each snapshot, and when it came."""

    def __init__(
        self,
        sandbox: Sandbox,
        account: Account | None = None,
        max_lag: float = 10.0,
        servers: Sequence[SandboxServer | ServerSettings] | None = None,
        monitor: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        """*servers* are those that are configured, by default all; *monitor* are settings of that table."""
        account = account or sandbox.monitor
        listed = [
            one if isinstance(one, ServerSettings) else ServerSettings(address=one.address, name=one.name)
            for one in (sandbox.servers if servers is None else servers)
        ]
        self.settings = Settings(
            servers=tuple(listed),
            monitor=MonitorSettings.model_validate(
                {
                    "user": account.user,
                    "password": account.password,
                    "interval": INTERVAL,
                    "timeout": INTERVAL,
                    **(monitor or {}),
                }
            ),
            reads=ReadSettings(max_lag=max_lag),
            **settings,
        )
        self.seen: list[tuple[float, Snapshot]] = []
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._monitoring = Monitoring(self.settings, self._take)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._monitoring.run(),))

    def __enter__(self) -> Self:
        """Start, and return when every server has been looked at."""
        self._thread.start()
        self.until(lambda snapshot: all(server.reason != "not probed yet" for server in snapshot.servers))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._loop.call_soon_threadsafe(self._monitoring.close)
        self._thread.join(10)
        self._loop.close()

    @property
    def snapshot(self) -> Snapshot:
        """The newest."""
        return self.seen[-1][1]

    def until(self, wanted: Callable[[Snapshot], bool], timeout: float = 60.0) -> float:
        """Return how many seconds from now the first snapshot came that is as *wanted*."""
        start = time.monotonic()
        with self._news:
            first = max(0, len(self.seen) - 1)  # the one that holds now counts
            met = self._news.wait_for(lambda: any(wanted(one) for _, one in self.seen[first:]), timeout)
            assert met, f"not within {timeout:g} s: {self.seen[-1:]}"
            when = next(at for at, one in self.seen[first:] if wanted(one))
        return max(0.0, when - start)

    def until_state(self, server: SandboxServer, state: State, timeout: float = 60.0) -> float:
        """Return how many seconds it took until *server* was in *state*."""
        return self.until(lambda snapshot: snapshot.server(server.name).state is state, timeout)

    def _take(self, snapshot: Snapshot) -> None:
        with self._news:
            self.seen.append((time.monotonic(), snapshot))
            self._news.notify_all()
