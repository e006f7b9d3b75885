"""State of sessions: what people have lost behind other proxies, each test named after their threads.

A scenario is run twice, on the primary itself and through the router, and has to give the same rows and errors. A mark
before a statement says where it has to run: `p` on the primary, `r` on a replica; `=` anywhere. The servers' own
records tell where it ran.

Elsewhere: stale reads over connections in test_own_writes.py, test_monotonic.py and the levels of consistency; KILL and
ids (proxysql 1797), big packets (1508), several results and files of the client in test_protocol.py; prepared
statements (1546, MaxScale 195) in test_protocol.py, test_commands.py; what ties a session in test_sessions.py; roles,
passwords and resets in test_session_followers.py; state of others (3000, 1832), which no connection is shared for yet.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.records import statements
from rwrouter.sandbox.router import RouterProcess

Outcome = tuple[Any, ...]
REPLICAS = {"replica1", "replica2"}


@pytest.fixture(scope="module")
def routers() -> Iterator[dict[int, RouterProcess]]:
    """Keep one router for each cluster, for all scenarios: by the cluster's id."""
    made: dict[int, RouterProcess] = {}
    yield made
    for process in made.values():
        process.stop()
        assert "Traceback" not in process.log()
        process.close()


@pytest.fixture
def process(
    cluster: Sandbox, routers: dict[int, RouterProcess], tmp_path_factory: pytest.TempPathFactory
) -> RouterProcess:
    """Give the router of the cluster, whose primary takes no reads of its own, however busy the machine is."""
    if id(cluster) not in routers:
        addresses = [
            f"{server.address},weight={weight}"
            for server, weight in zip(cluster.servers, (0, 100, 100), strict=True)
        ]
        patient = tmp_path_factory.mktemp("router") / "rwrouter.toml"
        patient.write_text('[monitor]\ntimeout = "30s"\n[reads]\nmax_lag = "300s"\nwait = "60s"\n')
        arguments = ("--config", str(patient), "--workers", "1")
        routers[id(cluster)] = RouterProcess(addresses, cluster.monitor, cluster.app, arguments, None)
        routers[id(cluster)].wait_listening()
        routers[id(cluster)].wait_ready()
    return routers[id(cluster)]


def run(connection: Any, script: Sequence[str], marker: str) -> list[Outcome]:
    """Run *script*; return rows, affected rows and insert id of each statement, or its error's number."""
    outcomes: list[Outcome] = []
    with connection.cursor() as cursor:
        for number, line in enumerate(script):
            sql = line[2:].replace("/**/", f"/* {marker}-{number}. */")
            try:
                affected = cursor.execute(sql)
                rows = [cursor.fetchall()]
                while cursor.nextset():
                    rows.append(cursor.fetchall())
                outcomes.append((rows, affected, cursor.lastrowid))
            except pymysql.err.Error as exc:
                outcomes.append((type(exc).__name__, exc.args[0]))
    return outcomes


SET_UP = (
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT)",
    "INSERT INTO t (a) VALUES (10), (20)",
    "CREATE PROCEDURE p_writes() INSERT INTO t (a) VALUES (1)",
    "CREATE PROCEDURE p_out(OUT o INT) SELECT 5 INTO o",
    "CREATE PROCEDURE p_variable() SET @hidden = 7",
    "CREATE PROCEDURE p_temporary() CREATE TEMPORARY TABLE tmp (a INT)",
    "CREATE PROCEDURE p_fails() BEGIN INSERT INTO t (a) VALUES (1); SIGNAL SQLSTATE '45000'; END",
    "CREATE PROCEDURE p_several() BEGIN SELECT 1; SELECT 2; UPDATE t SET a = a + 1; END",
    "CREATE FUNCTION f_writes() RETURNS INT DETERMINISTIC BEGIN INSERT INTO t (a) VALUES (1); RETURN 1; END",
    "CREATE TABLE log (a INT)",
    "CREATE TRIGGER t_log AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.a)",
)

