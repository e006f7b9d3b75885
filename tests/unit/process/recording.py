"""Workers without processes: what they are told is kept, and a test says what they answer."""

from rwrouter.config.model import Settings
from rwrouter.process.channel import Message, Nudge
from rwrouter.process.scoreboard import Scoreboard
from rwrouter.process.workers import Workers


class Recorder:
    """Stands for a worker's channel."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    def send(self, message: object) -> None:
        """Note."""
        self.sent.append(message)


def recorded(count: int = 2) -> tuple[Workers, list[Recorder], list[Nudge]]:
    """Return workers, what each is told, and the signs of a change that they hand on."""
    nudges: list[Nudge] = []

    def nothing() -> list[Message]:
        return []

    workers = Workers(count, Settings(), Scoreboard.create(count), nothing, nudges.append)
    channels = [Recorder() for _ in range(count)]
    for worker, channel in zip(workers.processes, channels, strict=True):
        worker.channel = channel  # type: ignore[assignment]
    return workers, channels, nudges
