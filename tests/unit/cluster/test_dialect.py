"""How a server is told what to do, by its kind and version."""

from dataclasses import replace

import pytest

from rwrouter.cluster import dialect
from rwrouter.cluster.standing import Credentials, Standing
from rwrouter.model import Flavor
from tests.unit.cluster.test_switchover import standing

NEW = standing("db1")
OLD = replace(NEW, version=(8, 0, 22))
MARIADB = standing("db1", flavor=Flavor.MARIADB)
ACCOUNT = Credentials("repl", "hidden", gets_public_key=False, retry=7)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (NEW, ["STOP REPLICA", "START REPLICA", "RESET REPLICA ALL", "SHOW REPLICA STATUS"]),
        (OLD, ["STOP SLAVE", "START SLAVE", "RESET SLAVE ALL", "SHOW SLAVE STATUS"]),
        (MARIADB, ["STOP SLAVE", "START SLAVE", "RESET SLAVE ALL", "SHOW ALL SLAVES STATUS"]),
    ],
    ids=["MySQL", "MySQL before 8.0.23", "MariaDB"],
)
def test_replication_in_each_dialect(one: Standing, said: list[str]) -> None:
    """REPLICA and SLAVE."""
    orders = [dialect.stop(one, ""), dialect.start(one, ""), dialect.forget(one, ""), dialect.status(one)]
    assert [str(order) for order in orders] == said


def test_a_channel_is_named_where_it_has_a_name() -> None:
    """At the end of the statement."""
    assert str(dialect.stop(NEW, "main")) == "STOP REPLICA FOR CHANNEL 'main'"
    assert str(dialect.change(NEW, "main", ("db2", 3306))).endswith("AUTO_POSITION = 1 FOR CHANNEL 'main'")


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            OLD,
            (
                "CHANGE MASTER TO MASTER_HOST = 'db2', MASTER_PORT = 3306, MASTER_USER = 'repl', "
                "MASTER_PASSWORD = '***', MASTER_CONNECT_RETRY = 7, MASTER_SSL = 1, "
                "GET_MASTER_PUBLIC_KEY = 0, MASTER_AUTO_POSITION = 1"
            ),
        ),
        (
            MARIADB,
            (
                "CHANGE MASTER TO MASTER_HOST = 'db2', MASTER_PORT = 3306, MASTER_USER = 'repl', "
                "MASTER_PASSWORD = '***', MASTER_CONNECT_RETRY = 7, MASTER_SSL = 1, MASTER_USE_GTID = slave_pos"
            ),
        ),
    ],
    ids=["MySQL before 8.0.23", "MariaDB"],
)
def test_a_new_source(one: Standing, said: str) -> None:
    """With the account where it is given; its password is not shown."""
    assert str(dialect.change(one, "", ("db2", 3306), ACCOUNT, is_encrypted=True)) == said
    assert "USER" not in str(dialect.change(one, "", ("db2", 3306)))


def test_who_writes() -> None:
    """On MySQL nobody may write to a server that is closed; what opens it is the same everywhere."""
    assert [str(order) for order in dialect.close(NEW)] == ["SET GLOBAL super_read_only = 1"]
    assert [str(order) for order in dialect.close(MARIADB)] == ["SET GLOBAL read_only = 1"]
    assert [str(order) for order in dialect.OPEN] == ["SET GLOBAL read_only = 0"]
