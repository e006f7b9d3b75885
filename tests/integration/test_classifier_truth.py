"""What real servers say of the table: what goes to a replica neither writes nor locks there.

Every row that names a replica is run on a primary inside a transaction, and what it did is found from the
transaction tracker, from waits for locks that another session holds, from user variables and named locks. It
is run on a replica too, which must not refuse it as a write, and must fail where the primary fails. So are
statements made at random from what lexers trip over.
"""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pymysql
import pytest
from pymysql.constants import CLIENT

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox, SandboxServer
from rwrouter.sql import functions, words
from rwrouter.sql.classifier import Classifier
from rwrouter.sql.plans import Target
from tests.routing_cases import CASES, Case

LOCK_WAIT_TIMEOUT: Final = 1205
READ_ONLY: Final = {1290, 1792, 1836}
SESSION_TRACK: Final = 1 << 23
# Eight places of the transaction state ("Server Tracking of Client Session State Changes"): whether one is
# open, reads and writes without and with transaction, unsafe statements, result sets, LOCK TABLES.
STATE: Final = re.compile(rb"[TI_][r_][R_][w_][W_][s_][S_][L_]")

TABLE: Final = (
    "(id INT PRIMARY KEY, a INT, b VARCHAR(20), c INT, d DATE, x INT, e INT, `update` INT, `insert` INT,"
    " `into` INT, `lock` INT, `for update` INT, for_update INT, update_time INT, sleep INT, get_lock INT,"
    " nextval INT, `a``b;c` INT, `a'b` INT, `c``d` INT, `e\"f` INT, a$b INT, é INT, naïve INT,"
    " FULLTEXT KEY (b), KEY i (a), KEY j (c), KEY k (x)) ENGINE=InnoDB"
)
TABLES: Final = ("t", "u", "a", "c", "`delete`", "café", "2fa_codes", "x")
WRITERS: Final = ("my_func", "my_writer", "f", "1f", "é", "`my func`", "count", "now", "`any`")


@pytest.fixture
def data(cluster: Sandbox, make_schema: Callable[[Sandbox], str]) -> Iterator[str]:
    """Make tables, and functions that write, for the statements to find; give their schema.

    Servers list a transaction's locks with a tenth of a second's delay. So another session holds them all, and
    whatever locks or writes has to wait for it.
    """
    schema = make_schema(cluster)
    with cluster.primary.connect(database=schema) as connection, connection.cursor() as cursor:
        for name in TABLES:
            cursor.execute(f"CREATE TABLE {name} {TABLE}")
            cursor.execute(f"INSERT INTO {name} (id, a, b) VALUES (1, 1, 'x'), (2, 2, 'y')")
        cursor.execute("CREATE VIEW a_view AS SELECT id FROM t")
        for name in WRITERS:
            cursor.execute(
                f"CREATE FUNCTION {name} (n INT) RETURNS INT BEGIN "
                "INSERT INTO u (id) VALUES (FLOOR(RAND() * 1000000000)); RETURN 1; END"
            )
    cluster.wait_in_sync()
    blocker = cluster.primary.connect(database=schema, autocommit=False)
    with blocker.cursor() as cursor:
        for name in TABLES:
            cursor.execute(f"SELECT * FROM {name} FOR UPDATE")
    yield schema
    blocker.close()


