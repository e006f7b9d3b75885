"""Our side towards a server, alone: hostile bytes, and what a server may not ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol import packets
from rwrouter.protocol.auth import CLEAR, NATIVE, SHA256, Secret
from rwrouter.protocol.framing import frame
from rwrouter.protocol.handshake import (
    Refused,
    State,
)
from tests.unit.protocol.conversation import KEY, SCRAMBLE, client, server


def test_no_password_goes_out_in_the_clear() -> None:
    """A server, or who plays one, asks for the clear password without TLS: nothing is sent."""
    theirs = client(Secret.of(b"hunter2"))
    theirs.receive(server().data_to_send())
    theirs.data_to_send()
    theirs.receive(frame(b"\xfe" + CLEAR.encode() + b"\0", 2))
    assert theirs.state is State.FAILED
    assert theirs.data_to_send() == b""
    assert "in the clear" in str(theirs.error)


@pytest.mark.parametrize(("is_secure", "answer"), [(True, b"hunter2\0"), (False, b"\x01")])
def test_sha256_password_of_a_server(is_secure: bool, answer: bytes) -> None:
    """The password over TLS; else the key is asked for, and the password encrypted for it."""
    theirs = client(Secret.of(b"hunter2"), "socket" if is_secure else "none")
    theirs.receive(server().data_to_send())
    theirs.data_to_send()
    theirs.receive(frame(b"\xfe" + SHA256.encode() + b"\0" + SCRAMBLE + b"\0", 2))
    assert theirs.data_to_send() == frame(answer, 3)
    sequence_id = 4
    if not is_secure:
        theirs.receive(frame(b"\x01" + KEY.public_pem, 4))
        assert KEY.decrypt(theirs.data_to_send()[4:], SCRAMBLE) == b"hunter2"
        sequence_id = 6
    theirs.receive(frame(packets.build_ok(packets.Ok(), 0), sequence_id))
    assert theirs.state is State.DONE


@pytest.mark.parametrize(
    ("case", "data", "text"),
    [
        ("garbage", b"SSH-2.0-OpenSSH_9.2p1\r\n", "at most"),
        ("old protocol", frame(b"\x093.20\0" + bytes(30), 0), "version 9"),
        ("empty greeting", frame(b"", 0), "announced"),
        ("short scramble", frame(b"\x0a4.0\0" + bytes(40), 0), "older than MySQL 4.1"),
        ("cut greeting", frame(b"\x0a8.0.36\0\1\0\0\0", 0), "announced"),
    ],
)
def test_hostile_servers_are_dropped(case: str, data: bytes, text: str) -> None:
    """Each breach ends the handshake; nothing is sent to a server that makes no sense."""
    theirs = client(Secret.of(b"x"))
    theirs.receive(data)
    assert theirs.state is State.FAILED, case
    assert text in str(theirs.error)
    assert theirs.data_to_send() == b""


@pytest.mark.parametrize(
    ("case", "payload", "text"),
    [
        ("further factor", b"\x02authentication_webauthn\0", "further factor"),
        ("old password", b"\xfe", "mysql_old_password"),
        ("PARSEC", b"\xfeparsec\0" + bytes(32), "parsec"),
        ("short nonce", b"\xfeclient_ed25519\0" + bytes(31), "not of 32 bytes"),
        ("short scramble", b"\xfemysql_native_password\0abc\0", "20 bytes"),
        ("nonsense", b"\x17", "begins with 17"),
        ("nothing", b"", "begins with nothing"),
        ("data unasked", b"\x01what", "expects none"),
        ("OK cut", b"\x00\x00", "announced"),
    ],
)
def test_what_a_server_may_not_ask(case: str, payload: bytes, text: str) -> None:
    """What the router can't answer to a server fails with a sentence that names it."""
    theirs = client(Secret.of(b"x"))
    theirs.receive(server().data_to_send())
    theirs.data_to_send()
    theirs.receive(frame(payload, 2))
    assert theirs.state is State.FAILED, case
    assert text in str(theirs.error)
    assert theirs.data_to_send() == b""


@pytest.mark.parametrize(
    "error", [(1040, "08004", "Too many connections"), (1129, "HY000", "Host is blocked")]
)
def test_an_error_instead_of_a_greeting(error: tuple[int, str, str]) -> None:
    """A server that refuses before it greets is quoted."""
    theirs = client(Secret.of(b"x"))
    theirs.receive(packets.build_error(error, 0, with_sqlstate=error[0] == 1040))
    assert theirs.next_event() == Refused(*error)
    assert theirs.state is State.REFUSED


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"", b"\0", b"\x01", b"\x01\x04", b"\xfe" + NATIVE.encode() + b"\0", b"\xff"]),
            st.binary(max_size=60),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_no_bytes_raise_out_of_the_client_side(payloads: list[tuple[bytes, bytes]], greeted: bool) -> None:
    """Whatever a server sends, the machine moves to a state and never shows the password."""
    theirs = client(Secret.of(b"hunter2"))
    if greeted:
        theirs.receive(server().data_to_send())
    number = 2 * greeted
    for head, tail in payloads:
        theirs.receive(frame(head + tail, number))
        number += 2
        assert b"hunter2" not in theirs.data_to_send()
    theirs.receive_eof()
    assert theirs.state in (State.DONE, State.REFUSED, State.FAILED)
