"""Logging in to servers."""

import asyncio
import socket
from dataclasses import replace

import pytest

from rwrouter.config.model import Settings
from rwrouter.errors import RouterError
from rwrouter.model import Address, Role, Server, State
from rwrouter.protocol.auth import Secret
from rwrouter.proxy.dial import Account, Dialer, Refusal, notice_silence
from rwrouter.proxy.servers import Endpoint
from tests.unit.proxy.stage import CAPABILITIES, server

ACCOUNT = Account("app", Secret.of(b"x"), CAPABILITIES, 255, {}, client_tracks=True)


def dial(greeting: bytes, **settings: object) -> None:
    """Dial a server on a real socket that says *greeting* and nothing more."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()
        if greeting:
            writer.close()
        open_ones.append(writer)

    open_ones: list[asyncio.StreamWriter] = []

    async def play() -> None:
        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        endpoint = Endpoint(Server("db9", Address("127.0.0.1", port), Role.PRIMARY, State.UP))
        dialer = Dialer(Settings.model_validate({"limits": settings}), None)
        try:
            await dialer.open(endpoint, ACCOUNT, b"")
        finally:
            listener.close()
            for writer in open_ones:
                writer.close()
            await asyncio.sleep(0.01)

    asyncio.run(play())


def test_a_servers_refusal_is_kept_word_for_word() -> None:
    """An ERR instead of a greeting (1040, 1129) is the server's own."""
    with pytest.raises(Refusal, match="Too many connections") as caught:
        dial(b"\x17\x00\x00\x00\xff\x10\x04Too many connections")
    assert caught.value.number == 1040


def test_garbage_is_a_protocol_error() -> None:
    """What speaks no MySQL is left at once."""
    with pytest.raises((RouterError, OSError)):
        dial(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n" * 4)


def test_a_silent_server_is_left_after_the_timeout() -> None:
    """Accepted, then silence: the time-out of the settings ends it."""
    with pytest.raises(TimeoutError):
        dial(b"", connect_timeout="100ms")


def test_an_endpoint_prints_what_it_is() -> None:
    """For logs and debuggers."""
    assert repr(Endpoint(server("db2"))) == "<Endpoint db2 replica up>"


@pytest.mark.parametrize(
    ("case", "refusal", "tried"),
    [
        ("a server on loopback needs no TLS", None, ["disabled"]),
        ("an account that must use TLS", 1045, ["disabled", "preferred"]),
        ("a server that must be spoken to in TLS", 3159, ["disabled", "preferred"]),
        ("a full server is asked once", 1040, ["disabled"]),
    ],
)
def test_tls_is_spared_on_loopback_unless_the_account_wants_it(
    case: str, refusal: int | None, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens between two programs of one machine."""
    seen: list[str] = []

    async def attempt(
        _self: Dialer, _endpoint: Endpoint, _account: Account, _schema: bytes, tls: str
    ) -> None:
        seen.append(tls)
        if refusal is not None:
            raise Refusal(refusal, "HY000", "no")

    monkeypatch.setattr(Dialer, "_open", attempt)
    endpoint = Endpoint(Server("db9", Address("127.0.0.1", 1), Role.PRIMARY, State.UP))

    async def play() -> None:
        try:
            await Dialer(Settings(), None).open(endpoint, ACCOUNT, b"")
        except Refusal:
            assert refusal is not None

    asyncio.run(play())
    assert seen == tried, case


def test_a_connection_that_is_swallowed_ends_with_the_time_out() -> None:
    """The kernel is told how long a server may acknowledge nothing."""
    with socket.socket() as raw:
        notice_silence(raw, 5.0)
        assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000


def test_a_server_found_down_again_while_its_connection_is_being_given_up() -> None:
    """Snapshots come one after the other: the second must not meet a time-out that has run out and raise there."""

    async def play() -> None:
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", 0))  # it accepts, and never speaks
        endpoint = Endpoint(
            Server("db9", Address("127.0.0.1", listener.getsockname()[1]), Role.REPLICA, State.UP)
        )
        down = replace(endpoint.server, state=State.DOWN)
        opening = asyncio.ensure_future(Dialer(Settings(), None).open(endpoint, ACCOUNT, b""))
        for _ in range(3):
            await asyncio.sleep(0)
        assert endpoint.dialing
        raised: list[BaseException] = []

        def found_down(times: int) -> None:
            try:
                endpoint.update(down)
            except RuntimeError as exc:
                raised.append(exc)
            if times:
                loop.call_soon(found_down, times - 1)

        found_down(5)
        with pytest.raises(TimeoutError):
            await opening
        assert raised == []
        listener.close()

    asyncio.run(play())
