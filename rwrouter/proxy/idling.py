"""A session that has set `wait_timeout` for itself: its client is hung up on after so long, as a server does.

Servers do that with the connections that a session has to them, which are opened anew where nothing ties the session:
its client would not be told. Only a session that has set the variable has a timer, and nothing is asked of the hot
path: what the client sent last is compared with what it had sent a moment before.
"""

import logging
from typing import TYPE_CHECKING, Final

from rwrouter.model import Flavor

if TYPE_CHECKING:
    import asyncio

    from rwrouter.proxy.client import ClientConnection

log = logging.getLogger("rwrouter.client")

VARIABLE: Final = b"wait_timeout"

LOOKS: Final = 4
"""How often the time is divided: a client is hung up on after wait_timeout and up to a quarter of it."""

_WORDS: Final = (
    "The client was disconnected by the server because of inactivity. "
    "See wait_timeout and interactive_timeout for configuring this behavior."
)
INACTIVE: Final = (4031, "HY000", _WORDS)
"""What MySQL says (8.0.24 and later); MariaDB hangs up without a word."""


class IdleTimer:
    """Looks at one client from time to time, from `start` until `stop`, or until nothing is set any more."""

    __slots__ = ("_client", "_handle", "_quiet", "_seen")

    def __init__(self, client: "ClientConnection") -> None:
        self._client = client
        self._handle: asyncio.TimerHandle | None = None
        self._seen = b""  # what the client had sent at the last look
        self._quiet = 0  # looks since then

    def start(self) -> None:
        """The variable has been set, perhaps anew."""
        self.stop()
        self._seen, self._quiet = self._client.request, 0
        self._wait()

    def stop(self) -> None:
        """Look no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def look(self) -> None:
        """Count how long the client has been quiet; hang up if that is too long."""
        client = self._client
        if client.is_running or client.request is not self._seen:
            self._seen, self._quiet = client.request, 0
        else:
            self._quiet += 1
        if self._quiet < LOOKS:
            self._wait()
            return
        log.info('event=ended client=%s reason="idle for its own wait_timeout"', client.peer)
        greeting = client.gateway.routes.snapshot.greeting
        client.hang_up(INACTIVE if greeting is not None and greeting.flavor is Flavor.MYSQL else None)

    def _wait(self) -> None:
        value = self._client.session.variables.get(VARIABLE)
        if value is not None and not self._client.closed:
            self._handle = self._client.gateway.loop.call_later(int(value) / LOOKS, self.look)


def follow(client: "ClientConnection") -> None:
    """The session's variables have changed."""
    value = client.session.variables.get(VARIABLE, b"")
    if value.isdigit():
        if client.idle_timer is None:
            client.idle_timer = IdleTimer(client)
        client.idle_timer.start()
