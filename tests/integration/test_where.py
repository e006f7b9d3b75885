"""Where statements ran, by the servers' own records: never by the router's counters."""

from collections import Counter

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import ran_on
from tests.integration.harness import RouterFactory

READS = 10_000
REPLICAS = {"replica1", "replica2"}


@pytest.fixture
def table(cluster: Sandbox, schema: str) -> str:
    """Make a table with a row; give its qualified name."""
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY, b INT)")
    cluster.primary.query(f"INSERT INTO {schema}.t VALUES (1, 1)")
    cluster.wait_in_sync()
    return f"{schema}.t"


def test_reads_are_spread_by_weight(cluster: Sandbox, router: RouterFactory, marker: str) -> None:
    """10,000 reads over weights 10, 60 and 30: each server's share is within 2 % of all, by its own records."""
    process = router(cluster, weights=(10, 60, 30), config="[reads]\nprimary_weight = 10\n")
    answered: Counter[int] = Counter()
    with process.connect() as connection, connection.cursor() as cursor:
        sql = f"SELECT @@server_id /* {marker} */"
        for _ in range(READS):
            cursor.execute(sql)
            row = cursor.fetchone()
            assert row is not None
            answered[row[0]] += 1
    for server_id, share in ((1, 0.1), (2, 0.6), (3, 0.3)):
        assert abs(answered[server_id] / READS - share) <= 0.02, answered
    ran = Counter(ran_on(cluster, marker))
    assert ran == {"primary": answered[1], "replica1": answered[2], "replica2": answered[3]}


PRIMARY_ONLY = [
    "INSERT INTO {t} VALUES (2, 2) {m}",
    "UPDATE {t} SET b = 3 {m}",
    "REPLACE INTO {t} VALUES (2, 2) {m}",
    "DELETE FROM {t} WHERE a = 2 {m}",
    "SELECT * FROM {t} FOR UPDATE {m}",
    "SELECT * FROM {t} LOCK IN SHARE MODE {m}",
    "select b into @b from {t} limit 1 {m}",
    "SELECT GET_LOCK('x', 0), RELEASE_LOCK('x') {m}",
    "SELECT @v := 1 {m}",
    "CREATE TEMPORARY TABLE {t}_own (a INT) {m}",
    "/*! INSERT INTO {t} VALUES (9, 9) */ {m}",
    "SET @a = 1 {m}",
]


@pytest.mark.parametrize("sql", PRIMARY_ONLY)
def test_what_is_no_plain_read_is_the_primarys(
    cluster: Sandbox, router: RouterFactory, marker: str, table: str, sql: str
) -> None:
    """Writes, locks and what touches the session run on the primary, once."""
    process = router(cluster, weights=(0, 100, 100))
    with process.connect() as connection, connection.cursor() as cursor:
        cursor.execute(sql.format(t=table, m=f"/* {marker} */"))
    assert ran_on(cluster, marker) == ["primary"]


@pytest.mark.parametrize(
    "begin", ["BEGIN", "START TRANSACTION", "SET autocommit = 0", "SET SESSION autocommit=OFF"]
)
def test_a_transaction_is_the_primarys(
    cluster: Sandbox, router: RouterFactory, marker: str, table: str, begin: str
) -> None:
    """Every statement in it, reads as well; the reads after it are the replicas' again."""
    process = router(cluster, weights=(0, 100, 100), config='[reads]\nconsistency = "eventual"\n')
    with process.connect() as connection, connection.cursor() as cursor:
        cursor.execute(begin)
        cursor.execute(f"SELECT b FROM {table} /* {marker}-a */")
        cursor.execute(f"UPDATE {table} SET b = b + 1 /* {marker}-a */")
        cursor.execute(f"SELECT b FROM {table} /* {marker}-a */")
        cursor.execute("COMMIT")
        cursor.execute("SET autocommit = 1")
        for _ in range(4):
            cursor.execute(f"SELECT b FROM {table} /* {marker}-b */")
    assert ran_on(cluster, f"{marker}-a") == ["primary"] * 3
    assert set(ran_on(cluster, f"{marker}-b")) == REPLICAS


