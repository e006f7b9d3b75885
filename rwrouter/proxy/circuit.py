"""Whether a worker may open connections to one server: a circuit breaker, and a cap where the server is full.

    state       may connections be opened      what moves it
    closed      yes                            a failure opens it
    open        no                             a while passes, or the monitor has reached the server: half-open
    half-open   one, the trial                 it succeeds: closed; it fails: open, for twice as long

Statements on connections that are open already are not concerned. A server that says it is full (1040) lives: what
the worker has open there becomes its cap, which grows by one a second and ends after a minute.
"""

from typing import Final

FIRST_PAUSE: Final = 1.0  # seconds that it stays open after the first failure
LONGEST_PAUSE: Final = 30.0
CAPPED_SECONDS: Final = 60.0


class Circuit:
    """The state of one. Times are seconds of the loop's clock."""

    __slots__ = ("_cap", "_capped_at", "_is_tried", "_pause", "open_until")

    def __init__(self) -> None:
        self.open_until = 0.0
        self._pause = 0.0  # how long it was opened for last; 0: it is closed
        self._is_tried = False  # the trial is under way
        self._cap: int | None = None
        self._capped_at = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether all is well, as far as failures go."""
        return not self._pause

    def is_capped(self, now: float) -> bool:
        """Tell whether fewer connections are opened at *now*, because the server has said that it is full."""
        return self._cap is not None and now - self._capped_at < CAPPED_SECONDS

    def is_open(self, now: float) -> bool:
        """Tell whether nobody may try at *now*."""
        return bool(self._pause) and now < self.open_until

    def ask(self, now: float, connections: int) -> str:
        """Return why no connection may be opened besides the *connections* there are; "" if one may be.

        Who is let through a half-open circuit is its trial, and must tell the outcome: `succeeded`, `failed` or
        `abandoned`.
        """
        if self._cap is not None:
            if now - self._capped_at >= CAPPED_SECONDS:
                self._cap = None
            elif connections >= self._cap + int(now - self._capped_at):
                return f"it was full with {self._cap} connections of this worker"
        if not self._pause:
            return ""
        if now < self.open_until:
            return "it failed a moment ago, and is left alone"
        if self._is_tried:
            return "it failed a moment ago, and one is trying it"
        self._is_tried = True
        return ""

    def succeeded(self) -> None:
        """A connection was opened."""
        self._pause, self._is_tried = 0.0, False

    def abandoned(self) -> None:
        """Nobody knows whether one could be opened: the next may try."""
        self._is_tried = False

    def failed(self, now: float) -> None:
        """No connection could be opened."""
        if now >= self.open_until:  # else one of many that were under way: that is one failure
            self._pause = min(LONGEST_PAUSE, 2 * self._pause) or FIRST_PAUSE
            self.open_until = now + self._pause
        self._is_tried = False

    def reached(self, now: float) -> None:
        """The monitor has reached the server again: one may try at once."""
        self.open_until = min(self.open_until, now)

    def full(self, now: float, connections: int) -> None:
        """It has said that it is full, with *connections* of this worker."""
        self._cap, self._capped_at = max(1, connections), now
        self._is_tried = False
