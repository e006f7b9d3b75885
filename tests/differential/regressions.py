"""Each difference that the differential test has found, as the smallest program that shows it.

*why* says what was different. *missing* marks what is not mended yet: such a row must fail, and says what is lacking.
"""

from dataclasses import dataclass
from typing import Final

from rwrouter.model import Flavor
from rwrouter.protocol import flags
from tests.differential.sessions import ALWAYS, Greeted
from tests.differential.steps import (
    ChangeUser,
    Close,
    Command,
    Execute,
    Fetch,
    LongData,
    Prepare,
    Query,
    Reset,
    Step,
)

BOTH: Final = tuple(Flavor)
EOFS: Final = Greeted(ALWAYS)
MODERN: Final = Greeted(ALWAYS | flags.CLIENT_DEPRECATE_EOF)
TRACKING: Final = Greeted(ALWAYS | flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_SESSION_TRACK)
TRACKING_EOFS: Final = Greeted(ALWAYS | flags.CLIENT_SESSION_TRACK)


@dataclass(frozen=True)
class Regression:
    """One row: run on servers of *flavors*, logged in as *greeted*."""

    name: str
    why: str
    program: tuple[Step, ...]
    greeted: Greeted = MODERN
    flavors: tuple[Flavor, ...] = BOTH
    missing: str = ""


