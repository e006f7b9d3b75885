"""Our side towards a client, alone: hostile bytes, odd clients, what is offered."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.errors import RouterError
from rwrouter.protocol import auth, flags, handshake, packets
from rwrouter.protocol.auth import CACHING, NATIVE, Secret, verifier_of
from rwrouter.protocol.framing import frame
from rwrouter.protocol.handshake import (
    Login,
    StartTls,
    State,
)
from rwrouter.protocol.packets import HandshakeResponse
from rwrouter.protocol.phase import OWN
from tests.unit.protocol.conversation import KEY, MARIADB, MYSQL, SCRAMBLE, WANTED, client, server


@pytest.mark.parametrize("answer", [b"hunter2\0", bytes(KEY.size)])
def test_a_password_in_the_clear_is_not_taken(answer: bytes) -> None:
    """Full authentication without TLS and without key is denied as by a server, garbage too; the log says why."""
    ours = server("rsa")
    theirs = client(Secret.of(b"hunter2"))
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send())
    ours.receive(frame(answer, 3))
    assert ours.next_event() is None
    assert ours.error is not None
    assert ours.error.code == 1045
    assert ("in the clear" in "".join(getattr(ours.error, "__notes__", ()))) == (len(answer) != KEY.size)


def test_a_pipelined_command_is_kept() -> None:
    """What a client sends ahead of the verdict is the first command, not an error."""
    ours = server("none", verifier_of(b""))
    theirs = client(Secret.of(b""))
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send() + frame(b"\x03SELECT 1", 0))
    assert isinstance(ours.next_event(), Login)
    ours.accept()
    assert ours.rest == frame(b"\x03SELECT 1", 0)


def test_the_first_bytes_of_tls_are_handed_on() -> None:
    """SSLRequest and ClientHello may come together: the second is TLS's, and nothing plain may follow."""
    ours = server("tls")
    ours.receive(frame(packets.build_ssl_request(WANTED, 2**24, 45), 1) + b"\x16\x03\x01hello")
    assert ours.next_event() == StartTls(b"\x16\x03\x01hello")
    ours.receive(b"plain")
    assert ours.state is State.FAILED


PLAIN = packets.build_response(HandshakeResponse(WANTED, 8, "u", b"", plugin=NATIVE))
OLD = flags.CLIENT_PROTOCOL_41 | flags.CLIENT_LONG_PASSWORD


@pytest.mark.parametrize(
    ("case", "data", "code", "text"),
    [
        ("protocol from before 4.1", frame(b"\x85\x24\0\0\0old\0", 1), 1043, "before MySQL 4.1"),
        (
            "password from before 4.1",
            frame(packets.build_response(HandshakeResponse(OLD, 8, "u", b"")), 1),
            1043,
            "CLIENT_SECURE_CONNECTION",
        ),
        ("TLS not offered", frame(packets.build_ssl_request(WANTED, 1, 1), 1), 1043, "not offered"),
        ("empty packet", frame(b"", 1), 1043, "state GREETED"),
        ("wrong number", frame(b"\0" * 32, 7), 1043, "packet number 7 where 1 is due"),
        ("16 MB", b"\xff\xff\xff\1", 1153, "16777215"),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n", 1153, "at most"),
        ("TLS at once", b"\x16\x03\x01\x02\0\1\0\1", 1043, "packet number 2"),
        (
            "a user without end",
            frame(PLAIN[:32] + b"app", 1),
            1043,
            "no end",
        ),
        (
            "proof cut",
            frame(
                PLAIN[:34] + b"\xfa\1",
                1,
            ),
            1043,
            "announced",
        ),
        (
            "proof too short",
            frame(packets.build_response(HandshakeResponse(WANTED, 8, "u", b"12345", plugin=CACHING)), 1),
            1043,
            "32 bytes",
        ),
    ],
)
def test_hostile_clients_are_told(case: str, data: bytes, code: int, text: str) -> None:
    """Each breach ends the handshake with an ERR packet that says what is wrong."""
    ours = server("none")
    ours.data_to_send()
    ours.receive(data)
    assert ours.state is State.FAILED, case
    assert isinstance(ours.error, RouterError)
    err = packets.parse_err(ours.data_to_send()[4:])
    assert (err.code, text in err.message) == (code, True), err.message
    ours.receive(b"more")
    assert ours.data_to_send() == b""


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=4), st.booleans())
def test_no_bytes_raise_out_of_the_server_side(head: bytes, payloads: list[bytes], framed: bool) -> None:
    """Any bytes lead to a state; a failed machine holds nothing."""
    ours = server("rsa")
    ours.receive(head if not framed else b"")
    for number, payload in enumerate(payloads, 1):
        ours.receive(frame(payload, number) if framed else payload)
    while ours.next_event():
        pass
    ours.receive_eof()
    if ours.state is State.FAILED:
        assert ours._reader.buffered == 0
        assert ours.error is not None


