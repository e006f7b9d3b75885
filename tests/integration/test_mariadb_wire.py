"""MariaDB's own additions to the protocol: the same bytes through the router as from the server."""

import secrets
from collections.abc import Iterator

import pytest

from rwrouter.protocol import flags
from rwrouter.sandbox import Sandbox
from tests.integration.harness import RouterFactory
from tests.integration.raw import PLAIN, RawClient, RefusedLogin

OFFERED = (
    flags.MARIADB_CLIENT_PROGRESS
    | flags.MARIADB_CLIENT_STMT_BULK_OPERATIONS
    | flags.MARIADB_CLIENT_EXTENDED_METADATA
)
WANTED = PLAIN & ~flags.CLIENT_LONG_PASSWORD | OFFERED


@pytest.fixture
def pair(mariadb: Sandbox, router: RouterFactory, schema: str) -> Iterator[tuple[RawClient, RawClient]]:
    """Log in to the primary and through the router, asking for all that MariaDB adds."""
    process, app = router(mariadb), mariadb.app
    mariadb.primary.query(f"CREATE TABLE {schema}.t (a INT, j JSON, p POINT)")
    mariadb.wait_in_sync()
    places = ((mariadb.primary.host, mariadb.primary.port), (process.host, process.port))
    direct, routed = (
        RawClient(host, port, app.user, app.password, capabilities=WANTED, schema=schema)
        for host, port in places
    )
    with direct, routed:
        yield direct, routed


def test_extended_capabilities(pair: tuple[RawClient, RawClient]) -> None:
    """They are agreed; names of types come with columns, rows from RETURNING, also of the router's own."""
    direct, routed = pair
    for client in pair:
        assert client.ready.capabilities & OFFERED == OFFERED
    for sql in ("SELECT a, j, p FROM t", "INSERT INTO t (a) VALUES (7), (8) RETURNING a, a * 2 AS twice"):
        expected = direct.query(sql)
        assert routed.query(sql) == expected
    assert b"\x01\x04json" in routed.query("SELECT j FROM t LIMIT 1")[1]
    own = routed.query("SELECT CONNECTION_ID()")
    assert own[1].endswith(b"\x00\x00\x00")
    assert own[1][-14:-12] == b"\x00\x0c", "no name of a type, then the fixed part"
    for client in pair:
        assert client.query("DELETE FROM t")[0][0] == 0


def test_many_rows_by_one_execution(pair: tuple[RawClient, RawClient]) -> None:
    """COM_STMT_BULK_EXECUTE has the router's statement id, with types and without, small and above a megabyte."""
    for client in pair:
        reply = client.ask(b"\x16INSERT INTO t (a, j) VALUES (?, ?)")
        statement = reply[1:5]
        for _ in range(int.from_bytes(reply[7:9], "little")):
            client.packet()
        rows = [b"\x00" + number.to_bytes(4, "little") + b"\x00\x02{}" for number in range(200_000)]
        types = b"\x03\x00\xfd\x00"
        for head, sent in (
            (b"\x80\x00" + types, rows[:5]),
            (b"\x00\x00", rows[:3]),
            (b"\x80\x00" + types, rows),
        ):
            client.send(b"\xfa" + statement + head + b"".join(sent))
            (answer,) = client.result()
            assert answer[0] == 0, answer
            assert f"Records: {len(sent)} ".encode() in answer
        assert client.value("SELECT COUNT(*) FROM t WHERE j = '{}'") == "200008"
        unknown = client.ask(b"\xfa\x99\x00\x00\x00\x80\x00" + types + rows[1])
        assert unknown[0] == 0xFF
        assert client.query("TRUNCATE t")[0][0] == 0


def test_progress_reports_are_passed_on(pair: tuple[RawClient, RawClient]) -> None:
    """What looks like an error in the middle of an ALTER TABLE is no end; the session goes on after it."""
    for number, client in enumerate(pair):
        assert client.query("SET @@session.progress_report_time = 1")[0][0] == 0
        assert client.query("INSERT INTO t (a) SELECT seq FROM seq_1_to_20000")[0][0] == 0
        client.send(f"\x03ALTER TABLE t ADD COLUMN x{number} INT DEFAULT 5, ALGORITHM=COPY".encode())
        reports = 0
        while (packet := client.packet())[:3] == b"\xff\xff\xff":
            reports += 1
        assert packet[0] == 0, packet
        assert reports
        assert client.value("SELECT 'still here'") == "still here"
        assert client.query("TRUNCATE t")[0][0] == 0


def test_accounts_of_ed25519(mariadb: Sandbox, router: RouterFactory) -> None:
    """They log in with the password that the router knows: configured, or given over TLS."""
    password = "Ed-" + secrets.token_hex(8)
    process = router(
        mariadb,
        config=f'[[users]]\nname = "front"\npassword = "x"\nbackend_user = "signer"\n'
        f'backend_password = "{password}"\n',
    )
    for server in mariadb.servers:
        server.query("INSTALL SONAME 'auth_ed25519'")
    try:
        mariadb.primary.query(f"CREATE USER signer IDENTIFIED VIA ed25519 USING PASSWORD('{password}')")
        mariadb.wait_in_sync()
        for user, own, tls in (
            ("front", "x", False),
            ("signer", password, True),
            ("signer", password, False),
        ):
            with RawClient(process.host, process.port, user, own, tls=tls) as client:
                seen = {client.value("SELECT CONCAT(CURRENT_USER(), @@server_id)") for _ in range(8)}
                assert seen >= {"signer@%2", "signer@%3"}
        with pytest.raises(RefusedLogin, match="1045"):
            RawClient(process.host, process.port, "signer", "wrong", tls=True)
    finally:
        mariadb.primary.query("DROP USER IF EXISTS signer")
        mariadb.wait_in_sync()
        for server in mariadb.servers:
            server.query("UNINSTALL SONAME 'auth_ed25519'")
