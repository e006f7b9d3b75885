"""Clients until they are logged in."""

import asyncio
from typing import Any

from rwrouter.config.model import Settings
from rwrouter.model import Greeting, Role, Snapshot
from rwrouter.proxy.gateway import Gateway
from rwrouter.proxy.login import ClientLogin
from tests.unit.proxy.stage import Transport, server


def arrive(*, known: bool, **settings: Any) -> bytes:
    """Let a client connect; return what it is told first."""

    async def play() -> bytes:
        gateway = Gateway(Settings.model_validate(settings))
        if known:
            gateway.update(
                Snapshot(1, (server("db1", Role.PRIMARY),), "db1", Greeting("9.7.4-x", 255, 0xFFFFFFFF), "")
            )
        transport = Transport()
        login = ClientLogin(gateway)
        login.connection_made(transport)
        login.connection_lost(None)
        return transport.take()

    return asyncio.run(play())


def test_the_greeting_is_the_clusters() -> None:
    """A client sees the version of the servers behind the router."""
    assert b"9.7.4-x" in arrive(known=True)


def test_without_servers_the_reason_is_told() -> None:
    """A client gets an error packet that says what is wrong, not a closed socket."""
    first = arrive(known=False)
    assert first[4] == 0xFF
    assert b"no server has been reached yet" in first


def test_garbage_ends_with_an_error() -> None:
    """Bytes that are no handshake get an ERR packet, and the connection ends."""

    async def play() -> None:
        gateway = Gateway(Settings())
        gateway.update(
            Snapshot(1, (server("db1", Role.PRIMARY),), "db1", Greeting("9.7.4", 255, 0xFFFFFFFF), "")
        )
        transport = Transport()
        login = ClientLogin(gateway)
        login.connection_made(transport)
        transport.take()
        login.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        login.connection_lost(None)
        assert transport.closed
        assert transport.take()[4] == 0xFF

    asyncio.run(play())
