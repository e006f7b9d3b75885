"""What the reads of one session ask for: level of consistency and age of data, and who said so.

The most particular wins: the session itself (RWROUTER SET), then its user, then the settings for all. A hint in a
statement wins over all of them, for that statement.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Wish(NamedTuple):
    """What one layer asks for; None where it is silent."""

    consistency: str | None = None
    max_lag: float | None = None  # seconds


class Terms(NamedTuple):
    """What holds for a session. *consistency_by* and *max_lag_by* say who asked, for people."""

    consistency: str
    consistency_by: str
    max_lag: float | None = None
    max_lag_by: str = ""

    @property
    def need_no_choice(self) -> bool:
        """A read may take the reader whose turn it is."""
        return self.max_lag is None and self.consistency in {"eventual", "session"}


def combine(layers: Iterable[tuple[str, Wish]], consistency: str) -> Terms:
    """Return what *layers* (who, wish), the most particular first, come to; *consistency*: the setting for all."""
    level, level_by = None, ""
    max_lag, max_lag_by = None, ""
    for who, wish in layers:
        if level is None and wish.consistency is not None:
            level, level_by = wish.consistency, who
        if max_lag is None and wish.max_lag is not None:
            max_lag, max_lag_by = wish.max_lag, who
    return Terms(level or consistency, level_by or "reads.consistency", max_lag, max_lag_by)
