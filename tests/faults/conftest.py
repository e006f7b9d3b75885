"""Fixtures of the fault lab: those of the integration tests, and a router that reaches servers over faulty links."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.faults.link import Link
from tests.integration.conftest import cluster, make_schema, mariadb, marker, mysql, router, schema
from tests.integration.harness import eventually

__all__ = ["cluster", "make_schema", "mariadb", "marker", "mysql", "router", "schema"]


@dataclass
class Linked:
    """A router that reaches a primary and one replica over faulty links."""

    servers: Sandbox
    primary: Link
    replica: Link
    process: RouterProcess

    def connect(self, **options: Any) -> Any:
        """Log in as the application, with a limit to waiting; the caller closes."""
        return self.process.connect(**{"read_timeout": 60, "write_timeout": 60} | options)


@pytest.fixture(scope="module")
def all_linked() -> Iterator[dict[Flavor, Linked]]:
    """Keep a router for each flavor: starting one takes seconds on a busy machine."""
    kept: dict[Flavor, Linked] = {}
    yield kept
    for linked in kept.values():
        log = linked.process.log()
        linked.process.close()
        linked.primary.close()
        linked.replica.close()
        assert "Traceback" not in log, log


@pytest.fixture
def linked(cluster: Sandbox, all_linked: dict[Flavor, Linked]) -> Linked:
    """Give a router behind links that have no fault yet."""
    found = all_linked.get(cluster.flavor)
    if found is None:
        one, other = cluster.primary, cluster.replicas[0]
        primary, replica = Link(one.host, one.port), Link(other.host, other.port)
        named = [f"{primary.address},name=primary", f"{replica.address},name=replica"]
        process = RouterProcess(named, cluster.monitor, cluster.app, ("--workers", "1"))
        found = all_linked[cluster.flavor] = Linked(cluster, primary, replica, process)
    for link in (found.primary, found.replica):
        link.mend()
    eventually(lambda: is_served_by_both(found), "both servers are up", 60)
    return found


def is_served_by_both(linked: Linked) -> bool:
    """Tell whether writes work, and reads reach the replica."""
    linked.process.wait_ready()
    try:
        with linked.connect() as connection, connection.cursor() as cursor:
            cursor.execute("DO 1")
            cursor.execute("SELECT @@server_id /* rwrouter: server=replica */")
            return bool(cursor.fetchone() == (linked.servers.replicas[0].server_id,))
    except pymysql.MySQLError:
        return False
