"""The PROXY protocol: a client's address told to the router, and by the router to servers."""

import socket
from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.protocol.proxy_header import build
from rwrouter.sandbox import Sandbox
from tests.integration.harness import RouterFactory
from tests.integration.raw import RawClient

CLIENT = ("203.0.113.7", 56324)
V1 = b"PROXY TCP4 203.0.113.7 198.51.100.2 56324 3306\r\n"
V2 = build(CLIENT, ("198.51.100.2", 3306))
BELIEVED = '[proxy_protocol]\nnetworks = ["127.0.0.0/8", "unix"]\n'


@pytest.mark.parametrize("tls", [False, True])
def test_the_address_of_a_client_behind_a_balancer(mysql: Sandbox, router: RouterFactory, tls: bool) -> None:
    """It is what servers are told in the attribute rwrouter_client, by both versions, with TLS behind it or not."""
    process = router(mysql, config=BELIEVED)
    app = mysql.app
    for header in (V1, V2, b""):
        with RawClient(process.host, process.port, app.user, app.password, first=header, tls=tls) as client:
            told = client.value(
                "SELECT ATTR_VALUE FROM performance_schema.session_connect_attrs "
                "WHERE ATTR_NAME = 'rwrouter_client' AND PROCESSLIST_ID = CONNECTION_ID()"
            )
            assert told is not None
            assert told == "203.0.113.7:56324" if header else told.startswith("127.0.0.1:")


def test_health_checks_and_headers_that_are_refused(mysql: Sandbox, router: RouterFactory) -> None:
    """A check is served and forgotten; a header from elsewhere, or a broken one, gets an error in MySQL's protocol."""
    believes, refuses = router(mysql, config=BELIEVED), router(mysql, config="")
    app = mysql.app
    with RawClient(believes.host, believes.port, app.user, app.password, first=build(None, None)) as check:
        assert check.value("SELECT 1") == "1"
    for process, header, why in (
        (refuses, V1, b"in none of proxy_protocol.networks"),
        (refuses, V2, b"in none of proxy_protocol.networks"),
        (believes, b"PROXY TCP4 203.0.113.7\r\n", b"PROXY header"),
        (believes, V2[:13] + b"\x11\xff\xff", b"PROXY header of 65535 bytes"),
    ):
        with socket.create_connection((process.host, process.port), 20) as link:
            link.sendall(header)
            heard = b""
            while piece := link.recv(4096):
                heard += piece
            assert why in heard
        assert "Traceback" not in process.log()


def test_servers_see_the_clients_address(mariadb: Sandbox, router: RouterFactory, tmp_path: Path) -> None:
    """With proxy_protocol.to_servers, USER() is the client's own address, on the primary and on replicas."""
    path = tmp_path / "sock"
    for server in mariadb.servers:
        server.query("SET GLOBAL proxy_protocol_networks = '127.0.0.0/8'")
    try:
        assert mariadb.flavor is Flavor.MARIADB
        config = BELIEVED + 'to_servers = true\n[compression]\nservers = "zlib"\n'
        process = router(mariadb, "--listen", f"unix:{path}", config=config)
        app = mariadb.app
        with RawClient(process.host, process.port, app.user, app.password, first=V1) as client:
            seen = {client.value("SELECT CONCAT(USER(), ' ', @@server_id)") for _ in range(12)}
            assert seen >= {"app@203.0.113.7 2", "app@203.0.113.7 3"}
            assert client.query("BEGIN")[0][0] == 0
            assert client.value("SELECT CONCAT(USER(), ' ', @@server_id)") == "app@203.0.113.7 1"
            assert client.query("COMMIT")[0][0] == 0
            client.change_user(app.user, app.password)
            assert client.value("SELECT USER()") == "app@203.0.113.7"
        with process.connect(unix_socket=str(path)) as local, local.cursor() as cursor:
            cursor.execute("SELECT USER()")
            assert cursor.fetchone() == ("app@127.0.0.1",)
    finally:
        for server in mariadb.servers:
            server.query("SET GLOBAL proxy_protocol_networks = ''")
