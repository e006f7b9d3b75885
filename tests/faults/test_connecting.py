"""What a server can do to a new connection; the client of a router sees nothing of it, if another server can answer."""

import subprocess
import time
from pathlib import Path

import pymysql
import pytest

from rwrouter.sandbox import Sandbox
from tests.faults.conftest import Linked
from tests.integration.harness import RouterFactory, eventually

GREETINGS: list[tuple[str, bytes | int | str]] = [
    ("closed at once", b""),
    ("full: 1040", b"\x17\x00\x00\x00\xff\x10\x04Too many connections"),
    ("blocked: 1129", b"\x17\x00\x00\x00\xff\x69\x04Host 'x' is blocked!"),
    ("shutting down: 1053", b"\x1e\x00\x00\x00\xff\x1d\x04Server shutdown in progress"),
    ("protocol version 9", b"\x16\x00\x00\x00\x093.21.0\x00\x01\x00\x00\x00abcdefgh\x00\x00"),
    ("protocol version 200", b"\x08\x00\x00\x00\xc8\x00\x00\x00\x00\x00\x00\x00"),
    ("another protocol", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    ("an endless packet", b"\xff\xff\xff\x00" + b"\x0a" * 4000),
    ("a wrong sequence id", b"\x0a\x00\x00\x07\x0a9.7.4\x00\x01\x00\x00"),
    *((f"cut after {n} bytes", n) for n in (1, 3, 4, 5, 12, 40, 77, 90)),
    ("accepted, then silence", "silence"),
]


def reads_through(linked: Linked, times: int = 6) -> list[int]:
    """Log in anew and read, several times; return which servers answered."""
    answered = []
    for _ in range(times):
        with linked.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@server_id, 'whole'")
            row = cursor.fetchone()
            assert row[1] == "whole"
            answered.append(row[0])
    return answered


@pytest.mark.parametrize("greeting", [case[1] for case in GREETINGS], ids=[case[0] for case in GREETINGS])
def test_a_replica_that_greets_badly_costs_no_read_an_error(
    linked: Linked, greeting: bytes | int | str
) -> None:
    """The read is run on another server; the replica takes part again once it greets well."""
    replica = linked.servers.replicas[0].server_id
    linked.replica.greeting = greeting
    linked.replica.cut_all()
    answered = reads_through(linked)
    assert set(answered) == {linked.servers.primary.server_id}
    linked.replica.greeting = None
    eventually(lambda: replica in reads_through(linked, 3), "the replica reads again", 60)


@pytest.mark.parametrize(
    ("case", "greeting"),
    [
        ("full", b"\x17\x00\x00\x00\xff\x10\x04Too many connections"),
        ("silent", "silence"),
        ("garbage", b"SSH-2.0-x\r\n"),
    ],
)
def test_when_nobody_greets_well_the_error_names_the_cause(
    linked: Linked, case: str, greeting: bytes | str
) -> None:
    """A login ends within the time-outs, with an error that is MySQL's or the router's, never in a hang."""
    for link in (linked.primary, linked.replica):
        link.greeting = greeting
        link.cut_all()
    began = time.monotonic()
    with pytest.raises(pymysql.err.MySQLError) as caught:
        linked.connect(connect_timeout=60).close()
    assert time.monotonic() - began < 60, "it did not hang"
    assert caught.value.args[0] in {1040, 9603, 9610}, caught.value
    if case == "full":
        assert "Too many connections" in str(caught.value) or "no primary" in str(caught.value)


def test_sessions_that_are_open_go_on_when_a_server_is_full(linked: Linked) -> None:
    """1040 at new connections takes nothing from those that are there."""
    with linked.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DO 1")
        for link in (linked.primary, linked.replica):
            link.greeting = b"\x17\x00\x00\x00\xff\x10\x04Too many connections"
        for _ in range(20):
            cursor.execute("SELECT 'still here'")
            assert cursor.fetchone() == ("still here",)
            cursor.execute("DO 1")


def foreign_authority(folder: Path) -> Path:
    """Make an authority that has signed no server's certificate."""
    path = folder / "foreign.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=foreign",
    ]
    subprocess.run(
        [*command, "-keyout", str(folder / "key"), "-out", str(path)], check=True, capture_output=True
    )
    return path


@pytest.mark.parametrize("case", ["another authority", "another host"])
def test_a_certificate_that_does_not_fit_is_an_error_never_clear_text(
    mysql: Sandbox, router: RouterFactory, tmp_path: Path, case: str
) -> None:
    """A server that can't prove who it is gets no password: clients are told why, and the monitor's log says so."""
    if case == "another host":  # the servers' own certificates name no host
        authority = tmp_path / "ca.pem"
        authority.write_bytes((mysql.primary.data / "ca.pem").read_bytes())
        mode = "VERIFY_IDENTITY"
    else:
        authority, mode = foreign_authority(tmp_path), "VERIFY_CA"
    process = router(mysql, config=f'[server_tls]\nmode = "{mode}"\nca = "{authority}"\n', wait=False)
    eventually(lambda: "certificate" in process.log(), "the log names the certificate", 60)
    with pytest.raises(pymysql.err.MySQLError) as caught:
        process.connect(connect_timeout=60).close()
    assert caught.value.args[0] in {9603, 9610}
    assert "certificate" in str(caught.value)
