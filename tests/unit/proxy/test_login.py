"""Clients until they are logged in."""

import asyncio
from typing import Any

import pytest

from rwrouter.config.model import Settings
from rwrouter.model import Greeting, Role, Snapshot
from rwrouter.protocol.flags import CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION
from rwrouter.protocol.packets import HandshakeResponse, build_response
from rwrouter.protocol.proxy_header import build
from rwrouter.proxy.gateway import Gateway
from rwrouter.proxy.login import ClientLogin
from tests.unit.proxy.stage import Transport, packet, server


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


V1 = b"PROXY TCP4 203.0.113.7 198.51.100.2 56324 3306\r\n"


def greeted(*pieces: bytes, networks: tuple[str, ...] = ("192.0.2.0/24",)) -> tuple[ClientLogin, Transport]:
    """Let a client from 192.0.2.1 connect and send *pieces*; return what it left behind, its greeting taken."""

    async def play() -> tuple[ClientLogin, Transport]:
        gateway = Gateway(Settings.model_validate({"proxy_protocol": {"networks": networks}}))
        gateway.update(
            Snapshot(1, (server("db1", Role.PRIMARY),), "db1", Greeting("9.7.4", 255, 0xFFFFFFFF), "")
        )
        transport = Transport()
        login = ClientLogin(gateway)
        login.connection_made(transport)
        transport.take()
        for piece in pieces:
            login.data_received(piece)
        login._deadline.cancel()
        return login, transport

    return asyncio.run(play())


@pytest.mark.parametrize(
    "header", [V1, build(("203.0.113.7", 56324), ("198.51.100.2", 3306))], ids=["v1", "v2"]
)
def test_a_balancer_tells_the_clients_address(header: bytes) -> None:
    """Whole, or in single bytes; the connection goes on behind it."""
    for pieces in ([header], [header[at : at + 1] for at in range(len(header))]):
        login, transport = greeted(*pieces)
        assert (login._peer, login._address) == ("203.0.113.7:56324", ("203.0.113.7", 56324))
        assert not transport.closed
        assert transport.take() == b""


def test_a_health_check_keeps_its_own_address() -> None:
    """LOCAL and UNKNOWN tell of nobody; that the balancer hangs up then is no event."""
    for header in (build(None, None), b"PROXY UNKNOWN\r\n"):
        login, transport = greeted(header)
        assert login._peer == "192.0.2.1:4711"
        assert not login._spoke
        assert not transport.closed


@pytest.mark.parametrize(
    ("pieces", "networks", "why"),
    [
        ([V1], ("10.0.0.0/8", "unix"), b"in none of proxy_protocol.networks"),
        ([V1], (), b"in none of proxy_protocol.networks"),
        ([b"PROXY TCP4 nowhere\r\n"], ("192.0.2.1",), b"PROXY header"),
        ([V1 + V1], ("192.0.2.1",), b"packet of 5198416 bytes"),
        ([V1, V1], ("192.0.2.1",), b"packet of 5198416 bytes"),
    ],
)
def test_headers_that_are_not_believed(pieces: list[bytes], networks: tuple[str, ...], why: bytes) -> None:
    """From elsewhere, broken, or a second one, which the client itself has made up: an error, and the end."""
    _, transport = greeted(*pieces, networks=networks)
    assert transport.closed
    answer = transport.take()
    assert answer[4] == 0xFF
    assert why in answer


def test_a_packet_in_pieces_is_no_header() -> None:
    """A client whose packet begins with the letter P, and comes byte by byte, is waited for."""
    _, transport = greeted(b"P", b"\0", b"\0", b"\x01", networks=())
    assert not transport.closed


def test_a_login_that_servers_keep_waiting_ends_with_their_error_in_its_turn() -> None:
    """The client has done its part: the error is about servers, and its packet is the next that the client expects."""

    async def never(*_arguments: Any) -> Any:
        await asyncio.Event().wait()

    async def play() -> None:
        gateway = Gateway(Settings())
        gateway.update(
            Snapshot(1, (server("db1", Role.PRIMARY),), "db1", Greeting("9.7.4", 255, 0xFFFFFFFF), "")
        )
        gateway.dialer.open = never  # type: ignore[method-assign, assignment]
        transport = Transport()
        login = ClientLogin(gateway)
        login.connection_made(transport)
        capabilities = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH
        response = HandshakeResponse(capabilities, 45, "app", b"", plugin="caching_sha2_password")
        login.data_received(packet(build_response(response), 1))
        await asyncio.sleep(0)
        transport.take()
        login._too_late()
        told = transport.take()
        assert told[3] == 2, "its turn"
        assert told[4] == 0xFF
        assert b"no server has let the client in" in told
        assert transport.closed
        login.connection_lost(None)

    asyncio.run(play())
