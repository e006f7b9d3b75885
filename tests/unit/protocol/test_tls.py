"""The TLS layer: two of them connected, cut anywhere, and hostile bytes."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwrouter.config.certificate import self_signed
from rwrouter.protocol.tls import Mode, TlsLayer, context_towards_clients, context_towards_servers


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("certificate")
    paths = folder / "certificate.pem", folder / "key.pem"
    for path, content in zip(paths, self_signed(datetime.now(UTC), ["db1"]), strict=True):
        path.write_bytes(content)
    return str(paths[0]), str(paths[1])


@pytest.fixture(scope="module")
def contexts(certificate: tuple[str, str]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    towards_servers = context_towards_servers("REQUIRED")
    assert towards_servers is not None
    return context_towards_clients(*certificate), towards_servers


def carry(server: TlsLayer, client: TlsLayer, cuts: Iterator[int]) -> tuple[bytes, bytes]:
    """Carry bytes both ways until there are none; return what server and client have read."""
    down = up = heard_by_server = heard_by_client = b""
    while True:
        down += server.data_to_send()
        up += client.data_to_send()
        if not down and not up:
            return heard_by_server, heard_by_client
        size = next(cuts)
        heard_by_client += client.receive(down[:size])
        heard_by_server += server.receive(up[:size])
        down, up = down[size:], up[size:]


def endless(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


whole = [2**20]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(20, 3000), min_size=1), st.binary(max_size=50_000), st.binary(max_size=50_000))
def test_any_cut_gives_the_same_bytes(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], cuts: list[int], question: bytes, answer: bytes
) -> None:
    """What is sent, before or after the handshake, comes out whole and in order at the other end."""
    server, client = TlsLayer(contexts[0], server_side=True), TlsLayer(contexts[1], server_side=False)
    client.send(question)  # waits for the handshake
    assert not client.handshake_done
    heard, _ = carry(server, client, endless(cuts))
    assert (server.handshake_done, client.handshake_done) == (True, True)
    assert (server.error, client.error) == (None, None)
    server.send(answer)
    assert (heard, carry(server, client, endless(cuts))[1]) == (question, answer)


def test_the_first_bytes_count(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A ClientHello that came with the SSLRequest is the first thing the layer is given."""
    server, client = TlsLayer(contexts[0], server_side=True), TlsLayer(contexts[1], server_side=False)
    assert server.receive(client.data_to_send()) == b""
    assert client.receive(server.data_to_send()) == b""
    assert (client.handshake_done, client.version) == (True, "TLSv1.3")
    assert client.cipher
    assert server.cipher is None


def test_an_orderly_end_is_seen(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """close_notify closes the other side's layer, without error."""
    server, client = TlsLayer(contexts[0], server_side=True), TlsLayer(contexts[1], server_side=False)
    carry(server, client, endless(whole))
    client.send(b"bye")
    client.close()
    assert server.receive(client.data_to_send()) == b"bye"
    assert (server.closed, server.error) == (True, None)
    assert server.receive(b"more") == b""


@given(st.binary(min_size=1, max_size=100))
def test_garbage_is_an_error_and_nothing_else(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], data: bytes
) -> None:
    """No bytes raise, neither instead of a handshake nor after it."""
    server = TlsLayer(contexts[0], server_side=True)
    assert server.receive(data) == b""
    assert not server.handshake_done
    server.send(b"secret")
    server.close()
    assert b"secret" not in server.data_to_send()


def test_damage_after_the_handshake_is_an_error(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A record that was changed on its way ends the layer."""
    server, client = TlsLayer(contexts[0], server_side=True), TlsLayer(contexts[1], server_side=False)
    carry(server, client, endless(whole))
    client.send(b"SELECT 1")
    data = bytearray(client.data_to_send())
    data[-1] ^= 1
    assert server.receive(bytes(data)) == b""
    assert server.error == "decryption failed or bad record mac"
    assert server.receive(b"more") == b""


@pytest.mark.parametrize(
    ("mode", "with_ca", "name", "error"),
    [
        ("PREFERRED", False, None, None),
        ("REQUIRED", False, "anything", None),
        ("VERIFY_CA", True, "anything", None),
        ("VERIFY_CA", False, None, "the certificate is not trusted: self-signed certificate"),
        ("VERIFY_IDENTITY", True, "db1", None),
        ("VERIFY_IDENTITY", True, "db2", "Hostname mismatch"),
    ],
)
def test_each_mode_trusts_what_it_says(
    certificate: tuple[str, str], mode: Mode, with_ca: bool, name: str | None, error: str | None
) -> None:
    """Two modes trust anything, one the authority, one the name too."""
    towards_servers = context_towards_servers(mode, certificate[0] if with_ca else "")
    assert towards_servers is not None
    server = TlsLayer(context_towards_clients(*certificate), server_side=True)
    client = TlsLayer(towards_servers, server_side=False, server_hostname=name)
    carry(server, client, endless(whole))
    if error is None:
        assert client.error is None
        assert client.handshake_done
    else:
        assert error in (client.error or "")
        assert not client.handshake_done


def test_disabled_is_no_context() -> None:
    """DISABLED means no TLS at all."""
    assert context_towards_servers("DISABLED") is None


@pytest.mark.parametrize("shown", [True, False])
def test_clients_show_a_certificate_where_authorities_are_given(
    certificate: tuple[str, str], shown: bool
) -> None:
    """With a CA set, a client without a certificate of its own is turned away."""
    towards_servers = context_towards_servers("REQUIRED", "", *(certificate if shown else ("", "")))
    assert towards_servers is not None
    server = TlsLayer(context_towards_clients(*certificate, certificate[0]), server_side=True)
    client = TlsLayer(towards_servers, server_side=False)
    carry(server, client, endless(whole))
    assert server.handshake_done == shown
    if not shown:
        assert server.error == "peer did not return a certificate"


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    """A wrong path is an OSError at start, not at the first client."""
    with pytest.raises(OSError, match="No such file"):
        context_towards_clients(str(tmp_path / "none.pem"), "")