def test_a_read_only_transaction_is_one_replicas(
    cluster: Sandbox, router: RouterFactory, marker: str, table: str
) -> None:
    """START TRANSACTION READ ONLY: all of it on one replica."""
    process = router(cluster, weights=(0, 100, 100))
    with process.connect() as connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION READ ONLY")
        for _ in range(6):
            cursor.execute(f"SELECT b FROM {table} /* {marker} */")
        cursor.execute("COMMIT")
    ran = ran_on(cluster, marker)
    assert len(ran) == 6
    assert len(set(ran)) == 1
    assert set(ran) <= REPLICAS


SETTINGS = [
    ("SET sql_mode = 'ANSI_QUOTES'", "@@sql_mode", "ANSI_QUOTES"),
    ("SET time_zone = '+05:30'", "@@time_zone", "+05:30"),
    ("SET NAMES latin1 COLLATE latin1_bin", "@@collation_connection", "latin1_bin"),
    ("SET CHARACTER SET latin1", "@@character_set_results", "latin1"),
    ("SET group_concat_max_len = 77", "@@group_concat_max_len", 77),
    ("SET SESSION max_join_size = 12345, sort_buffer_size = 65536", "@@sort_buffer_size", 65536),
    ("SET @@session.div_precision_increment = 7", "@@div_precision_increment", 7),
    ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "{isolation}", "SERIALIZABLE"),
    ("SET lc_time_names = 'de_DE'", "@@lc_time_names", "de_DE"),
]


# The isolation level SERIALIZABLE makes reads lock; a buffer's size is a setting of one server as well.
ON_THE_PRIMARY = {"{isolation}", "@@sort_buffer_size"}


@pytest.mark.parametrize(("assignment", "name", "value"), SETTINGS)
def test_a_variable_holds_wherever_it_is_read(
    cluster: Sandbox, router: RouterFactory, marker: str, assignment: str, name: str, value: object
) -> None:
    """Set once, it is what was set on each server that answers, and on those connected to later."""
    process = router(cluster, config="[reads]\nprimary_weight = 100\n")
    isolation = "@@tx_isolation" if cluster.flavor is Flavor.MARIADB else "@@transaction_isolation"
    with process.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute(assignment)
        for _ in range(9):
            cursor.execute(f"SELECT {name.format(isolation=isolation)} /* {marker} */")
            assert cursor.fetchone() == (value,)
    expected = {"primary"} if name in ON_THE_PRIMARY else {"primary", *REPLICAS}
    assert set(ran_on(cluster, marker)) == expected


def test_a_hidden_write_is_corrected(
    cluster: Sandbox, router: RouterFactory, marker: str, table: str, schema: str
) -> None:
    """A view that calls a function that writes: the replica refuses, the primary runs it, the client sees rows."""
    with cluster.primary.connect(database=schema) as root, root.cursor() as cursor:
        cursor.execute("CREATE TABLE log (a INT)")
        cursor.execute(
            "CREATE FUNCTION hidden() RETURNS INT DETERMINISTIC MODIFIES SQL DATA "
            "BEGIN INSERT INTO log VALUES (1); RETURN 7; END"
        )
        cursor.execute("CREATE VIEW v AS SELECT hidden() AS h")
    cluster.wait_in_sync()
    process = router(cluster, weights=(0, 100, 100))
    with process.connect(database=schema) as connection, connection.cursor() as cursor:
        for n in range(1, 4):
            cursor.execute(f"SELECT h FROM v /* {marker} */")
            assert cursor.fetchall() == ((7,),)
            assert cluster.primary.value(f"SELECT COUNT(*) FROM {schema}.log") == n
    assert ran_on(cluster, marker).count("primary") == 3
    assert "event=self_correction" in process.log()
