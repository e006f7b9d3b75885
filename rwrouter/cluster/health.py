"""Whether one server can be used: rise and fall counts of its probes, and what workers tell of it.

    input                      UP                        DOWN
    probe answered             stays, failures forgotten UP after *rise* answers in a row
    probe failed               DOWN after *fall* in a row  stays, answers forgotten
    worker could not connect   doubted: DOWN by the next  stays, answers forgotten
                               probe that fails

A server that was never seen comes up with its first answer, so that a router starts at once. What a worker tells is
looked into at once, and believed only then: it may be the worker's own trouble (a name that does not resolve, no
descriptors left), or one of many that come at a time, and who goes down loses what runs on its open connections.
"""

from dataclasses import dataclass
from typing import Final

UNSEEN: Final = "not probed yet"


def ramp(since: float, whole: float) -> float:
    """Return the part of its weight that a server takes, *since* seconds after it came back; *whole* s: all of it.

    In tenths, so that it changes seldom; never 0, for nobody would see how it does.
    """
    if since >= whole:
        return 1.0
    return (1 + int(9 * max(0.0, since) / whole)) / 10


@dataclass(slots=True)
class Health:
    """The health of one server. Who owns it calls one method an event, and reads the fields."""

    rise: int  # answers in a row that bring a server back
    fall: int  # failures in a row that take it out
    is_up: bool = False
    why: str = UNSEEN  # why it is down, or why the last probe failed; "" when all is well
    is_seen: bool = False  # whether it has ever answered
    is_asked: bool = False  # whether it was probed at all
    answers: int = 0  # in a row
    failures: int = 0  # in a row
    is_doubted: bool = False  # a worker could not connect, and no probe has looked into that yet

    def on_answer(self) -> bool:
        """Take in a probe that was answered. Return whether the server came up by it."""
        self.answers, self.failures, self.is_asked, self.is_doubted = self.answers + 1, 0, True, False
        if not self.is_up and self.is_seen and self.answers < self.rise:
            return False
        came, self.is_up, self.is_seen, self.why = not self.is_up, True, True, ""
        return came

    def on_failure(self, why: str) -> bool:
        """Take in a probe that failed because of *why*. Return whether the server went down by it."""
        self.answers, self.failures, self.why, self.is_asked = 0, self.failures + 1, why, True
        if not self.is_up or (self.failures < self.fall and not self.is_doubted):
            return False
        self.is_up = self.is_doubted = False
        return True

    def on_passive_failure(self) -> None:
        """Take in that a worker could not connect to it: the next probe decides."""
        self.answers, self.is_doubted = 0, True
