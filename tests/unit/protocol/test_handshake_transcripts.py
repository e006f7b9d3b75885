"""Handshakes of real servers and real clients: tests/transcripts/handshake, each with how it was taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwrouter.model import Flavor, Greeting
from rwrouter.protocol import packets
from rwrouter.protocol.auth import RsaKey, Secret, verifier_of
from rwrouter.protocol.framing import PacketReader
from rwrouter.protocol.handshake import (
    SUPPORTED,
    ClientHandshake,
    Event,
    Login,
    Ready,
    Refused,
    ServerHandshake,
    StartTls,
    State,
)

FOLDER = Path(__file__).parents[2] / "transcripts" / "handshake"
PASSWORD = "s\u00e9cret".encode()
KEY = RsaKey.generate(2048)


def transcript(name: str) -> list[tuple[str, bytes]]:
    """Return who sent what: ("<<" the server or ">>" the client, bytes)."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [(line[:2], bytes.fromhex(line[3:])) for line in lines if not line.startswith("#")]


def sent_by(side: str, name: str) -> list[tuple[int, bytes]]:
    """Return the packets of one side."""
    return [
        (packet.sequence_id, packet.payload)
        for packet in PacketReader(2**20).feed(
            b"".join(data for who, data in transcript(name) if who == side)
        )
    ]


NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", NAMES)
def test_a_greeting_is_built_as_that_server_builds_it(name: str) -> None:
    """Taken apart and put together again, a real greeting is the same to the byte."""
    payload = sent_by("<<", name)[0][1]
    greeting = packets.parse_greeting(payload)
    assert packets.build_greeting(greeting) == payload
    assert greeting.flavor is (Flavor.MARIADB if "MariaDB" in greeting.version else Flavor.MYSQL)
    assert len(greeting.scramble) == 20


@dataclass(frozen=True)
class Case:
    """A login of ours at a real server, and how it ended."""

    name: str
    user: str
    outcome: type[Event] | str  # a str: what `error` says
    password: bytes = PASSWORD
    schema: str = "shop"
    with_tls: bool = False
    on_socket: bool = False
    encrypts: bool = False  # its last packet is different each time