SCENARIOS: dict[str, list[str]] = {
    # 2: autocommit=0 is a transaction, and reads in it are the primary's
    "proxysql_1256_autocommit_off": [
        "= SET autocommit = 0",
        "p SELECT a FROM t ORDER BY id /**/",
        "p INSERT INTO t (a) VALUES (30) /**/",
        "p SELECT COUNT(*) FROM t /**/",
        "= ROLLBACK",
        "p SELECT COUNT(*) FROM t /**/",
        "= SET autocommit = 1",
        "r SELECT COUNT(*) FROM t /**/",
    ],
    "proxysql_3979_read_only_transactions_on_replicas": [
        "r START TRANSACTION READ ONLY /**/",
        "r SELECT a FROM t WHERE id = 1 /**/",
        "p INSERT INTO t (a) VALUES (3) /**/",
        "p SELECT COUNT(*) FROM t /**/",
        "p COMMIT /**/",
        "r SELECT COUNT(*) FROM t /**/",
        "= START TRANSACTION READ ONLY",
        "= BEGIN",
        "p INSERT INTO t (a) VALUES (4) /**/",
        "= COMMIT",
        "r SELECT COUNT(*) FROM t /**/",
        "= START TRANSACTION READ ONLY",
        "= SET autocommit = 0",
        "= COMMIT",
        "p INSERT INTO t (a) VALUES (5) /**/",
        "= COMMIT",
        "= SET autocommit = 1",
    ],
    "shardingsphere_14741_set_session_read_only": [
        "= SET SESSION TRANSACTION READ ONLY",
        "r SELECT a FROM t ORDER BY id /**/",
        "p INSERT INTO t (a) VALUES (6) /**/",
        "= BEGIN",
        "p UPDATE t SET a = 0 /**/",
        "= COMMIT",
        "= SET SESSION TRANSACTION READ WRITE",
        "p INSERT INTO t (a) VALUES (6) /**/",
        "= SET TRANSACTION READ ONLY",
        "p SELECT 1 /**/",
        "= BEGIN",
        "p INSERT INTO t (a) VALUES (7) /**/",
        "= COMMIT",
        "p INSERT INTO t (a) VALUES (8) /**/",
        "r SELECT COUNT(*) FROM t /**/",
    ],
    # 3: own writes, also those that no statement shows
    "proxysql_1249_own_writes_of_routines": [
        "= CALL p_writes()",
        "r SELECT COUNT(*) FROM t /**/",
        "= SELECT f_writes()",
        "r SELECT COUNT(*) FROM t /**/",
        "= INSERT INTO t (a) VALUES (9)",
        "r SELECT COUNT(*) FROM log /**/",
        "= CREATE TABLE u (a INT)",
        "r SELECT * FROM u /**/",
        "= ALTER TABLE u ADD b INT DEFAULT 5",
        "= INSERT INTO u (a) VALUES (1)",
        "r SELECT b FROM u /**/",
        "= INSERT INTO u (a) VALUES (2); UPDATE u SET b = 6 WHERE a = 2",
        "r SELECT b FROM u WHERE a = 2 /**/",
        "= INSERT INTO u (a) VALUES (3); INSERT INTO nowhere VALUES (1)",
        "r SELECT COUNT(*) FROM u /**/",
        "= DROP TABLE u",
        "= SELECT * FROM u",
        "= XA START 'x'",
        "= INSERT INTO t (a) VALUES (11)",
        "= XA END 'x'",
        "= XA PREPARE 'x'",
        "= XA COMMIT 'x'",
        "r SELECT COUNT(*) FROM t /**/",
        "= CALL p_fails()",
        "= SELECT COUNT(*) FROM t",
    ],
    # 5: user variables tie nothing, and are where they were set
    "proxysql_653_user_variables": [
        "= SET @a = 1, @b := 'x'",
        "r SELECT a FROM t ORDER BY id /**/",
        "p SELECT @a, @b, @never /**/",
        "p SELECT a INTO @c FROM t WHERE id = 2 /**/",
        "r SELECT a FROM t WHERE id = 1 /**/",
        "p SELECT @c /**/",
        "p SELECT @n := @a + 1 /**/",
        "r SELECT a FROM t WHERE id = 1 /**/",
        "p INSERT INTO t (a) VALUES (@n) /**/",
        "r SELECT MAX(a) FROM t /**/",
        "= CALL p_out(@o)",
        "r SELECT a FROM t WHERE id = 1 /**/",
        "p SELECT @o /**/",
        "= CALL p_variable()",
        "p SELECT a FROM t WHERE id = 1 /**/",
        "p SELECT @hidden /**/",
    ],
    "proxysql_5368_variables_set_in_a_reading_transaction": [
        "r START TRANSACTION READ ONLY /**/",
        "r SELECT a, id FROM t WHERE id = 2 INTO @a, @i /**/",
        "= SET @d = 1.50, @f = 1.5e0, @s = _latin1 x'E4' COLLATE latin1_bin, @n = NULL, @x = x'00FF'",
        "= SET @u = CAST(7 AS UNSIGNED), @big = 18446744073709551615, @neg = -9",
        "r SELECT COUNT(*) FROM t /**/",
        "= COMMIT",
        "p SELECT @a, @i, @d, @f, @s, @n, @x, @u, @big, @neg, COLLATION(@s), HEX(@s) /**/",
        "r SELECT COUNT(*) FROM t /**/",
        "p SELECT @a /**/",
    ],
    "proxysql_2522_names_prepared_by_text": [
        "= SET @sql = 'SELECT a FROM t WHERE id = ?'",
        "= PREPARE s FROM @sql",
        "= SET @id = 2",
        "r SELECT COUNT(*) FROM t /**/",
        "= EXECUTE s USING @id",
        "= PREPARE w FROM 'INSERT INTO t (a) VALUES (?)'",
        "= EXECUTE w USING @id",
        "r SELECT COUNT(*) FROM t /**/",
        "= DEALLOCATE PREPARE s",
        "= DROP PREPARE w",
        "r SELECT COUNT(*) FROM t /**/",
        "= EXECUTE s USING @id",
    ],
    # 7: temporary tables, until the last is dropped
    "proxysql_939_temporary_tables": [
        "= CREATE TEMPORARY TABLE tmp (a INT)",
        "= INSERT INTO tmp VALUES (1)",
        "p SELECT a FROM tmp /**/",
        "p SELECT a FROM t ORDER BY id /**/",
        "= CREATE TEMPORARY TABLE IF NOT EXISTS t (z INT)",
        "p SELECT * FROM t /**/",
        "= DROP TEMPORARY TABLE tmp",
        "p SELECT * FROM t /**/",
        "= DROP TABLE IF EXISTS tmp, t",
        "r SELECT COUNT(*) FROM log /**/",
    ],
    "proxysql_1014_temporary_tables_renamed": [
        "= CREATE TEMPORARY TABLE one (a INT)",
        "= ALTER TABLE one RENAME TO two",
        "= CREATE TEMPORARY TABLE one (a INT)",
        "= DROP TABLE one",
        "p SELECT COUNT(*) FROM two /**/",
    ],
    "mxs_2250_describe_a_temporary_table": [
        "= CREATE TEMPORARY TABLE tmp (here INT)",
        "p DESCRIBE tmp /**/",
        "p SHOW COLUMNS FROM tmp /**/",
        "= DROP TABLE tmp",
        "r SELECT COUNT(*) FROM t /**/",
    ],
    "proxysql_2517_temporary_table_of_a_procedure": [
        "= CALL p_temporary()",
        "p SELECT COUNT(*) FROM tmp /**/",
        "p SELECT a FROM t ORDER BY id /**/",
    ],
    "mxs_4522_temporary_table_in_one_packet": [
        "= CREATE TEMPORARY TABLE tmp (a INT); INSERT INTO tmp VALUES (1)",
        "p SELECT a FROM tmp /**/",
        "= DROP TABLE tmp; CREATE TEMPORARY TABLE tmp (b INT)",
        "p SELECT b FROM tmp /**/",
    ],
    # 8: the last insert id
    "proxysql_1048_last_insert_id": [
        "= INSERT INTO t (a) VALUES (30), (40)",
        "r SELECT COUNT(*) FROM t /**/",
        "p SELECT LAST_INSERT_ID() /**/",
        "p SELECT LAST_INSERT_ID() AS id /**/;",
        "p SELECT LAST_INSERT_ID() FROM DUAL /**/",
        "p SELECT last_insert_id ( ) LIMIT 1 /**/",
        "p SELECT @@identity, @@last_insert_id /**/",
        "p SELECT a FROM t WHERE id = LAST_INSERT_ID() /**/",
        "p INSERT INTO log VALUES (LAST_INSERT_ID()) /**/",
        "p SELECT LAST_INSERT_ID() /**/",
        "= INSERT INTO t (id, a) VALUES (900, 1)",
        "p SELECT LAST_INSERT_ID() /**/",
        "p SELECT LAST_INSERT_ID(77) /**/",
        "r SELECT COUNT(*) FROM t /**/",
        "p SELECT LAST_INSERT_ID() /**/",
        "= SET last_insert_id = 99",
        "p SELECT LAST_INSERT_ID() /**/",
        "= SET insert_id = 500",
        "= INSERT INTO t (a) VALUES (5)",
        "p SELECT LAST_INSERT_ID() /**/",
    ],
    "proxysql_3923_last_insert_id_in_a_reading_transaction": [
        "= INSERT INTO t (a) VALUES (30)",
        "= START TRANSACTION READ ONLY",
        "= SELECT COUNT(*) FROM t",
        "= SELECT LAST_INSERT_ID()",
        "= COMMIT",
    ],
    # Also asked for: what speaks of the statement before
    "proxysql_696_diagnostics_of_the_statement_before": [
        "r SELECT 1 / 0 FROM t LIMIT 1 /**/",
        "r SHOW WARNINGS /**/",
        "r SELECT CAST('abc' AS SIGNED) FROM t LIMIT 1 /**/",
        "= SELECT @@warning_count, @@error_count",
        "r SELECT CAST('abc' AS SIGNED) FROM t LIMIT 1 /**/",
        "= SHOW COUNT(*) WARNINGS",
        "= INSERT INTO nowhere VALUES (1)",
        "p SHOW WARNINGS /**/",
        "p SHOW ERRORS /**/",
        "= UPDATE t SET a = a + 1",
        "= SELECT ROW_COUNT()",
        "r SELECT SQL_CALC_FOUND_ROWS a FROM t ORDER BY id LIMIT 1 /**/",
        "= SELECT FOUND_ROWS()",
        "r SELECT a FROM t ORDER BY id /**/",
        "= SELECT FOUND_ROWS()",
        "r SELECT CAST('abc' AS SIGNED) FROM t LIMIT 1 /**/",
        "= GET DIAGNOSTICS @number = NUMBER",
        "p SELECT @number /**/",
        "r SELECT a FROM t ORDER BY id /**/",
    ],
    # Locks
    "proxysql_named_locks_are_counted": [
        "p SELECT GET_LOCK('{schema}', 5) /**/",
        "p SELECT a FROM t ORDER BY id /**/",
        "p SELECT GET_LOCK('{schema}', 5) AS got /**/",
        "= SELECT RELEASE_LOCK('{schema}')",
        "p SELECT a FROM t ORDER BY id /**/",
        "= SELECT RELEASE_LOCK('{schema}-other')",
        "= SELECT RELEASE_LOCK('{schema}')",
        "r SELECT a FROM t ORDER BY id /**/",
        "= DO GET_LOCK('{schema}', 5)",
        "p SELECT a FROM t ORDER BY id /**/",
        "= DO RELEASE_LOCK('{schema}')",
        "p SELECT a FROM t ORDER BY id /**/",
        "= SELECT RELEASE_ALL_LOCKS()",
        "r SELECT a FROM t ORDER BY id /**/",
        "= SELECT IS_FREE_LOCK('{schema}')",
    ],
    "gaea_lock_tables": [
        "= LOCK TABLES t READ",
        "p SELECT a FROM t ORDER BY id /**/",
        "= SELECT a FROM log",
        "= UNLOCK TABLES",
        "r SELECT a FROM t ORDER BY id /**/",
        "= LOCK TABLES t WRITE",
        "= INSERT INTO t (a) VALUES (1)",
        "p SELECT COUNT(*) FROM t /**/",
        "= UNLOCK TABLES",
        "r SELECT COUNT(*) FROM t /**/",
    ],
    "mxs_xa_stays_where_it_is": [
        "= XA START 'one'",
        "p SELECT a FROM t ORDER BY id /**/",
        "= XA END 'one'",
        "p SELECT 1 /**/",
        "= XA PREPARE 'one'",
        "= XA ROLLBACK 'one'",
        "r SELECT a FROM t ORDER BY id /**/",
    ],
    "mysql_router_handler": [
        "= HANDLER t OPEN AS h",
        "p HANDLER h READ FIRST /**/",
        "r SELECT COUNT(*) FROM t /**/",
        "p HANDLER h READ NEXT /**/",
        "= HANDLER h CLOSE",
        "= HANDLER h READ FIRST",
        "r SELECT COUNT(*) FROM t /**/",
    ],
    # One-shot and session transaction characteristics; savepoints
    "mxs_set_transaction_holds_for_one": [
        "= SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "p SELECT 1 /**/",
        "= SET @x = 1",
        "p SELECT a FROM t ORDER BY id /**/",
        "r SELECT a FROM t ORDER BY id /**/",
        "= SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "p SELECT a FROM t ORDER BY id /**/",
        "= SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "r SELECT a FROM t ORDER BY id /**/",
        "r SELECT {isolation} /**/",
        "= BEGIN",
        "= INSERT INTO t (a) VALUES (1)",
        "= SAVEPOINT one",
        "= INSERT INTO t (a) VALUES (2)",
        "= ROLLBACK TO SAVEPOINT one",
        "p SELECT COUNT(*) FROM t /**/",
        "= RELEASE SAVEPOINT one",
        "= COMMIT",
        "r SELECT COUNT(*) FROM t /**/",
    ],
    # 6, 20, 24: variables, character sets, schema
    "proxysql_3000_variables_follow": [
        "= SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+03:00', group_concat_max_len = 9",
        '= SELECT "a" FROM t WHERE "id" = 1',
        "r SELECT @@sql_mode, @@time_zone, @@group_concat_max_len, FROM_UNIXTIME(0), '\\' /**/",
        "r SELECT GROUP_CONCAT(a, a, a, a, a, a) FROM t /**/",
        "= SET sql_mode = DEFAULT, sql_safe_updates = 1",
        "= DELETE FROM t",
        "r SELECT @@sql_safe_updates, @@sql_mode /**/",
        "= SET timestamp = 86400",
        "p SELECT NOW() /**/",
        "= SET timestamp = DEFAULT",
        "r SELECT NOW() > '2020-01-01' /**/",
    ],
    "proxysql_4841_character_sets": [
        "= SET NAMES latin1 COLLATE latin1_bin",
        "r SELECT @@character_set_client, @@collation_connection, @@character_set_results, 'A' = 'a' /**/",
        "= SET NAMES utf8mb4",
        "r SELECT @@collation_connection, HEX('ä'), 'A' = 'a' /**/",
        "= SET collation_connection = utf8mb4_bin",
        "r SELECT 'A' = 'a' /**/",
        "= SET character_set_results = NULL",
        "r SELECT @@character_set_results, _latin1 x'41' /**/",
    ],
    "proxysql_3993_schema": [
        "= USE information_schema",
        "= SELECT DATABASE()",
        "= USE {schema}; SELECT a FROM t ORDER BY id",
        "r SELECT DATABASE(), COUNT(*) FROM t /**/",
        "= USE {schema}_nowhere",
        "r SELECT COUNT(*) FROM t /**/",
    ],
    # MaxScale: several results, and what follows them
    "proxysql_546_several_results": [
        "= CALL p_several()",
        "r SELECT a FROM t ORDER BY id /**/",
        "= INSERT INTO t (a) VALUES (1); SELECT LAST_INSERT_ID()",
        "= BEGIN; UPDATE t SET a = 1",
        "p SELECT a FROM t ORDER BY id /**/",
        "= ROLLBACK",
        "r SELECT a FROM t ORDER BY id /**/",
    ],
}

