"""The common list: every step that each driver's program takes, in order, and what it must see where that is known.

A program prints one JSON object a line: first `{"driver": …, "version": …}`, then for each step
`{"step": NAME, "saw": VALUE}`, or `{"step": NAME, "absent": WHY}` where the driver has no such thing.
An error is `{"number": …, "sqlstate": …, "message": …}`, as far as the driver tells.
"""

from typing import Final, NamedTuple


class Step(NamedTuple):
    """One step: *feature* is its column in docs/drivers.md, *error* the number that it must end with."""

    name: str
    feature: str
    does: str
    error: int | None = None
    sqlstate: str | None = None


def _steps(feature: str, *steps: tuple[str, str] | tuple[str, str, int, str]) -> list[Step]:
    return [Step(name, feature, *rest) for name, *rest in steps]


STEPS: Final = [
    *_steps(
        "connect",
        ("connect.plain", "TCP without TLS: the current schema, and the four character sets of the session"),
        ("connect.socket", "a unix socket"),
        ("connect.wrong_password", "the server's refusal", 1045, "28000"),
        ("connect.unknown_schema", "the server's refusal", 1049, "42000"),
        ("connect.version", "the server's version, as the greeting tells it"),
    ),
    *_steps("TLS", ("connect.tls", "TCP with TLS, required by the client")),
    *_steps(
        "text",
        ("text.tables", "CREATE TABLE, PROCEDURE and FUNCTION"),
        ("text.insert", "a row of all types: affected rows"),
        ("text.types", "it is read back, each type in the language's own"),
        ("text.nulls", "a row of NULLs"),
        ("text.columns", "names and types of the columns"),
        ("text.empty", "no rows, and an UPDATE of none"),
        ("text.literals", "quotes, backslashes, percent signs and emoji, as parameters"),
    ),
    *_steps(
        "prepared",
        ("prepared.insert", "a row of all types by a prepared statement"),
        ("prepared.types", "it is read back by a prepared statement"),
        ("prepared.nulls", "NULL as a parameter and in the rows"),
        ("prepared.again", "one statement, executed with integers and NULL in turn"),
        ("prepared.errors", "a duplicate key", 1062, "23000"),
    ),
    *_steps(
        "bulk",
        ("bulk.insert", "1,000 rows by what the driver has for many rows"),
        ("bulk.blob", "a blob of 1 MB, there and back: its length and MD5"),
    ),
    *_steps(
        "counts",
        ("counts.insert_id", "the insert id, as the driver tells it"),
        ("counts.last_insert_id", "SELECT LAST_INSERT_ID()"),
        ("counts.changed", "affected rows of an UPDATE that changes nothing, then one row"),
        ("counts.found", "the same with CLIENT_FOUND_ROWS"),
        ("counts.upsert", "ON DUPLICATE KEY UPDATE counts two"),
        ("counts.row_count", "SELECT ROW_COUNT() after an UPDATE"),
    ),
    *_steps(
        "transactions",
        ("transaction.commit", "seen by another connection after COMMIT, not before"),
        ("transaction.rollback", "gone after ROLLBACK"),
        ("transaction.savepoint", "ROLLBACK TO SAVEPOINT"),
        ("transaction.autocommit_off", "autocommit off: written, read, rolled back, read again"),
        ("transaction.isolation", "the isolation level that was set, as the server has it"),
        ("transaction.read_only", "a write in a READ ONLY transaction", 1792, "25006"),
        ("transaction.read_only_reads", "reads in a READ ONLY transaction"),
    ),
    *_steps(
        "errors",
        ("error.duplicate", "duplicate key", 1062, "23000"),
        ("error.syntax", "syntax", 1064, "42000"),
        ("error.unknown_table", "unknown table, in a read", 1146, "42S02"),
        ("error.foreign_key", "foreign key", 1452, "23000"),
        ("error.too_long", "data too long, with é in the message's bytes", 1406, "22001"),
        ("error.signal", "SIGNAL in a procedure", 30001, "45000"),
        ("error.locked", "FOR UPDATE NOWAIT on a row that another transaction has locked"),
        ("error.deadlock", "two transactions that wait for each other: one is chosen", 1213, "40001"),
        ("error.after", "the connection goes on"),
    ),
    *_steps(
        "warnings",
        ("warning.write", "SHOW WARNINGS after an INSERT IGNORE that cuts"),
        ("warning.read", "SHOW WARNINGS after a read, on the server that answered it"),
    ),
    *_steps(
        "routines",
        ("routine.out", "a procedure's OUT parameters"),
        ("routine.results", "a procedure with two results"),
        ("routine.function", "a stored function"),
        ("routine.statements", "several statements in one, with results and a write between"),
    ),
    *_steps(
        "streaming",
        ("stream.rows", "30,000 rows, unbuffered: their number and sum"),
        ("stream.cursor", "a server-side cursor, fetched in portions"),
    ),
    *_steps("LOCAL INFILE", ("infile.load", "LOAD DATA LOCAL INFILE: rows loaded, then read")),
    *_steps(
        "session",
        ("session.use", "another schema, and back"),
        ("session.variables", "a user variable, sql_mode and time_zone, in later statements"),
        ("session.temporary", "a temporary table"),
        ("session.lock", "GET_LOCK, IS_USED_LOCK by its owner, RELEASE_LOCK"),
        ("session.ping", "ping"),
        ("session.reset", "COM_RESET_CONNECTION: variables and temporary tables are gone"),
    ),
    *_steps("change user", ("session.change_user", "COM_CHANGE_USER: the session is new")),
    *_steps(
        "reconnect",
        ("session.killed", "KILL by another connection: the next statement fails"),
        ("session.reconnect", "the driver's own reconnection, or a new connection"),
    ),
    *_steps("cancel", ("session.cancel", "KILL QUERY of a sleeping SELECT by its connection's id")),
    *_steps(
        "pool",
        ("pool.four", "four connections at once, of a pool where the driver has one, write and count"),
        ("pool.reads", "forty reads that the servers are asked for"),
    ),
]