@given(st.binary(min_size=1, max_size=400), st.integers(0, 120))
def test_a_damaged_byte_never_logs_in_as_another(noise: bytes, at: int) -> None:
    """A login with damaged bytes ends in an error or with the proof of a known secret, never with a raise."""
    ours, theirs = server("none", verifier_of(b"right", is_final=True)), client(Secret.of(b"right"))
    theirs.receive(ours.data_to_send())
    data = theirs.data_to_send()
    ours.receive(data[:at] + noise + data[at + len(noise) :])
    event = ours.next_event()
    assert event is None or (isinstance(event, Login) and not event.password_known)


def test_what_is_sent_ahead_is_bounded() -> None:
    """A client that pours bytes in before its login was answered is cut off."""
    ours = server("socket")
    theirs = client(Secret.of(b""), "socket")
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send())
    for _ in range(40):
        ours.receive(bytes(2**16))
    assert ours.state is State.FAILED
    assert ours._reader.buffered == 0


def test_a_default_plugin_of_another_kind_is_no_empty_password() -> None:
    """A client whose own default plugin differs answers without proof: it is asked again."""
    ours = server("none", verifier_of(b"right"))
    ours.data_to_send()
    ours.receive(frame(packets.build_response(HandshakeResponse(WANTED, 45, "app", b"", plugin=NATIVE)), 1))
    assert ours.next_event() is None
    switch = packets.parse_auth_switch(ours.data_to_send()[4:])
    assert switch == packets.AuthSwitch(NATIVE, SCRAMBLE)
    proof = auth.fast_proof(NATIVE, Secret.of(b"right"), SCRAMBLE)
    assert proof is not None
    ours.receive(frame(proof, 3))
    assert isinstance(ours.next_event(), Login)


def test_a_client_without_plugins_needs_a_known_password() -> None:
    """Without CLIENT_PLUGIN_AUTH there is native authentication alone, and nothing to switch to."""
    capabilities = OLD | flags.CLIENT_SECURE_CONNECTION
    proof = auth.fast_proof(NATIVE, Secret.of(b"right"), SCRAMBLE) or b""
    response = frame(packets.build_response(HandshakeResponse(capabilities, 45, "app", proof)), 1)
    for verifier, code in ((verifier_of(b"right"), 0), (None, 1251)):
        ours = server("none", verifier)
        ours.receive(response)
        assert isinstance(ours.next_event(), Login) == (code == 0)
        assert (ours.error.code if ours.error else 0) == code


def test_what_is_offered_follows_the_servers() -> None:
    """Capabilities that a server lacks, or the router, are not offered; those of the handshake always are."""
    few = replace(MYSQL, capabilities=flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_COMPRESS)
    offered = handshake.offered_capabilities(few, tls_available=False, compression=False)
    assert offered == flags.CLIENT_DEPRECATE_EOF | OWN
    offered = handshake.offered_capabilities(MARIADB, tls_available=True, compression=True)
    assert offered & (flags.CLIENT_SSL | flags.CLIENT_COMPRESS)
    assert not offered & (flags.CLIENT_MYSQL | flags.CLIENT_ZSTD)
