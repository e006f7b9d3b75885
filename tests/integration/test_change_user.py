"""COM_CHANGE_USER: another login on the same connection, on MySQL and MariaDB."""

import hashlib
import secrets
from collections.abc import Iterator

import mysql.connector
import pytest

from rwrouter.model import Flavor
from rwrouter.protocol.auth import native_proof
from rwrouter.protocol.framing import frame
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.options import Account
from rwrouter.sandbox.records import ran_on
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory, eventually
from tests.integration.raw import RawClient, RefusedLogin


@pytest.fixture
def other(cluster: Sandbox) -> Iterator[Account]:
    """Make a second user on all servers."""
    account = Account(f"other_{secrets.token_hex(4)}", "Other-" + secrets.token_hex(8))
    cluster.primary.query(f"CREATE USER {account.user} IDENTIFIED BY '{account.password}'")
    cluster.primary.query(f"GRANT ALL ON *.* TO {account.user}")
    cluster.wait_in_sync()
    yield account
    cluster.primary.query(f"DROP USER {account.user}")


def connect(router: RouterProcess, account: Account, **options: object) -> RawClient:
    """Log in through the router."""
    return RawClient(router.host, router.port, account.user, account.password, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("tls", [True, False], ids=["over TLS", "by RSA"])
def test_nothing_of_the_session_is_left(
    cluster: Sandbox, router: RouterFactory, schema: str, other: Account, tls: bool
) -> None:
    """Variables, temporary tables, prepared statements, schema and pins are gone, on every server.

    The first change asks for the password (nothing is known of it), the second is proved by a hash.
    """
    process = router(cluster)
    with connect(process, cluster.app, tls=tls, schema=schema) as client:
        number = client.value("SELECT CONNECTION_ID()")
        for statement in (
            "CREATE TEMPORARY TABLE temporary_one (a INT)",
            "SET @user_variable = 7",
            "SET SESSION sql_mode = 'ANSI_QUOTES', SESSION sort_buffer_size = 65536",
            "CREATE TABLE committed (a INT)",
            "BEGIN",
            "INSERT INTO committed VALUES (1)",
        ):
            assert client.query(statement)[0][0] == 0, statement
        prepared = client.ask(b"\x16SELECT 1")
        statement_id = prepared[1:5]
        client.packet()
        for account in (other, cluster.app, other):
            client.change_user(account.user, account.password)
            assert client.value("SELECT CURRENT_USER()") == f"{account.user}@%"
            assert client.value("SELECT @user_variable") is None
            assert client.value("SELECT DATABASE()") is None
            assert client.value("SELECT @@sort_buffer_size") != "65536"
            assert client.value('SELECT "a string"') == "a string"
            assert client.value("SELECT CONNECTION_ID()") == number
            assert client.value(f"SELECT COUNT(*) FROM {schema}.committed") == "0", "rolled back"
            assert b"temporary_one" in client.query(f"SELECT * FROM {schema}.temporary_one")[0]
            reply = client.ask(b"\x17" + statement_id + b"\x00\x01\x00\x00\x00")
            assert (reply[0], int.from_bytes(reply[1:3], "little")) == (0xFF, 1243)


def test_all_connections_follow(
    cluster: Sandbox, router: RouterFactory, schema: str, other: Account, marker: str
) -> None:
    """Reads on every server, and writes, run as the new user; those of the old one are closed."""
    process = router(cluster)
    with connect(process, cluster.app, tls=True, schema=schema) as client:
        assert {client.value("SELECT @@server_id") for _ in range(12)} >= {"2", "3"}
        client.change_user(other.user, other.password, schema)
        seen = {client.value(f"SELECT CONCAT(@@server_id, CURRENT_USER()) /* {marker} */") for _ in range(12)}
        assert seen >= {f"2{other.user}@%", f"3{other.user}@%"}
        assert set(ran_on(cluster, marker)) >= {"replica1", "replica2"}
        assert client.value("SELECT DATABASE()") == schema
        # Nobody is logged in as the old user any more (the sandbox's own waiting connection aside).
        eventually(
            lambda: all(
                server.value("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'") == 0
                for server in cluster.servers
            ),
            "the old user's connections are closed",
        )


def test_its_own_writes_are_seen_after_it(
    cluster: Sandbox, router: RouterFactory, schema: str, other: Account
) -> None:
    """What the old user wrote, the new one reads, from replicas too."""
    process = router(cluster)
    with connect(process, cluster.app, tls=True) as client:
        assert client.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")[0][0] == 0
        for number in range(20):
            assert client.query(f"INSERT INTO {schema}.t VALUES ({number})")[0][0] == 0
            account = other if number % 2 else cluster.app
            client.change_user(account.user, account.password)
            assert client.value(f"SELECT MAX(a) FROM {schema}.t") == str(number)


@pytest.mark.parametrize("why", ["password", "user", "schema"])
def test_a_failure_ends_as_at_the_server(
    cluster: Sandbox, router: RouterFactory, other: Account, why: str
) -> None:
    """The error is the server's; MySQL ends the connection, MariaDB goes on with the old user and a fresh session."""
    process = router(cluster)
    user = "nobody_at_all" if why == "user" else other.user
    password = "wrong" if why == "password" else other.password
    schema = "no_such_schema" if why == "schema" else None
    outcomes = []
    for host, port in ((cluster.primary.host, cluster.primary.port), (process.host, process.port)):
        tls = cluster.flavor is Flavor.MYSQL or port == process.port
        with RawClient(host, port, cluster.app.user, cluster.app.password, tls=tls) as client:
            client.query("SET @user_variable = 7")
            outcome: list[object] = []
            for _ in range(5 if cluster.flavor is Flavor.MARIADB else 1):
                with pytest.raises(RefusedLogin) as refused:
                    client.change_user(user, password, schema)
                outcome.append(str(refused.value).replace("'localhost'", "'127.0.0.1'"))
            try:
                outcome.append(client.value("SELECT CONCAT(CURRENT_USER(), IFNULL(@user_variable, 'none'))"))
            except OSError:
                outcome.append("ended")
            outcomes.append(outcome)
    assert outcomes[0] == outcomes[1]


def test_configured_users(cluster: Sandbox, router: RouterFactory, other: Account) -> None:
    """A user of the configuration is checked by the router, and mapped to its account."""
    config = f"""
[[users]]
name = "front"
password = "secret"
backend_user = "{other.user}"
backend_password = "{other.password}"
"""
    process = router(cluster, config=config)
    with connect(process, cluster.app, tls=True) as client:
        client.change_user("front", "secret")
        assert client.value("SELECT CURRENT_USER()") == f"{other.user}@%"
        client.change_user(cluster.app.user, cluster.app.password)
        with pytest.raises(RefusedLogin, match="1045 Access denied for user 'front'"):
            client.change_user("front", "wrong")
    with connect(process, Account("front", "secret")) as client:
        client.change_user("front", "secret")
        assert client.value("SELECT CURRENT_USER()") == f"{other.user}@%"


def test_a_driver_changes_its_user(
    cluster: Sandbox, router: RouterFactory, schema: str, other: Account
) -> None:
    """Connector/Python changes its user and goes on, prepared statements and all."""
    process = router(cluster)
    options = {"host": process.host, "port": process.port, "autocommit": True, "use_pure": True}
    with mysql.connector.connect(
        user=cluster.app.user, password=cluster.app.password, **options
    ) as connection:
        for account in (other, cluster.app, other):
            connection.cmd_change_user(account.user, account.password, schema)
            with connection.cursor(prepared=True) as cursor:
                cursor.execute("SELECT CURRENT_USER(), DATABASE(), ?", (5,))
                assert cursor.fetchall() == [(f"{account.user}@%", schema, 5)]


def test_a_proof_for_the_greetings_scramble_is_taken(cluster: Sandbox, router: RouterFactory) -> None:
    """As libmariadb gives it: also in its answer to an authentication switch, whose scramble it does not read."""
    app = cluster.app
    process = router(cluster, config=f'[[users]]\nname = "{app.user}"\npassword = "{app.password}"\n')
    with connect(process, app) as client:
        proof = native_proof(hashlib.sha1(app.password.encode()).digest(), client.ready.scramble)  # noqa: S324 - the plugin's
        for _ in range(2):
            client.send(
                b"\x11" + app.user.encode() + b"\0\x14" + proof + b"\0\x2d\x00mysql_native_password\0"
            )
            reply = client.packet()
            if reply[0] == 0xFE:
                client.write(frame(proof, 2))
                reply = client.packet()
            assert reply[0] == 0, reply
            assert client.value("SELECT CURRENT_USER()") == f"{app.user}@%"
