"""Statements under way, and times of replies."""

import asyncio
from unittest.mock import Mock

from rwrouter.model import Role
from rwrouter.protocol.flags import COM_QUERY
from rwrouter.proxy.backend import Borrower
from rwrouter.proxy.measured import MeasuredConnection
from rwrouter.proxy.servers import Endpoint
from tests.unit.proxy.stage import CAPABILITIES, Transport, query, row, server


def test_what_is_under_way_is_counted_until_its_end() -> None:
    """From the sending to the end of the reply, on the hot path, off it, and where the connection is lost."""

    async def play() -> None:
        endpoint = Endpoint(server("db1", Role.PRIMARY))
        told: list[int] = []
        endpoint.tell = lambda _, outstanding: told.append(outstanding)
        backend = MeasuredConnection(endpoint, 1, CAPABILITIES, client_tracks=True, schema=b"")
        backend.connection_made(Transport())
        backend.borrower = Mock(Borrower)
        backend.send(query("SELECT 1"), COM_QUERY)
        reply = row("x")
        backend.data_received(reply[:9])
        assert endpoint.latency.mean is not None
        assert endpoint.outstanding == 1
        backend.data_received(reply[9:])
        backend.busy = True
        backend.reply.begin(COM_QUERY)
        backend.write(query("SELECT 2"))
        backend.abort("lost")
        backend.connection_lost(None)
        assert told == [1, 0, 1, 0]

    asyncio.run(play())


def test_a_question_of_the_router_is_no_measure_of_the_server() -> None:
    """A wait for a position takes as long as replication does."""

    async def play() -> None:
        endpoint = Endpoint(server("db2"))
        backend = MeasuredConnection(endpoint, 1, CAPABILITIES, client_tracks=True, schema=b"")
        backend.connection_made(Transport())
        future = backend.ask(b"\x03SELECT 1")
        assert endpoint.outstanding == 1
        backend.data_received(row("0"))
        assert await future == row("0")
        assert endpoint.outstanding == 0
        assert endpoint.latency.mean is None

    asyncio.run(play())
