"""The servers' side: replies reach who asked, and a lost connection is told once."""

import asyncio
import logging

import pytest

from rwrouter.errors import BackendLost
from rwrouter.protocol.flags import CLIENT_QUERY_ATTRIBUTES
from rwrouter.protocol.resultset import first_value
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.servers import Endpoint
from tests.unit.proxy.stage import CAPABILITIES, Transport, error, ok, packet, row, server


class Borrower:
    """Records what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes | str]] = []

    def forward(self, data: bytes) -> None:
        """Record."""
        self.told.append(("forward", data))

    def replied(self, _backend: BackendConnection, data: bytes) -> None:
        """Record."""
        self.told.append(("replied", data))

    def replied_well(self, _backend: BackendConnection, data: bytes) -> None:
        """Record."""
        self.told.append(("replied", data))

    def infile_wanted(self, _backend: BackendConnection, data: bytes) -> None:
        """Record."""
        self.told.append(("infile", data))

    def backend_lost(self, _backend: BackendConnection, why: str) -> None:
        """Record."""
        self.told.append(("lost", why))

    def backend_full(self) -> None:
        """Record."""
        self.told.append(("full", b""))

    def backend_ready(self) -> None:
        """Record."""
        self.told.append(("ready", b""))


def made() -> tuple[BackendConnection, Borrower, Transport]:
    """Build a connection with a borrower, on a recording transport."""
    backend = BackendConnection(Endpoint(server("db1")), 7, CAPABILITIES, client_tracks=True, schema=b"")
    transport, borrower = Transport(), Borrower()
    backend.connection_made(transport)
    backend.borrower = borrower
    return backend, borrower, transport


def test_a_reply_reaches_the_borrower() -> None:
    """Its parts are forwarded; its end is told with the last part."""
    backend, borrower, transport = made()
    backend.send(packet(b"\x03SELECT 1"), 3)
    assert transport.take() == packet(b"\x03SELECT 1")
    data = row("x")
    backend.data_received(data[:30])
    backend.data_received(data[30:])
    assert [kind for kind, _ in borrower.told] == ["forward", "replied"]
    assert not backend.busy


def test_a_server_that_speaks_unasked_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """It says that it ends: the connection is closed, the borrower told, and the log, once for many connections."""
    caplog.set_level(logging.INFO)

    async def play() -> None:
        backend, borrower, transport = made()
        backend.data_received(error(1053, "Server shutdown in progress"))
        assert transport.aborted
        assert borrower.told == [("lost", "it ended the connection: Server shutdown in progress (1053)")]
        other = BackendConnection(backend.endpoint, 8, CAPABILITIES, client_tracks=True, schema=b"")
        other.connection_made(Transport())
        other.borrower = borrower
        other.data_received(error(1053))
        assert backend.endpoint.counters.ended_idle == 2

    asyncio.run(play())
    told = [one.getMessage() for one in caplog.records]
    assert told == [
        'event=idle_ended server=db1 reason="it ended the connection: Server shutdown in progress (1053)"'
    ]


def test_a_broken_reply_ends_the_connection() -> None:
    """What broke the protocol is told, and the connection never used again."""
    backend, borrower, transport = made()
    backend.send(packet(b"\x03SELECT 1"), 3)
    backend.data_received(ok() + ok())
    assert transport.aborted
    assert "broke the protocol" in str(borrower.told[-1][1])


def test_the_loss_is_told_once() -> None:
    """However often the transport says so."""
    backend, borrower, _ = made()
    backend.connection_lost(None)
    backend.connection_lost(OSError("reset"))
    assert borrower.told == [("lost", "it closed the connection")]


def test_the_routers_own_questions() -> None:
    """Their replies go to who asked, not to the borrower; a loss is an exception there."""

    async def play() -> None:
        backend, borrower, _ = made()
        asked = asyncio.ensure_future(backend.query(b"SELECT 1"))
        await asyncio.sleep(0)
        backend.data_received(row("0"))
        assert first_value(await asked, CAPABILITIES) == b"0"
        assert borrower.told == []
        asked = asyncio.ensure_future(backend.query(b"SELECT 1"))
        await asyncio.sleep(0)
        backend.connection_lost(None)
        with pytest.raises(BackendLost):
            await asked
        with pytest.raises(BackendLost):
            await backend.query(b"SELECT 1")

    asyncio.run(play())


def test_the_routers_own_questions_keep_to_what_was_agreed() -> None:
    """With query attributes agreed, the text comes after their number: connectors that ask for them broke on it."""

    async def play() -> None:
        endpoint = Endpoint(server("db1"))
        agreed = CAPABILITIES | CLIENT_QUERY_ATTRIBUTES
        backend = BackendConnection(endpoint, 7, agreed, client_tracks=True, schema=b"")
        transport = Transport()
        backend.connection_made(transport)
        asked = asyncio.ensure_future(backend.query(b"SELECT 1"))
        await asyncio.sleep(0)
        assert transport.take() == packet(b"\x03\x00\x01SELECT 1")
        backend.data_received(ok())
        await asked

    asyncio.run(play())


def test_goodbye() -> None:
    """An idle connection says COM_QUIT; a busy one just hangs up."""
    backend, _, transport = made()
    backend.close()
    assert transport.take() == packet(b"\x01")
    backend, _, transport = made()
    backend.send(packet(b"\x03SELECT SLEEP(9)"), 3)
    backend.close()
    assert transport.aborted


def test_backpressure_is_handed_on() -> None:
    """The borrower is told when the server takes no more, and when it does again."""
    backend, borrower, _ = made()
    backend.pause_writing()
    assert backend.full
    backend.resume_writing()
    assert [kind for kind, _ in borrower.told] == ["full", "ready"]
