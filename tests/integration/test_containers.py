"""The servers in containers do what the other tests rely on, with the scripts of the compose example."""

import pymysql
import pytest

from rwrouter.sandbox.records import ran_on
from tests.integration.containers import Containers
from tests.integration.harness import RouterFactory, eventually

pytestmark = pytest.mark.containers


def test_containers_replicate_and_replicas_refuse_writes(
    containers: Containers, schema: str, marker: str
) -> None:
    """A write of the application on the primary is read on each replica, which takes no write."""
    app = {"user": containers.app.user, "password": containers.app.password}
    with containers.primary.connect(**app) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
        cursor.execute(f"INSERT INTO {schema}.t VALUES (1) /* {marker} */")
    containers.wait_in_sync()
    for replica in containers.replicas:
        with replica.connect(**app) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT a FROM {schema}.t /* {marker} */")
            assert cursor.fetchall() == ((1,),)
            with pytest.raises(pymysql.MySQLError, match="read-only"):
                cursor.execute(f"INSERT INTO {schema}.t VALUES (2)")
    assert ran_on(containers, marker) == ["primary", "replica1", "replica2"]


def test_the_router_splits_before_containers(
    containers: Containers, router: RouterFactory, schema: str, marker: str
) -> None:
    """Through the published ports, writes run on the primary, and reads come to both replicas."""
    process = router(containers)
    with process.connect(database=schema) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t (a INT PRIMARY KEY) /* write {marker} */")
        cursor.execute(f"INSERT INTO t VALUES (1) /* write {marker} */")
    assert ran_on(containers, f"write {marker}") == ["primary", "primary"]
    containers.wait_in_sync()

    def both_read() -> bool:
        with process.connect(database=schema) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT a FROM t /* read {marker} */")
            assert cursor.fetchall() == ((1,),)
        return {"replica1", "replica2"} <= set(ran_on(containers, f"read {marker}"))

    eventually(both_read, "both replicas have answered a read")
