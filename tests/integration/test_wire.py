"""Parts of the protocol that few clients ask for: no metadata, attributes, clear passwords, files, unix sockets."""

import io
import secrets
from pathlib import Path

import pymysql
import pytest
from mysql.connector import connect

from rwrouter.protocol import flags
from rwrouter.sandbox import Sandbox
from tests.integration.harness import RouterFactory
from tests.integration.raw import PLAIN, RawClient


@pytest.mark.parametrize("eof", [0, flags.CLIENT_DEPRECATE_EOF], ids=["EOF", "no EOF"])
def test_results_without_metadata(mysql: Sandbox, router: RouterFactory, schema: str, eof: int) -> None:
    """After SET resultset_metadata = NONE, no server sends definitions: text and prepared, as the primary."""
    process, app = router(mysql), mysql.app
    wanted = PLAIN & ~flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_OPTIONAL_RESULTSET_METADATA | eof
    transcripts = []
    for host, port in ((mysql.primary.host, mysql.primary.port), (process.host, process.port)):
        with RawClient(host, port, app.user, app.password, capabilities=wanted, schema=schema) as client:
            heard: list[object] = []
            for kind in (b"NONE", b"FULL", b"NONE"):
                heard.append(client.ask(b"\x03SET resultset_metadata = " + kind))
                for sql in (
                    b"SELECT 1, 2",
                    b"SELECT 'a' FROM DUAL WHERE FALSE",
                    b"SHOW WARNINGS",
                    b"SELECT 3",
                ):
                    client.send(b"\x03" + sql)
                    heard.append(client.result())
                reply = client.ask(b"\x16SELECT ?, 2")
                heard.append(reply[5:])
                definitions = (2 + 1) if reply[12] else 0
                packets = [client.packet() for _ in range(definitions + (0 if eof else 2))]
                heard.append(packets)
                for _ in range(3):
                    value = b"\x01\x08\x00" + (5).to_bytes(8, "little")
                    client.send(b"\x17" + reply[1:5] + b"\x00\x01\x00\x00\x00\x00" + value)
                    heard.append(client.result())
                client.send(b"\x19" + reply[1:5])
            heard.append(client.query(f"CREATE TABLE {schema}.t{secrets.token_hex(2)} (a INT)")[0][:1])
            transcripts.append(heard)
    assert transcripts[0] == transcripts[1]


def test_attributes_of_a_connection_reach_the_servers(mysql: Sandbox, router: RouterFactory) -> None:
    """On every server that a session uses: its own, and the router's word on where it comes from."""
    process = router(mysql)
    seen = set()
    with process.connect(program_name="the shop") as connection, connection.cursor() as cursor:
        for _ in range(8):
            cursor.execute(
                "SELECT @@server_id, MAX(IF(ATTR_NAME = 'program_name', ATTR_VALUE, NULL)), "
                "MAX(IF(ATTR_NAME = 'rwrouter_client', ATTR_VALUE, NULL)) "
                "FROM performance_schema.session_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID()"
            )
            row = cursor.fetchone()
            assert row is not None
            assert row[1] == "the shop"
            assert row[2].startswith("127.0.0.1:")
            seen.add(row[0])


def test_attributes_of_a_statement_reach_the_server(mysql: Sandbox, router: RouterFactory) -> None:
    """What a client sends with a statement is there for mysql_query_attribute_string(), and never in its way."""
    process = router(mysql)
    options = {"host": process.host, "port": process.port, "use_pure": True}
    install = "INSTALL COMPONENT 'file://component_query_attributes'"
    try:
        for server in mysql.servers:
            server.query(install)
    except pymysql.MySQLError:
        has_component = False
    else:
        has_component = True
    try:
        with (
            connect(user=mysql.app.user, password=mysql.app.password, **options) as connection,
            connection.cursor() as cursor,
        ):
            cursor.add_attribute("trace", "abc-123")
            cursor.execute("SELECT 42")
            assert cursor.fetchall() == [(42,)]
            if has_component:
                cursor.execute("SELECT mysql_query_attribute_string('trace')")
                assert cursor.fetchall() == [("abc-123",)]
    finally:
        if has_component:
            for server in mysql.servers:
                server.query("UNINSTALL COMPONENT 'file://component_query_attributes'")


