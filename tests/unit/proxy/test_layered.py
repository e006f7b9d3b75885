"""What every layer hands on."""

import asyncio

from rwrouter.proxy.layered import LayeredTransport
from tests.unit.proxy.stage import Transport


class Inner(asyncio.Protocol):
    """Records what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause_writing(self) -> None:
        """Record."""
        self.told.append("pause")

    def resume_writing(self) -> None:
        """Record."""
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        """Record."""
        self.told.append(f"lost: {exc}")


def test_what_is_no_data_goes_through() -> None:
    """Flow control and ends reach the other side, whichever they come from; the inner protocol can be replaced."""
    outer, first, second = Transport(), Inner(), Inner()
    layered = LayeredTransport(outer, first)
    layered.pause_writing()
    layered.set_protocol(second)
    assert layered.get_protocol() is second
    layered.resume_writing()
    layered.connection_lost(ConnectionError("cut"))
    assert (first.told, second.told) == (["pause"], ["resume", "lost: cut"])
    layered.pause_reading()
    assert not outer.reading
    layered.resume_reading()
    assert outer.reading
    assert layered.get_extra_info("peername") == ("192.0.2.1", 4711)
    assert not layered.is_closing()
    layered.abort()
    assert outer.aborted
    assert layered.is_closing()
