"""The compressed protocol, towards clients and towards servers."""

import subprocess
import zlib
from pathlib import Path

import mysql.connector
import pytest

from rwrouter.model import Flavor
from rwrouter.protocol import flags
from rwrouter.protocol.framing import frame
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory
from tests.integration.raw import PLAIN, RawClient

EDGE = 1 << 24
ALGORITHMS = {"zlib": flags.CLIENT_COMPRESS, "zstd": flags.CLIENT_ZSTD}


def connect(router: RouterProcess, wanted: int, *, tls: bool = False) -> RawClient:
    """Log in as the application, asking for *wanted* too."""
    app = router.app
    return RawClient(router.host, router.port, app.user, app.password, capabilities=PLAIN | wanted, tls=tls)


@pytest.mark.parametrize(("algorithm", "tls"), [("zlib", False), ("zstd", True)])
def test_results_are_smaller_on_the_link(
    cluster: Sandbox, router: RouterFactory, schema: str, algorithm: str, tls: bool
) -> None:
    """What a client asks for is used where the servers have it: whole results, few bytes; small and huge statements."""
    process = router(cluster)
    with connect(process, ALGORITHMS[algorithm], tls=tls) as client:
        agreed = client.ready.capabilities & (flags.CLIENT_COMPRESS | flags.CLIENT_ZSTD)
        if cluster.flavor is Flavor.MARIADB and algorithm == "zstd":
            assert not agreed
            return
        assert agreed == ALGORITHMS[algorithm]
        before = client.received
        assert len(client.query("SELECT REPEAT('a', 1000000)")[2]) == 1000000 + 4
        assert client.received - before < 20_000
        assert client.query(f"CREATE TABLE {schema}.t (a LONGTEXT)")[0][0] == 0
        assert client.query("INSERT INTO " + schema + ".t VALUES ('" + "x" * 3_000_000 + "')")[0][0] == 0
        assert client.value(f"SELECT LENGTH(a) FROM {schema}.t") == "3000000"


def test_two_clients_of_others(cluster: Sandbox, router: RouterFactory, schema: str, tmp_path: Path) -> None:
    """Connector/Python and the mariadb client compress, run statements of many sizes, and are told that they do."""
    process = router(cluster)
    app = process.app
    with (
        mysql.connector.connect(
            host=process.host,
            port=process.port,
            user=app.user,
            password=app.password,
            compress=True,
            use_pure=True,
            autocommit=True,
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE TABLE {schema}.t (a INT, b LONGTEXT)")
        for size in (1, 49, 50, 51, 300, 70_000, 1_100_000):
            cursor.execute(f"INSERT INTO {schema}.t VALUES (%s, %s)", (size, "é" * size))
            cursor.execute(f"SELECT CHAR_LENGTH(b) FROM {schema}.t WHERE a = %s", (size,))
            assert cursor.fetchall() == [(size,)]
    cluster.wait_in_sync()
    file = tmp_path / "rows.csv"
    file.write_text("".join(f"{number}\tsome text that makes the line long\n" for number in range(20_000)))
    command = ["mariadb", "--no-defaults", "--compress", "--batch", "--skip-column-names", "--skip-ssl"]
    command += [f"--host={process.host}", f"--port={process.port}", f"--user={app.user}"]
    statements = (
        f"SELECT SUM(CHAR_LENGTH(b)) FROM {schema}.t; SELECT REPEAT('z', 200000); "
        f"DELETE FROM {schema}.t; LOAD DATA LOCAL INFILE '{file}' INTO TABLE {schema}.t; "
        f"SELECT COUNT(*), MAX(a) FROM {schema}.t; \\s"
    )
    done = subprocess.run(
        [*command, "--local-infile", "-e", statements],
        env={"MYSQL_PWD": app.password, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(1 + 49 + 50 + 51 + 300 + 70_000 + 1_100_000)
    assert lines[1] == "z" * 200_000
    assert lines[2] == "20000\t19999"
    assert "Protocol:\t\tCompressed" in done.stdout


def test_it_can_be_turned_off(cluster: Sandbox, router: RouterFactory) -> None:
    """With compression.clients = false nothing is offered, and a client that asked goes on without."""
    process = router(cluster, config="[compression]\nclients = false\n")
    with connect(process, flags.CLIENT_COMPRESS | flags.CLIENT_ZSTD) as client:
        assert client.layer is None
        assert client.value("SELECT 'plain'") == "plain"


def test_towards_servers(cluster: Sandbox, router: RouterFactory, schema: str, tmp_path: Path) -> None:
    """Servers say that it is on; statements, prepared ones, a file and statements above 16 MB pass."""
    algorithm = "zstd" if cluster.flavor is Flavor.MYSQL else "zlib"
    process = router(cluster, config=f'[compression]\nservers = "{algorithm}"\n')
    file = tmp_path / "rows.csv"
    file.write_text("".join(f"{number}\tsome text that makes the line long\n" for number in range(20_000)))
    with (
        process.connect(local_infile=True, max_allowed_packet=1 << 30) as connection,
        connection.cursor() as cursor,
    ):
        for _ in range(4):
            cursor.execute("SHOW SESSION STATUS LIKE 'Compression'")
            assert cursor.fetchone() == ("Compression", "ON")
        cursor.execute(f"CREATE TABLE {schema}.t (a INT, b VARCHAR(60))")
        assert cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {schema}.t") == 20_000
        cursor.execute(f"SELECT COUNT(*), MAX(a) FROM {schema}.t")
        assert cursor.fetchone() == (20_000, 19_999)
        cursor.execute(f"SELECT LENGTH('{'y' * (EDGE + 5)}')")
        assert cursor.fetchone() == (EDGE + 5,)
    with (
        mysql.connector.connect(
            host=process.host, port=process.port, user=process.app.user, password=process.app.password
        ) as other,
        other.cursor(prepared=True) as prepared,
    ):
        for number in range(20):
            prepared.execute("SELECT ?", (number,))
            assert prepared.fetchall() == [(number,)]


@pytest.mark.parametrize(
    "bad",
    [
        b"\x10\x00\x00\x00\xff\xff\xff" + bytes(16),  # no zlib stream
        len(bomb := zlib.compress(bytes(15 << 20))).to_bytes(3, "little") + b"\x00\x10\x00\x00" + bomb,
        frame(b"\x03SELECT 1", 0),  # not compressed at all
    ],
    ids=["garbage", "a bomb", "plain packets"],
)
def test_broken_frames_end_that_connection_alone(mysql: Sandbox, router: RouterFactory, bad: bytes) -> None:
    """A frame that does not expand to what it announces ends its connection; the others go on."""
    process = router(mysql)
    with (
        connect(process, flags.CLIENT_COMPRESS) as witness,
        connect(process, flags.CLIENT_COMPRESS) as client,
    ):
        client.socket.sendall(bad * 3)
        client.socket.shutdown(1)
        try:
            while client.socket.recv(1 << 16):
                pass
        except ConnectionError:
            pass
        assert witness.value("SELECT 'still here'") == "still here"