class Witness:
    """A session on one server that runs a statement in a transaction and asks what it did."""

    def __init__(
        self,
        sandbox: Sandbox,
        server: SandboxServer,
        schema: str,
        *,
        mode: str = "",
        charset: str = "utf8mb4",
    ) -> None:
        self._connection = server.connect(
            database=schema,
            user=sandbox.app.user,
            password=sandbox.app.password,
            client_flag=SESSION_TRACK | CLIENT.MULTI_STATEMENTS,
            charset=charset,
        )
        self.run(f"SET sql_mode = '{mode}', session_track_transaction_info = 'STATE'".encode())
        shortest = 0 if sandbox.flavor is Flavor.MARIADB else 1  # seconds
        self.run(b"SET innodb_lock_wait_timeout = %d" % shortest)

    def run(self, sql: bytes) -> int:
        """Run *sql*, read all its results; return its error number, 0 where there is none."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                while cursor.nextset():
                    pass
        except pymysql.MySQLError as error:
            return int(error.args[0])
        return 0

    def run_in_transaction(self, sql: bytes) -> tuple[int, str]:
        """Run *sql* in a transaction that is rolled back; return its error and what it did, "" = nothing."""
        self.run(b"START TRANSACTION")
        error = self.run(sql)
        deeds = "had to wait for a lock" if error == LOCK_WAIT_TIMEOUT else self._deeds()
        self.run(b"ROLLBACK")
        return error, deeds

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def _deeds(self) -> str:
        deeds = []
        with self._connection.cursor() as cursor:
            cursor.execute("DO 1")  # its OK packet carries the state, if the statement changed it
            result: Any = cursor._result
            state = STATE.search(result.message or b"")
            if state and (state[0][3:5] != b"__" or state[0][7:8] != b"_"):
                deeds.append(f"wrote or locked ({state[0].decode()})")
            cursor.execute("SELECT IS_USED_LOCK('a'), @a, @x, @n")
            row = cursor.fetchone()
            assert row is not None
            if any(value is not None for value in row):
                deeds.append("left a named lock or a user variable")
                cursor.execute("SET @a = NULL, @x = NULL, @n = NULL")
                cursor.execute("SELECT RELEASE_ALL_LOCKS()")
        return ", ".join(deeds)


def _rows(flavor: Flavor, target: str) -> list[Case]:
    """Return the rows of the table that can be tried without waiting or ending the server."""
    return [
        case
        for case in CASES
        if case.target == target
        and case.on in {"", flavor.value}
        and not case.charset
        and len(case.sql) < 100_000
        and b"SLEEP(5)" not in case.sql
        and b"TRANSACTION" not in case.sql
    ]


def test_what_goes_to_a_replica_neither_writes_nor_locks(cluster: Sandbox, data: str) -> None:
    """The servers agree with each row that names a replica, but for where a hint answers for a function."""
    wrong: list[str] = []
    ran = 0
    for mode in ("", "ANSI_QUOTES"):
        primary, replica = (
            Witness(cluster, server, data, mode=mode) for server in (cluster.primary, cluster.replicas[0])
        )
        for case in _rows(cluster.flavor, "replica"):
            if case.mode != mode or case.why == "a hint says":
                continue
            error, deeds = primary.run_in_transaction(case.sql)
            error_there, _ = replica.run_in_transaction(case.sql)
            ran += not error
            if deeds or error_there in READ_ONLY or error != error_there:
                wrong.append(f"{case}: {deeds}, errors {error} and {error_there}")
        primary.close()
        replica.close()
    assert not wrong, "\n".join(wrong)
    assert ran > 100


def test_the_witness_sees_what_it_should(cluster: Sandbox, data: str) -> None:
    """Writes and locks do show in the records that the other tests rely on: none passes by blindness."""
    witness = Witness(cluster, cluster.primary, data)
    for sql in (
        b"SELECT * FROM t FOR UPDATE",
        b"SELECT * FROM t LOCK IN SHARE MODE",
        b"SELECT my_func(1)",
        b"SELECT now (1)",
        b"SELECT GET_LOCK('a', 0)",
        b"SELECT id FROM t LIMIT 1 INTO @a",
        b"SELECT @a := 1",
        b"INSERT INTO t (id) VALUES (77)",
        b"SELECT 1; DELETE FROM t",
    ):
        error, deeds = witness.run_in_transaction(sql)
        assert deeds, (sql, error)
    witness.close()


# Pieces of statements: what opens and closes quotes and comments, what must not reach a replica, the rest.
QUOTES: Final = (
    *("'", '"', "`", "''", '""', "``", "\\'", "\\", "'a'", '"a"', "`a`", "'\\'", "'--'", "'/*'", "`a'"),
    "a`",
)
COMMENTS: Final = (
    *("/*", "*/", "/**/", "/*!", "/*!99999", "/*!80000", "/*!50000", "/*M!", "--", "#", "/*+", "/*'*/"),
    *('/*"*/', "/*`*/", "/*/", "/*!*/", "/*!100100", "/*!080000", "-- ", "\n", "/* x */", "--\n"),
    *("-- '\n", "#'\n", "#`\n", "--\t", "--\x01", "/*!80000 ", "/*!99999 ", "/*M! "),
)
DANGERS: Final = (
    *(" FOR UPDATE", " FOR SHARE", " FOR UPDATE OF t", " FOR UPDATE SKIP LOCKED", " INTO @a", ",@a:=1"),
    *(",my_func(1)", ",my_func (1)", ",`my_func`(1)", ",1f(1)", ",é(1)", ",now (1)", ",any (1)"),
    *(",GET_LOCK('a',0)", ",get_lock ('a',0)", "; DELETE FROM t", "; SELECT my_func(1)"),
    *(",(SELECT id FROM t LIMIT 1 FOR UPDATE)", " UNION SELECT my_func(1)", " FOR", " UPDATE"),
)
OTHERS: Final = (
    *(" ", "1", "a", ",", "(", ")", "FROM t", " FROM t", " AS x", " AS", "1.", ".5", "1e5", "1e", "0x41"),
    *("x'41'", "N'a'", "_utf8mb4'a'", "\\N", "+", "-", "*", "=1", "t.", "SELECT", "SELECT 1", "UNION"),
    *("\xa0", "\x00", "{d '2020-01-01'}", "$", "$$", "@x", "@", "@@", ";", " WHERE 1", " LIMIT 1", "é"),
    *("\t", "\r", "\x0b", "12", "1,2"),
)
STARTS: Final = (
    *("SELECT 1", "SELECT 1", "SELECT", "SELECT id FROM t", "(SELECT 1)", "TABLE t", "SELECT 'a'"),
    *("EXPLAIN SELECT 1", "SELECT `a` FROM t", "WITH q AS (SELECT 1) SELECT 1", "/* x */ SELECT 1"),
    *("/*! SELECT 1", "SELECT * FROM t"),
)


def _made_up(rng: random.Random) -> str:
    pieces = [rng.choice(STARTS)]
    for _ in range(rng.randint(2, 9)):
        kind = rng.choices((QUOTES, COMMENTS, DANGERS, OTHERS), (30, 30, 20, 20))[0]
        pieces.append(rng.choice(kind))
    return "".join(pieces)


@pytest.mark.slow
def test_what_lexers_trip_over_smuggles_nothing_past(cluster: Sandbox, data: str) -> None:
    """Of made-up statements, those that would go to a replica do nothing there, in any mode or charset."""
    rng = random.Random(20_240_229)
    wrong = []
    tried = 0
    for mode in ("", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"):
        for charset in ("utf8mb4", "latin1", "gbk"):
            classifier = Classifier(
                cluster.flavor,
                ansi_quotes="ANSI_QUOTES" in mode,
                no_backslash_escapes="NO_BACKSLASH_ESCAPES" in mode,
                multibyte_unsafe=charset == "gbk",
            )
            witness = Witness(cluster, cluster.primary, data, mode=mode, charset=charset)
            for _ in range(2_000):
                sql = _made_up(rng).encode("latin1" if charset == "latin1" else "utf-8")
                plan = classifier.plan(sql)
                if plan.target is Target.REPLICA:
                    tried += 1
                    _, deeds = witness.run_in_transaction(sql)
                    if deeds:
                        wrong.append(f"{mode} {charset} {sql!r}: {deeds}, digest {plan.digest}")
            witness.close()
    assert not wrong, "\n".join(wrong)
    assert tried > 500


# On the list because some version has them, and not these servers' own.
OF_OTHER_VERSIONS: Final = {
    Flavor.MYSQL: frozenset({"md5", "sha", "sha1", "vector_distance"}),
    Flavor.MARIADB: frozenset(
        {
            "format_pico_time",
            "json_array_intersect",
            "json_key_value",
            "json_object_filter_keys",
            "json_schema_valid",
        }
        | {
            "json_object_to_array",
            "json_table",
            "kdf",
            "months_between",
            "uuid_v4",
            "uuid_v7",
            "vec_distance",
        }
        | {"vec_distance_cosine", "vec_distance_euclidean", "vec_fromtext", "vec_totext"}
    ),
}


@pytest.mark.slow
def test_no_name_on_the_lists_can_be_a_stored_function(
    cluster: Sandbox, make_schema: Callable[[Sandbox], str]
) -> None:
    """A stored function of that name is not what an unquoted call calls, with or without a blank."""
    flavor, schema = cluster.flavor, make_schema(cluster)
    callable_names: list[str] = []
    with cluster.primary.connect(database=schema) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")
        for name in sorted(functions.READS[flavor] | words.BEFORE_PARENTHESIS):
            cursor.execute(f"CREATE FUNCTION `{name}` (n INT) RETURNS INT RETURN 4242")
            forms = [f"{name}(1)"]
            if name not in words.NO_BLANK_BEFORE_PARENTHESIS[flavor]:
                forms.append(f"{name} (1)")
            for form in forms:
                try:
                    cursor.execute(f"SELECT {form}")
                except pymysql.MySQLError:
                    continue
                if cursor.fetchall() == ((4242,),):
                    callable_names.append(form)
            cursor.execute(f"DROP FUNCTION `{name}`")
    own = {form for form in callable_names if form.split("(")[0].strip() not in OF_OTHER_VERSIONS[flavor]}
    assert not own