CASES = [
    Case("mysql-9.7-caching-rsa", "sha2", Ready, encrypts=True),
    Case("mysql-9.7-caching-fast", "sha2", Ready),
    Case("mysql-9.7-caching-tls", "sha2", Ready, with_tls=True),
    Case("mysql-9.7-caching-socket", "sha2", Ready, on_socket=True),
    Case("mysql-9.7-wrong-password", "sha2", Refused, b"wrong", encrypts=True),
    Case("mysql-9.7-no-password", "nopass", Ready, b""),
    Case("mysql-9.7-sha256-rsa", "old256", Ready, encrypts=True),
    Case("mysql-9.7-unknown-schema", "sha2", Refused, schema="nix"),
    Case("mariadb-10.11-native", "native", Ready),
    Case("mariadb-10.11-wrong-password", "native", Refused, b"wrong"),
    Case("mariadb-10.11-no-password", "nopass", Ready, b""),
    Case("mariadb-10.11-ed25519", "ed", Ready),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@settings(max_examples=5)
@given(size=st.integers(1, 100))
def test_a_real_server_is_answered_as_it_was(case: Case, size: int) -> None:
    """To the same bytes of the server, cut anywhere, the same answers are given, and the end is the same."""
    machine = ClientHandshake(
        user=case.user,
        secret=Secret.of(case.password),
        capabilities=SUPPORTED,
        collation=255,
        schema=case.schema,
        attributes={b"program_name": b"rwrouter"},
        max_packet=2**24,
        tls="required" if case.with_tls else "disabled",
        on_secure_transport=case.on_socket,
    )
    said, outcome = b"", None
    for data in (data for who, data in transcript(case.name) if who == "<<"):
        for start in range(0, len(data), size):
            machine.receive(data[start : start + size])
            for event in events(machine):
                if isinstance(event, StartTls):
                    said += machine.data_to_send()
                    machine.tls_started()
                else:
                    outcome = event
            said += machine.data_to_send()
    expected = b"".join(data for who, data in transcript(case.name) if who == ">>")
    assert len(said) == len(expected)
    if case.encrypts:
        said, expected = said[:-256], expected[:-256]
    assert said == expected
    if isinstance(case.outcome, str):
        assert case.outcome in str(machine.error)
    else:
        assert isinstance(outcome, case.outcome)


def events(machine: ClientHandshake | ServerHandshake) -> Iterator[Event]:
    while event := machine.next_event():
        yield event


def test_the_server_tells_the_schema() -> None:
    """What MySQL's OK says of the session after a login with a schema is in Ready."""
    payload = sent_by("<<", "mysql-9.7-caching-fast")[-1][1]
    ok = packets.parse_ok(payload, SUPPORTED)
    assert ok.session_state == b"\x01\x05\x04shop"
    assert packets.build_ok(ok, SUPPORTED) == payload


def greeter(name: str, *, password: bytes | None) -> ServerHandshake:
    """Return our side in the place of the server in that transcript."""
    greeting = packets.parse_greeting(sent_by("<<", name)[0][1])
    return ServerHandshake(
        Greeting(greeting.version, greeting.collation, greeting.capabilities, greeting.flavor),
        greeting.connection_id,
        greeting.scramble,
        tls_available=False,
        tls_required=False,
        verifier=lambda _: None if password is None else verifier_of(password),
        rsa=KEY,
        default_plugin=greeting.plugin,
    )


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("client-connector-python-caching-fast", "sha2"),
        ("client-mariadb-cli-native", "native"),
    ],
)
def test_a_real_client_gets_what_the_server_gave(name: str, user: str) -> None:
    """With the password known, our packets are the real server's, the greeting's capabilities aside."""
    machine = greeter(name, password=PASSWORD)
    said = machine.data_to_send()
    for who, data in transcript(name):
        if who == ">>":
            machine.receive(data)
            said += machine.data_to_send()
    (login,) = events(machine)
    assert isinstance(login, Login)
    assert (login.user, login.schema) == (user, "shop")
    real = sent_by("<<", name)
    ok = packets.parse_ok(real[-1][1], login.capabilities)
    machine.accept(ok.status, ok.session_state)
    said += machine.data_to_send()
    ours = [(packet.sequence_id, packet.payload) for packet in PacketReader(2**20).feed(said)]
    assert ours[1:] == real[1:]
    assert machine.state is State.DONE


@pytest.mark.parametrize("name", ["client-mariadb-cli-caching-rsa", "client-pymysql-caching-rsa"])
def test_a_real_client_asks_for_the_key(name: str) -> None:
    """With the password unknown and no TLS, a real client is led to the public key."""
    machine = greeter(name, password=None)
    machine.data_to_send()
    said = b""
    for data in [data for who, data in transcript(name) if who == ">>"][:-1]:
        machine.receive(data)
        said += machine.data_to_send()
    full_auth, key = PacketReader(2**20).feed(said)
    assert (full_auth.sequence_id, full_auth.payload) == (2, b"\x01\x04")
    assert (key.sequence_id, key.payload) == (4, b"\x01" + KEY.public_pem)
    assert machine.state is State.KEY_SENT


@pytest.mark.parametrize("name", ["client-mariadb-cli-caching-fast", "client-mariadb-cli-switch-to-native"])
def test_a_real_client_that_sends_no_proof_has_a_password_all_the_same(name: str) -> None:
    """Where its own default plugin is not the greeting's, MariaDB's client waits for a switch."""
    machine = greeter(name, password=PASSWORD)
    machine.data_to_send()
    response = next(data for who, data in transcript(name) if who == ">>")
    assert packets.parse_response(response[4:]).proof == b""
    machine.receive(response)
    assert machine.state is State.SWITCHED
    assert machine.data_to_send()[4:5] == b"\xfe"
