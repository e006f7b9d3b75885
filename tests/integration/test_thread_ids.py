"""Connection ids: one number for a client, in the greeting, CONNECTION_ID(), process lists and KILL."""

from typing import Any

import pymysql
import pytest

from rwrouter.protocol import flags
from rwrouter.sandbox import Sandbox
from tests.integration.harness import RouterFactory
from tests.integration.raw import PLAIN, RawClient


@pytest.mark.parametrize("capabilities", [PLAIN, PLAIN & ~flags.CLIENT_DEPRECATE_EOF])
def test_the_metadata_are_the_servers(cluster: Sandbox, router: RouterFactory, capabilities: int) -> None:
    """Whatever the statement calls its column; only the number is another, text or prepared."""
    process = router(cluster)
    for sql in ("SELECT CONNECTION_ID()", "select connection_id() AS Id", "SELECT connection_id ( ) `a b`"):
        heard = []
        for host, port in (
            (cluster.primary.host, cluster.primary.port),
            (process.host, process.port),
        ):
            with RawClient(
                host, port, cluster.app.user, cluster.app.password, capabilities=capabilities
            ) as client:
                own = client.ready.connection_id
                packets = client.query(sql)
                assert packets[-2][1:] == str(own).encode()
                statement = client.ask(b"\x16" + sql.encode())[1:5]
                for _ in range(1 if capabilities & flags.CLIENT_DEPRECATE_EOF else 2):
                    client.packet()
                client.send(b"\x17" + statement + b"\x00\x01\x00\x00\x00")
                prepared = client.result()
                assert int.from_bytes(prepared[-2][2:], "little") == own
                heard.append([*packets[:-2], packets[-1], *prepared[:-2], prepared[-1]])
        assert heard[0] == heard[1]


@pytest.mark.parametrize("sql", ["SHOW PROCESSLIST", "SHOW FULL PROCESSLIST"])
def test_a_client_finds_and_ends_another_by_the_process_list(
    cluster: Sandbox, router: RouterFactory, marker: str, sql: str
) -> None:
    """Its own id is there, and that of others is what KILL takes; sessions of no router keep the server's."""
    process = router(cluster)
    with (
        process.connect() as one,
        process.connect() as other,
        cluster.primary.connect() as direct,
        one.cursor() as cursor,
    ):
        with other.cursor() as busy:
            busy.execute(f"SELECT GET_LOCK('{marker}', 1)")
        cursor.execute("SELECT CONNECTION_ID()")
        (own,) = cursor.fetchone()
        cursor.execute(sql)
        ids = {row[0] for row in cursor.fetchall()}
        assert {own, _number(other), _number(direct)} <= ids
        cursor.execute(f"KILL {_number(other)}")
        cursor.execute(f"SELECT IS_FREE_LOCK('{marker}')")
        with pytest.raises(pymysql.err.OperationalError):
            other.ping(reconnect=False)


def _number(connection: Any) -> int:
    """Return the id that the greeting told."""
    return int(connection.thread_id())