def test_a_password_in_the_clear_over_tls(cluster: Sandbox, router: RouterFactory) -> None:
    """mysql_clear_password is taken over TLS; without, nobody is asked for it."""
    process = router(cluster)
    options = {
        "host": process.host,
        "port": process.port,
        "user": cluster.app.user,
        "password": cluster.app.password,
        "auth_plugin": "mysql_clear_password",
        "use_pure": True,
    }
    with connect(**options) as connection:
        assert connection.is_connected()


def test_over_a_unix_socket(cluster: Sandbox, router: RouterFactory, schema: str, tmp_path: Path) -> None:
    """A listener of its own kind: statements, transactions, and another user."""
    path = str(tmp_path / "s")
    process = router(cluster, "--listen", f"unix:{path}")
    with process.connect(unix_socket=path, database=schema) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a INT)")
        cursor.execute("INSERT INTO t VALUES (1)")
        cursor.execute("SELECT a FROM t")
        assert cursor.fetchall() == ((1,),)


@pytest.mark.parametrize("content", [b"", b"1\n2\n3\n", b"1\nno number\n3\n"], ids=["empty", "good", "bad"])
def test_files_of_clients(cluster: Sandbox, router: RouterFactory, schema: str, content: bytes) -> None:
    """Empty, good, and refused in the middle: as at the server, and the session goes on."""
    process, app = router(cluster), cluster.app
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT)")
    outcomes = []
    for host, port in ((cluster.primary.host, cluster.primary.port), (process.host, process.port)):
        with RawClient(host, port, app.user, app.password, schema=schema) as client:
            asked = client.ask(b"\x03LOAD DATA LOCAL INFILE 'f' INTO TABLE t")
            assert asked == b"\xfbf"
            stream = io.BytesIO(content)
            sequence_id = 2
            while piece := stream.read(4):
                client.write(len(piece).to_bytes(3, "little") + bytes((sequence_id,)) + piece, sequence_id)
                sequence_id += 1
            client.write(b"\x00\x00\x00" + bytes((sequence_id,)), sequence_id)
            outcomes.append(
                [client.packet(), client.value("SELECT COUNT(*) FROM t"), client.query("DELETE FROM t")]
            )
    assert outcomes[0] == outcomes[1]


def test_procedures_with_several_results_and_parameters_out(
    cluster: Sandbox, router: RouterFactory, schema: str
) -> None:
    """Over the binary protocol, OUT parameters are a result set of their own; over text they are user variables."""
    process, app = router(cluster), cluster.app
    cluster.primary.query(
        f"CREATE PROCEDURE {schema}.p(IN a INT, OUT b INT) BEGIN SELECT a; SELECT a + 1, 'x'; SET b = a * 2; END"
    )
    transcripts = []
    for host, port in ((cluster.primary.host, cluster.primary.port), (process.host, process.port)):
        with RawClient(host, port, app.user, app.password, schema=schema) as client:
            heard: list[object] = []
            reply = client.ask(b"\x16CALL p(?, ?)")
            for _ in range(int.from_bytes(reply[7:9], "little")):
                client.packet()
            values = b"\x01\x03\x00\x03\x00" + (5).to_bytes(4, "little") + (0).to_bytes(4, "little")
            client.send(b"\x17" + reply[1:5] + b"\x00\x01\x00\x00\x00\x00" + values)
            heard += [client.result() for _ in range(4)]
            client.send(b"\x03CALL p(6, @out)")
            heard += [client.result() for _ in range(3)]
            heard.append(client.value("SELECT @out"))
            transcripts.append(heard)
    assert transcripts[0] == transcripts[1]