_READS = "SELECT a FROM t ORDER BY id /**/"
_BACKUP_LOCKS = (
    "SELECT COUNT(*) FROM performance_schema.metadata_locks "
    "WHERE OBJECT_TYPE = 'BACKUP LOCK' AND LOCK_DURATION = 'EXPLICIT'"
)
LOCKS: dict[str, list[str]] = {
    "flush_tables_with_read_lock": [
        "= FLUSH TABLES WITH READ LOCK",
        f"p {_READS}",
        "= INSERT INTO t (a) VALUES (1)",
        f"p {_READS}",
        "= UNLOCK TABLES",
        "= INSERT INTO t (a) VALUES (1)",
        "r SELECT COUNT(*) FROM t /**/",
    ],
    "flush_tables_of_some": [
        "= FLUSH TABLES t WITH READ LOCK",
        f"p {_READS}",
        "= INSERT INTO t (a) VALUES (1)",
        "= SELECT a FROM log",
        "= UNLOCK TABLES",
        "= FLUSH TABLES t FOR EXPORT",
        f"p {_READS}",
        "= UNLOCK TABLES",
        f"r {_READS}",
        "= FLUSH TABLES",
        "= FLUSH LOCAL STATUS",
        f"r {_READS}",
    ],
    "mysql_lock_instance_for_backup": [
        "= LOCK INSTANCE FOR BACKUP",
        f"p {_READS}",
        f"= {_BACKUP_LOCKS}",
        "= INSERT INTO t (a) VALUES (1)",
        f"p {_READS}",
        "= UNLOCK INSTANCE",
        "r SELECT COUNT(*) FROM t /**/",
        f"= {_BACKUP_LOCKS}",
    ],
    "mysql_set_resource_group": [
        "= SET RESOURCE GROUP USR_default",
        f"= {_READS}",
        "= SET RESOURCE GROUP nowhere",
        f"= {_READS}",
        "= SELECT /*+ RESOURCE_GROUP(USR_default) */ COUNT(*) FROM t",
    ],
    "mariadb_backup_stages": [
        "= BACKUP STAGE START",
        f"p {_READS}",
        "= INSERT INTO t (a) VALUES (1)",
        "= BACKUP STAGE FLUSH",
        "= BACKUP STAGE BLOCK_DDL",
        f"p {_READS}",
        "= BACKUP STAGE BLOCK_COMMIT",
        "= INSERT INTO t (a) VALUES (2)",
        "= BACKUP STAGE START",
        f"p {_READS}",
        "= BACKUP STAGE END",
        "= SELECT COUNT(*) FROM t /**/",
        "= BACKUP STAGE END",
        "= SELECT COUNT(*) FROM t /**/",
    ],
    "mariadb_backup_lock": [
        "= BACKUP LOCK t",
        f"p {_READS}",
        "= BACKUP UNLOCK",
        f"r {_READS}",
    ],
}
"""Locks of backups, and what else is a server's own. A name that begins with a flavor's is for that one."""

