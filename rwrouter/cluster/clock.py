"""How far a server's clock is ahead of the monitor's, out of answers that come late by an unknown time."""

from collections import deque
from typing import Final

SAMPLES: Final = 8  # answers that count: a clock that was set back is believed after so many


class Clock:
    """The offset of one server's clock. An answer's delay makes it look smaller, so the largest is the nearest."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=SAMPLES)

    def note(self, now: float, theirs: float) -> None:
        """Take in that the server said at *now*, by our clock, or somewhat earlier, that it is *theirs*."""
        self._seen.append(theirs - now)

    @property
    def offset(self) -> float:
        """Seconds to add to our clock for the server's; 0 until it has said something."""
        return max(self._seen, default=0.0)
