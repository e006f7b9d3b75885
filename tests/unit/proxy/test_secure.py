"""TLS between a transport and a protocol."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from rwrouter.config.certificate import self_signed
from rwrouter.protocol.tls import TlsLayer, context_towards_clients, context_towards_servers
from rwrouter.proxy.secure import SecureTransport
from tests.unit.proxy.stage import Transport


class Inner(asyncio.Protocol):
    """Collects what it gets."""

    def __init__(self) -> None:
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Collect."""
        self.data += data


def test_both_ends_understand_each_other(tmp_path: Path) -> None:
    """What one inner protocol writes, the other gets, though only TLS is on the wire."""
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    for path, content in zip((certificate, key), self_signed(datetime.now(UTC)), strict=True):
        path.write_bytes(content)
    server_context = context_towards_clients(str(certificate), str(key))
    client_context = context_towards_servers("REQUIRED")
    assert client_context is not None

    async def play() -> None:
        inner_server, inner_client = Inner(), Inner()
        wire_server, wire_client = Transport(), Transport()
        client = SecureTransport.wrap(
            wire_client, TlsLayer(client_context, server_side=False), inner_client, b""
        )
        hello = wire_client.take()
        secure = SecureTransport.wrap(
            wire_server, TlsLayer(server_context, server_side=True), inner_server, hello
        )
        client.write(b"SELECT secret")
        for _ in range(10):
            await asyncio.sleep(0)
            to_client, to_server = wire_server.take(), wire_client.take()
            assert b"secret" not in to_server
            if to_client:
                client.data_received(to_client)
            if to_server:
                secure.data_received(to_server)
        assert inner_server.data == b"SELECT secret"
        secure.write(b"answer")
        client.data_received(wire_server.take())
        assert inner_client.data == b"answer"
        secure.pause_reading()
        assert not wire_server.reading
        secure.close()
        assert wire_server.closed

    asyncio.run(play())