SCENARIOS |= LOCKS


@pytest.mark.parametrize("name", SCENARIOS)
def test_sessions(cluster: Sandbox, process: RouterProcess, name: str) -> None:
    """The router answers what the primary does, and reads go to replicas where that is safe."""
    if name in LOCKS and name.startswith(tuple(Flavor)) and not name.startswith(cluster.flavor):
        pytest.skip(f"{cluster.flavor} has no such thing")
    schema = f"s_{secrets.token_hex(4)}"
    isolation = "@@tx_isolation" if cluster.flavor is Flavor.MARIADB else "@@transaction_isolation"
    script = [line.replace("{schema}", schema).replace("{isolation}", isolation) for line in SCENARIOS[name]]
    outcomes = []
    marker = f"m-{secrets.token_hex(6)}"
    for through in (False, True):
        cluster.primary.query(f"CREATE DATABASE {schema}")
        with cluster.primary.connect(database=schema) as root, root.cursor() as cursor:
            for statement in SET_UP:
                cursor.execute(statement)
        cluster.wait_in_sync()
        options = {"database": schema, "client_flag": CLIENT.MULTI_STATEMENTS}
        account = {"user": cluster.app.user, "password": cluster.app.password}
        with (
            process.connect(**options) if through else cluster.primary.connect(**account, **options)
        ) as connection:
            outcomes.append(run(connection, script, marker if through else "direct"))
        cluster.primary.query(f"DROP DATABASE {schema}")
    for line, direct, routed in zip(script, *outcomes, strict=True):
        assert routed == direct, line
    records = [(server.name, text) for server in cluster.servers for text in statements(server, marker)]
    for number, line in enumerate(script):
        if line[0] == "=":
            continue
        ran = {name for name, text in records if f"{marker}-{number}." in text}
        expected = {"primary"} if line[0] == "p" else REPLICAS
        assert ran, line
        assert ran <= expected, f"{line} ran on {ran}"
