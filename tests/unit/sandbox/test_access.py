"""Servers as a test sees them."""

from collections.abc import Sequence
from typing import Any

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox.access import Access, ReplicationSet
from rwrouter.sandbox.binaries import SandboxError
from rwrouter.sandbox.options import Account, Accounts

ACCOUNTS = Accounts(*(Account(name, "secret") for name in Accounts.__slots__))


class Scripted(Access):
    """A server that gives one answer to everything, and remembers the questions."""

    def __init__(self, name: str, answer: object, *, runs: bool = True) -> None:
        super().__init__(name, Flavor.MYSQL, "127.0.0.1", 3306, ACCOUNTS)
        self.asked: list[tuple[str, Sequence[Any]]] = []
        self._answer = answer
        self._runs = runs

    @property
    def is_running(self) -> bool:
        """Whether it was made to run."""
        return self._runs

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Answer."""
        self.asked.append((sql, arguments))
        return [{"answer": self._answer}]


def _set(flavor: Flavor, *servers: Scripted) -> ReplicationSet[Scripted]:
    made: ReplicationSet[Scripted] = ReplicationSet(flavor)
    made.accounts = ACCOUNTS
    made.servers = list(servers)
    return made


@pytest.mark.parametrize(
    ("flavor", "wait"),
    [(Flavor.MYSQL, "WAIT_FOR_EXECUTED_GTID_SET"), (Flavor.MARIADB, "MASTER_GTID_WAIT")],
)
def test_replicas_that_run_are_waited_for(flavor: Flavor, wait: str) -> None:
    """Each running replica is asked for the primary's position, with a limit above 0 (0 is for ever)."""
    primary, running, ended = Scripted("p", "gtid-1"), Scripted("r1", 0), Scripted("r2", 0, runs=False)
    _set(flavor, primary, running, ended).wait_in_sync(5)
    ((sql, (position, seconds)),) = running.asked
    assert wait in sql
    assert position == "gtid-1"
    assert 0 < seconds <= 5
    assert ended.asked == []


def test_a_replica_that_stays_behind_is_named() -> None:
    """1 is the server's word for a wait that ran out."""
    with pytest.raises(SandboxError, match="r1 has not caught up within 5 s"):
        _set(Flavor.MYSQL, Scripted("p", "gtid-1"), Scripted("r1", 1)).wait_in_sync(5)


def test_servers_have_names() -> None:
    """The first is the primary; an unknown name is a KeyError."""
    made = _set(Flavor.MYSQL, Scripted("primary", 0), Scripted("replica1", 0))
    assert made.primary.name == "primary"
    assert [server.name for server in made.replicas] == ["replica1"]
    assert made.server("replica1").address == "127.0.0.1:3306"
    assert (made.root, made.app, made.monitor) == (ACCOUNTS.root, ACCOUNTS.app, ACCOUNTS.monitor)
    with pytest.raises(KeyError):
        made.server("db9")


def test_a_replica_is_delayed_in_its_own_words() -> None:
    """MySQL changes the delay of its applier alone; MariaDB takes it while both threads stand still."""
    server = Scripted("replica1", 0)
    server.delay(5)
    server.flavor = Flavor.MARIADB
    server.delay(0)
    assert [sql for sql, _ in server.asked] == [
        "STOP REPLICA SQL_THREAD",
        "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 5",
        "START REPLICA SQL_THREAD",
        "STOP SLAVE",
        "CHANGE MASTER TO MASTER_DELAY = 0",
        "START SLAVE",
    ]