REGRESSIONS: Final = (
    Regression(
        "eof_after_a_write",
        "an EOF packet had SESSION_STATE_CHANGED, which only the router's own trackers had caused",
        (
            Query("CALL w(2)"),
            Query("ANALYZE TABLE nothing"),
            Query("SELECT writes(1)"),
        ),
        EOFS,
    ),
    Regression(
        "eof_after_a_write_of_a_client_that_tracks",
        "as above, for a client with session tracking and without CLIENT_DEPRECATE_EOF",
        (Query("CALL w(2)"), Query("ANALYZE TABLE nothing"), Query("INSERT INTO t (a) VALUES (1)")),
        TRACKING_EOFS,
    ),
    Regression(
        "ok_after_an_eof",
        "the OK behind an EOF that had spoken of the router's trackers has an empty block",
        (
            Query("SELECT writes(5)"),
            Query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        ),
        TRACKING_EOFS,
        (Flavor.MYSQL,),
        "an empty block behind an EOF that had no room for a GTID is not told apart from the server's own",
    ),
    Regression(
        "commit_and_chain_after_a_read",
        "the transaction that a COMMIT AND CHAIN behind a read began was on the replica of the read",
        (
            Query("SELECT a FROM t"),
            Query("COMMIT AND CHAIN"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("COMMIT"),
            Query("SET completion_type = CHAIN"),
            Query("SELECT a FROM t"),
            Query("COMMIT"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("ROLLBACK AND NO CHAIN"),
        ),
    ),
    Regression(
        "trackers_of_the_router",
        "a client with session tracking was told variables, GTIDs and state changes that it had not asked for",
        (
            Query("SET sql_safe_updates = 1"),
            Query("SET autocommit = 0"),
            Query("SET SESSION autocommit = DEFAULT"),
            Query("SET NAMES gbk"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("SET sql_mode = 'ANSI', time_zone = '+02:00'"),
            Query("USE {o}"),
            Command("COM_INIT_DB", "{s}"),
            Query("CREATE TEMPORARY TABLE tmp (id INT)"),
            Query("SET @a = 1"),
        ),
        TRACKING,
    ),
    Regression(
        "unknown_statement",
        "an unknown statement id got an error of the router's own, which SHOW WARNINGS did not know of",
        (
            Execute(0, (1,)),
            Query("SHOW WARNINGS"),
            Fetch(1, 2),
            Query("SHOW COUNT(*) ERRORS"),
            Prepare(2, "SELECT 1"),
            Close(2),
            Execute(2),
        ),
    ),
    Regression(
        "out_parameters_with_eofs",
        "MySQL's last EOF behind OUT parameters does not say that more comes: the connection was given up",
        (
            Prepare(1, "CALL two(?, ?)"),
            Execute(1, (1,)),
            Query("SELECT 1"),
        ),
        EOFS,
    ),
    Regression(
        "write_in_a_read_only_transaction",
        "a replica of MariaDB refused it as a read-only server (1290), not for the transaction (1792)",
        (
            Query("START TRANSACTION READ ONLY"),
            Query("DELETE FROM t WHERE id = 4"),
            Query("SELECT COUNT(*) FROM t"),
            Query("COMMIT"),
        ),
    ),
    Regression(
        "ddl_in_a_read_only_transaction",
        "MariaDB ends the transaction and runs the DDL; the replica that had the transaction refuses it",
        (Query("START TRANSACTION READ ONLY"), Query("CREATE TABLE w1 (id INT)"), Query("SELECT * FROM w1")),
        flavors=(Flavor.MARIADB,),
    ),
    Regression(
        "diagnostics_on_a_replica",
        "GET DIAGNOSTICS behind a read on a replica tied the session there, and its next write was refused",
        (
            Query("SELECT COUNT(*) FROM t"),
            Query("GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("SELECT @n, @r"),
        ),
    ),
    Regression(
        "collation_after_a_reset",
        "a connection that was opened after COM_RESET_CONNECTION had the login's collation, not the server's default",
        (Command("COM_RESET_CONNECTION"), Query("SELECT 'a'"), Query("SELECT @@collation_connection")),
        flavors=(Flavor.MYSQL,),  # on MariaDB both are 45
    ),
    Regression(
        "tracker_settings_in_a_transaction",
        "the router's own OK said that no transaction was open",
        (
            Query("BEGIN"),
            Query("SET session_track_schema = 0"),
            Query("COMMIT"),
        ),
    ),
    Regression(
        "begin_in_a_transaction",
        "MySQL sets SESSION_STATE_CHANGED with nothing changed: the flag was taken out",
        (Query("BEGIN"), Query("START TRANSACTION")),
        TRACKING,
    ),
    Regression(
        "begin_in_a_transaction_that_wrote",
        "as above: beside the GTID of the first, which was taken out, nothing seemed to have changed",
        (
            Query("BEGIN"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("START TRANSACTION"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("COMMIT AND CHAIN"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("SET session_track_gtids = OWN_GTID"),
            Query("COMMIT"),
        ),
        TRACKING,
    ),
    Regression(
        "prepare_between_a_read_and_its_counts",
        "a PREPARE on the primary was taken for the statement before, of which SHOW WARNINGS and FOUND_ROWS() speak",
        (
            Query("XA END '{s}'"),
            Query("SELECT DISTINCT a FROM t ORDER BY a"),
            Prepare(0, "SELECT CONCAT(?, ?), CAST(? AS SIGNED), ? + 1"),
            Query("SHOW WARNINGS"),
            Query("SELECT id FROM t LIMIT 2"),
            Prepare(1, "SELECT 1"),
            Query("SELECT FOUND_ROWS()"),
        ),
    ),
    Regression(
        "failed_prepare_between_a_read_and_its_counts",
        "FOUND_ROWS() was asked where the PREPARE had failed: the rows are those of the read, on a replica",
        (
            Query("SELECT id FROM t LIMIT 2"),
            Prepare(1, "SELECT * FROM w1 WHERE id > ?"),
            Query("SELECT FOUND_ROWS()"),
        ),
    ),
    Regression(
        "tracker_settings",
        "what a client set of session_track_* was answered OK and not followed: it was told what the defaults tell",
        (
            Query("SET session_track_state_change = 1"),
            Query("SHOW WARNINGS"),
            Query("SET sql_safe_updates = 1"),
            Query("SET @a = 1"),
            Query("SET session_track_schema = @@session_track_schema - 1, @b = @@session_track_state_change"),
            Query("USE {o}"),
            Query("SELECT @b, @@session_track_schema"),
            Query("SHOW VARIABLES LIKE 'session\\_track%'"),
            Query("SET session_track_schema = 7"),
            Query("SHOW WARNINGS"),
            Query("SET session_track_state_change = DEFAULT"),
            Query("SET @a = 1"),
            Query("SELECT COUNT(*) FROM {s}.t"),
            Query("SET session_track_state_change = 1"),
            Query("INSERT INTO {s}.t (a) SELECT ROW_COUNT()"),
            Query("SELECT a FROM {s}.t ORDER BY id"),
        ),
        TRACKING,
    ),
    Regression(
        "tracked_variables_of_a_client",
        "as above: a list of its own, with expressions, and beside variables that the list hides",
        (
            Query("SET session_track_system_variables = 'sql_mode'"),
            Query("SET sql_mode = '', time_zone = '+01:00'"),
            Query(
                "SET session_track_system_variables = CONCAT(@@session_track_system_variables, ',max_join_size')"
            ),
            Query("SET max_join_size = 1000, sql_mode = 'ANSI'"),
            Query("SET session_track_system_variables = 'time_zone', sql_mode = '', time_zone = '+02:00'"),
            Query("SELECT @@sql_mode, @@time_zone"),
            Query("SET session_track_system_variables = 'sql_mode,nonsense'"),
            Query("SHOW WARNINGS"),
            Query("SET session_track_system_variables = '*'"),
            Query("SET NAMES latin1"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("SET session_track_system_variables = ''"),
            Query("SET NAMES latin1"),
        ),
        TRACKING,
    ),
    Regression(
        "gtids_of_a_client",
        "as above: a client that asked for GTIDs was told none",
        (
            Query("SET session_track_gtids = OWN_GTID, sql_mode = ''"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("SELECT writes(3)"),
            Query("BEGIN"),
            Query("UPDATE t SET a = 2 WHERE id = 1"),
            Query("SET session_track_gtids = OFF"),
            Query("SHOW WARNINGS"),
            Query("COMMIT"),
            Query("SET session_track_gtids = 'x'"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Command("COM_RESET_CONNECTION"),
            Query("INSERT INTO {s}.t (a) VALUES (1)"),
        ),
        TRACKING,
    ),
    Regression(
        "transactions_told_to_a_client",
        "as above: their state and characteristics",
        (
            Query("SET session_track_transaction_info = CHARACTERISTICS"),
            Query("BEGIN"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("COMMIT"),
            Query("SELECT a FROM t"),
            Query("SET TRANSACTION READ ONLY"),
            Query("START TRANSACTION READ ONLY"),
            Query("SELECT a FROM t"),
            Query("SET session_track_state_change = 1"),
            Query("SET @a = 1"),
            Query("COMMIT"),
            Query("SET session_track_transaction_info = STATE"),
            Query("INSERT INTO t (a) VALUES (1)"),
        ),
        TRACKING,
    ),
    Regression(
        "prepared_tracker_settings",
        "as above, by prepared statements and several in a packet",
        (
            Prepare(1, "SET session_track_state_change = ?"),
            Execute(1, (1,)),
            Query("SET @a = 1"),
            Query("BEGIN"),
            Execute(1, (0,)),
            Query("SET @a = 1"),
            Query("COMMIT"),
            Prepare(2, "SELECT @@session_track_state_change, @@session_track_schema"),
            Execute(2),
            Query("SET session_track_schema = 0; USE {o}"),
            Query("SELECT DATABASE()"),
            Query("SELECT * FROM far"),
            Query("PREPARE s FROM 'SET session_track_state_change = 1'"),
            Query("EXECUTE s"),
            Query("PREPARE s FROM 'SELECT 1'"),
        ),
        Greeted(TRACKING.capabilities | flags.CLIENT_MULTI_STATEMENTS),
        (Flavor.MYSQL,),  # MariaDB says of that EXECUTE that it has changed something
    ),
    Regression(
        "trackers_set_in_a_transaction",
        "the router's own value of one that the statement does not speak of was taken for the client's",
        (
            Query("BEGIN"),
            Query("SET session_track_system_variables = 'sql_mode,time_zone'"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("COMMIT"),
            Query("INSERT INTO t (a) VALUES (1)"),
        ),
        TRACKING,
    ),
    Regression(
        "trackers_after_a_change_of_user",
        "as above: COM_CHANGE_USER brings the defaults back",
        (
            Query("SET session_track_state_change = 1, session_track_schema = 0"),
            ChangeUser("{s}"),
            Query("SET @a = 1"),
            Query("USE {o}"),
            Query("SHOW SESSION VARIABLES LIKE 'session%'"),
        ),
        TRACKING,
    ),
    Regression(
        "transactions_in_eofs",
        "an EOF packet says that something has changed, where the client asked for that",
        (
            Query("SET session_track_transaction_info = STATE"),
            Query("BEGIN"),
            Query("SELECT a FROM t"),
            Query("COMMIT"),
        ),
        TRACKING_EOFS,
    ),
    Regression(
        "trackers_of_a_client_that_is_told_nothing",
        "without CLIENT_SESSION_TRACK they can be set all the same",
        (
            Query("SET session_track_state_change = 1, session_track_system_variables = '*'"),
            Query("SET sql_safe_updates = 1"),
            Query("SELECT @@session_track_system_variables"),
            Query("INSERT INTO t (a) VALUES (1)"),
        ),
    ),
    Regression(
        "replace_after_a_change_of_user",
        "MySQL checks a foreign key in a REPLACE after a reset or a change of user, and not after a login",
        (
            ChangeUser("{s}"),
            Query("INSERT INTO child VALUES (5, 2)"),
            Query("REPLACE INTO t (id, b) VALUES (2, 'x')"),
        ),
        flavors=(Flavor.MYSQL,),
        missing="COM_CHANGE_USER is a new login on the servers",
    ),
    Regression(
        "tracked_variables_by_execute",
        "a list of variables that a text EXECUTE, or a procedure, sets is not reported by the server",
        (
            Query("PREPARE s FROM 'SET session_track_system_variables = \"sql_mode\"'"),
            Query("EXECUTE s"),
            Query("SET sql_mode = ''"),
        ),
        TRACKING,
        missing="session_track_system_variables set by EXECUTE or in a procedure",
    ),
    Regression(
        "all_gtids_at_once",
        "MySQL reports all GTIDs in the reply to the SET, but only where no GTIDs were tracked before",
        (Query("SET session_track_gtids = ALL_GTIDS"),),
        TRACKING,
        (Flavor.MYSQL,),
        "the first report of ALL_GTIDS",
    ),
    Regression(
        "insert_id_and_counts_in_one_statement",
        "LAST_INSERT_ID() is the primary's, ROW_COUNT() and FOUND_ROWS() are of the read on a replica",
        (
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("SELECT id FROM t WHERE id < 3"),
            Query("SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()"),
        ),
    ),
    Regression(
        "ignore_space_after_a_change_of_user",
        "MariaDB forgets CLIENT_IGNORE_SPACE in COM_CHANGE_USER; connections opened later had it in their sql_mode",
        (ChangeUser("{s}"), Query("SELECT @@sql_mode"), Query("INSERT INTO t (b) VALUES (@@sql_mode)")),
        Greeted(ALWAYS | flags.CLIENT_IGNORE_SPACE),
        flavors=(Flavor.MARIADB,),
    ),
    Regression(
        "prepared_question_after_a_change_of_character_set",
        "a prepared SHOW WARNINGS behind a read on a replica got error 9603, because it can't be prepared anew there",
        (
            Prepare(1, "SHOW WARNINGS"),
            Query("SET CHARACTER SET latin1"),
            Query("SELECT id FROM t WHERE b = 'x' ORDER BY id LIMIT 6"),
            Execute(1),
        ),
    ),
    Regression(
        "found_rows_behind_an_error",
        "a statement that fails leaves FOUND_ROWS() as it was; it was asked of the connection that failed",
        (
            Query("SELECT id FROM t LIMIT 2"),
            Query("DEALLOCATE PREPARE nothing"),
            Query("SELECT FOUND_ROWS()"),
        ),
    ),
    Regression(
        "schema_after_a_procedure_that_failed",
        "its result told the schema that it runs in; that an error leaves it is not told: rows of another table",
        (
            Query("USE {o}"),
            Query("CALL {s}.two(2147483647, @o)"),
            Query("SELECT DATABASE()"),
            Query("SELECT a FROM t"),
            Query("CALL {s}.two(1, @o)"),
            Query("SELECT DATABASE()"),
            Query("SELECT a FROM t"),
        ),
        Greeted(ALWAYS | flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_MULTI_STATEMENTS),
    ),
    Regression(
        "variables_of_one_statement",
        "MariaDB tells the variables of a SET STATEMENT, and not that they are put back: they were set everywhere",
        (
            Query("SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT \"id\" FROM t ORDER BY id"),
            Query("SELECT LAST_INSERT_ID(300)"),
            Query('SELECT @@sql_mode, "x"'),
            Query(
                "SET STATEMENT sql_mode = 'ANSI_QUOTES', time_zone = '+03:00' FOR INSERT INTO t (a) VALUES (1)"
            ),
            Query('SELECT @@sql_mode, @@time_zone, "x" FROM t'),
        ),
        TRACKING,
        (Flavor.MARIADB,),
    ),
    Regression(
        "several_statements_after_a_change_of_user",
        "what COM_SET_OPTION has switched off or on was as at the login again",
        (Command("COM_SET_OPTION", "\0\0"), ChangeUser("{s}"), Query("SELECT 1; SELECT 2")),
    ),
    Regression(
        "one_statement_after_a_change_of_user",
        "as above, the other way round",
        (Command("COM_SET_OPTION", "\1\0"), ChangeUser("{s}"), Query("SELECT 1; SELECT 2")),
        Greeted(ALWAYS | flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_MULTI_STATEMENTS),
    ),
    Regression(
        "prepare_in_a_reading_transaction",
        "a prepared read took the transaction from its replica to the primary, with another view of the data",
        (
            Query("START TRANSACTION READ ONLY"),
            Query("SELECT COUNT(*) FROM t"),
            Prepare(2, "SELECT id FROM t WHERE id > ? ORDER BY id"),
            Query("SELECT ROW_COUNT()"),
            Execute(2, (1,)),
            Query("COMMIT"),
            Execute(2, (2,)),
            Query("USE {o}"),
            Execute(2, (2,)),
        ),
    ),
    Regression(
        "cursor_closed_by_an_execution",
        "a cursor on one server stayed open for the client where the statement was executed again on another",
        (
            Prepare(2, "SELECT * FROM u ORDER BY id"),
            Execute(2, cursor=True),
            Execute(2),
            Fetch(2, 1),
            Execute(2, cursor=True),
            Execute(2),
            Fetch(2, 1),
        ),
    ),
    Regression(
        "collation_behind_a_tracker",
        "the collation of SET NAMES was not asked for any more where a session_track_* was set before the next read",
        (
            Query("SET NAMES utf8mb4 COLLATE utf8mb4_bin"),
            Query("SET session_track_state_change = 0"),
            Query("SELECT @@collation_connection, 'a' = 'A' FROM t"),
            Query("SELECT @@collation_connection, 'a' = 'A' FROM t"),
        ),
    ),
    Regression(
        "long_data_while_a_cursor_is_open",
        "long data went to the replica that had the cursor, and the execution to the primary, without it",
        (
            Prepare(2, "SELECT b, ? FROM t WHERE b = ? ORDER BY id"),
            Execute(2, ("x", "one"), cursor=True),
            LongData(2, 1, b"zwei"),
            Execute(2, ("x", "one")),
        ),
    ),
    Regression(
        "cursor_from_before_a_transaction",
        "fetching from a cursor on a replica, or closing it, ended the transaction for the router",
        (
            Prepare(1, "SELECT id FROM t ORDER BY id"),
            Execute(1, cursor=True),
            Query("BEGIN"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Fetch(1, 1),
            Query("SELECT COUNT(*) FROM t"),
            Reset(1),
            Query("SELECT COUNT(*) FROM t"),
            Query("ROLLBACK"),
            Query("SELECT COUNT(*) FROM t"),
        ),
    ),
    Regression(
        "cursor_from_before_another_mode",
        "closing a cursor on a replica took back NO_BACKSLASH_ESCAPES, which that replica had not got yet",
        (
            Prepare(1, "SELECT id FROM t ORDER BY id"),
            Execute(1, cursor=True),
            Query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'"),
            Reset(1),
            Query("SELECT 'back\\slash' FROM t"),
        ),
    ),
    Regression(
        "chained_transaction_left_on_a_replica",
        "a reading transaction that moved to the primary, with completion_type = 1, began another on its replica",
        (
            Query("SET completion_type = 1"),
            Query("START TRANSACTION READ ONLY"),
            Query("SELECT COUNT(*) FROM t"),
            Query("CREATE TABLE IF NOT EXISTS w9 (id INT)"),
            Query("SET completion_type = 0"),
            Query("INSERT INTO t (a) VALUES (5)"),
            Query("SELECT COUNT(*) FROM t"),
            Query("INSERT INTO t (a) VALUES (5)"),
            Query("SELECT COUNT(*) FROM t"),
            Query("SELECT COUNT(*) FROM t"),
        ),
    ),
    Regression(
        "another_collation_of_the_same_character_set",
        "SET NAMES with the character set that was set already, and another collation, did not reach other servers",
        (
            Query("SET NAMES utf8mb4"),
            Query("SELECT 'a' = 'A' FROM t"),
            Query("SELECT 'a' = 'A' FROM t"),
            Query("SET NAMES utf8mb4 COLLATE utf8mb4_bin"),
            Query("SELECT 'a' = 'A' FROM t"),
            Query("SELECT 'a' = 'A' FROM t"),
            Query("SET NAMES utf8mb4"),
            Query("SELECT 'a' = 'A' FROM t"),
            Query("SELECT 'a' = 'A' FROM t"),
        ),
    ),
    Regression(
        "variables_beside_those_of_one_statement",
        "a variable that was set in the packet of a SET STATEMENT did not reach the other servers",
        (
            Query(
                "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT \"id\" FROM t; SET sql_select_limit = 2; SELECT 1"
            ),
            Query("SELECT id FROM t ORDER BY id"),
            Query('SELECT "x" FROM t'),
        ),
        Greeted(ALWAYS | flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_MULTI_STATEMENTS),
        (Flavor.MARIADB,),
    ),
    Regression(
        "count_behind_an_option",
        "ROW_COUNT() behind COM_SET_OPTION, which tells a replica's warnings, was that of the DO before",
        (
            Query("SELECT id FROM t ORDER BY id"),
            Query("DO 1"),
            Command("COM_SET_OPTION", "\1\0"),
            Query("INSERT INTO t (a) SELECT ROW_COUNT()"),
            Query("SELECT a FROM t ORDER BY id"),
        ),
    ),
    Regression(
        "own_write_by_a_view",
        "a view calls a function that writes: the EOF of its SELECT, once known as a write, told no GTID",
        (
            Query("SELECT * FROM vw"),
            Query("SELECT COUNT(*) FROM t"),
            Query("SELECT * FROM vw"),
            Query("SELECT COUNT(*) FROM t"),
            Query("SELECT * FROM vw"),
            Query("SELECT COUNT(*) FROM t"),
            Query("SELECT * FROM vw"),
            Query("SELECT COUNT(*) FROM t"),
        ),
        EOFS,
    ),
    Regression(
        "types_behind_attributes",
        "an execution without types was told those of the attributes of the execution before, and bound a wrong value",
        (
            Prepare(2, "SELECT b, ? FROM t ORDER BY id"),
            Execute(2, ("é",), attributes=(("traceparent", "00-1"),)),
            Execute(2, ("one",), types=False),
            Execute(2, ("it's",), types=False),
        ),
        Greeted(ALWAYS | flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_QUERY_ATTRIBUTES),
        (Flavor.MYSQL,),
    ),
    Regression(
        "autocommit_before_an_error_in_the_same_packet",
        "that autocommit was off by a statement before the one that failed was not seen, and it was switched on again",
        (
            Query("SET autocommit = 0; INSERT INTO t (a) VALUES (1); SELECT * FROM nothing"),
            Query("SELECT COUNT(*) FROM t"),
            Query("ROLLBACK"),
            Query("SELECT COUNT(*) FROM t"),
        ),
        Greeted(ALWAYS | flags.CLIENT_DEPRECATE_EOF | flags.CLIENT_MULTI_STATEMENTS),
    ),
    Regression(
        "set_transaction_over_a_query_without_tables",
        "a SELECT from its own WITH does not use up SET TRANSACTION READ ONLY; it stayed behind on the primary",
        (
            Query("SET TRANSACTION READ ONLY"),
            Query("WITH r AS (SELECT 1 AS n) SELECT * FROM r"),
            Query("SELECT COUNT(*) FROM t"),
            Query("INSERT INTO t (a) VALUES (1)"),
        ),
    ),
    Regression(
        "count_behind_a_reset",
        "ROW_COUNT() behind COM_STMT_RESET was that of the read before",
        (
            Prepare(2, "SELECT id FROM t WHERE id >= ? ORDER BY id"),
            Query("SELECT id FROM t"),
            Reset(2),
            Query("SELECT ROW_COUNT()"),
        ),
    ),
    Regression(
        "found_rows_behind_a_write",
        "a write leaves FOUND_ROWS() as it was; it was asked of the write's connection",
        (
            Query("SELECT id FROM t LIMIT 2"),
            Query("INSERT INTO t (a) VALUES (1)"),
            Query("SET sql_notes = 1"),
            Query("SELECT FOUND_ROWS()"),
            Query("SELECT FOUND_ROWS()"),
        ),
    ),
    Regression(
        "found_rows_in_a_transaction",
        "FOUND_ROWS() of a read before BEGIN was asked of the transaction's connection",
        (
            Query("SELECT id FROM t LIMIT 2"),
            Query("BEGIN"),
            Query("SELECT FOUND_ROWS()"),
            Query("SELECT FOUND_ROWS()"),
            Query("COMMIT"),
        ),
    ),
    Regression(
        "counts_in_a_write",
        "ROW_COUNT() and FOUND_ROWS() in a write behind a replica's read were those of the primary's statement before",
        (
            Query("UPDATE t SET a = 5 WHERE id < 3"),
            Query("SELECT id FROM t LIMIT 2"),
            Query("INSERT INTO t (a) SELECT ROW_COUNT()"),
            Query("SELECT id FROM t LIMIT 3"),
            Query("INSERT INTO t (a) VALUES (FOUND_ROWS())"),
            Query("SELECT id FROM t WHERE id < 0"),
            Query("INSERT INTO t (a) VALUES (FOUND_ROWS())"),
            Query("SELECT id FROM t LIMIT 2"),
            Query("COMMIT"),
            Query("INSERT INTO t (a) SELECT ROW_COUNT()"),
            Query("SELECT a FROM t ORDER BY id"),
        ),
    ),
    Regression(
        "warnings_over_statements_without_tables",
        "MariaDB keeps the warnings of the statement before over one without tables; they were asked of its server",
        (
            Query("SELECT 1 / 0 FROM t"),
            Query("SET sql_notes = 1"),
            Query("BEGIN"),
            Query("COMMIT"),
            Query("SELECT 1"),
            Query("SHOW WARNINGS"),
            Query("SELECT @@warning_count"),
            Query("SELECT 1 / 0"),
            Query("SHOW COUNT(*) WARNINGS"),
        ),
    ),
    Regression(
        "warnings_told_by_commands",
        "COM_INIT_DB and COM_SET_OPTION tell the warnings of the statement before; another connection's were told",
        (
            Query("SELECT 1 / 0 FROM t"),
            Command("COM_INIT_DB", "{s}"),
            Command("COM_PING"),
            Command("COM_SET_OPTION", "\1\0"),
            Query("SHOW WARNINGS"),
            Query("SELECT 1 / 0 FROM t"),
            Command("COM_INIT_DB", "{o}"),
            Query("INSERT INTO far VALUES (7)"),
            Query("SELECT * FROM far ORDER BY id"),
        ),
    ),
    Regression(
        "warnings_joined_by_an_unknown_statement",
        "the error of an unknown statement or command joins the warnings of the statement before, on MySQL",
        (
            Query("SELECT 1 / 0 FROM t"),
            Execute(0, (1,)),
            Query("SHOW WARNINGS"),
            Query("SELECT 1 / 0 FROM t"),
            Command("COM_TIME"),
            Query("SHOW WARNINGS"),
        ),
    ),
    Regression(
        "collation_of_results",
        "MariaDB names the collation of SET NAMES in column definitions; a connection brought to the state has another",
        (
            Query("SET NAMES utf8mb4 COLLATE utf8mb4_bin"),
            Query("SELECT b FROM t ORDER BY id"),
            Query("SELECT b FROM t ORDER BY id"),
        ),
        flavors=(Flavor.MARIADB,),
    ),
    Regression(
        "type_of_a_variable_that_was_moved",
        "a user variable that GET DIAGNOSTICS did not set on a replica was set to NULL when moved",
        (
            Query("SELECT id FROM t WHERE id = 2"),
            Query("GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT"),
            Query("SELECT @m"),
            Query("SET @m = 5"),
            Query("SELECT id FROM t WHERE id = 2"),
            Query("GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT"),
            Query("SELECT @m"),
        ),
    ),
    Regression(
        "type_of_a_variable_that_is_null",
        "a user variable keeps its type when it is set to NULL; moved from a replica, it had none",
        (
            Query("START TRANSACTION READ ONLY"),
            Query("SELECT a FROM t"),
            Query(
                "SET @d = 1.5, @d = NULL, @u = CAST(1 AS UNSIGNED), @u = NULL, @f = 1e0, @f = NULL, @i = 1, @i = NULL"
            ),
            Query("SET @s = _latin1'x' COLLATE latin1_bin, @s = NULL, @b = 0x61, @b = NULL, @n = NULL"),
            Query("COMMIT"),
            Query("SELECT @d, @u, @f, @i, @s, @b, @n"),
        ),
    ),
)
