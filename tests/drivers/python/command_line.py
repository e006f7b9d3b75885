"""The program of the `mariadb` command-line client: each step is a script that it is given.

usage: python -m tests.drivers.python.command_line
"""

import re
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Any

from tests.drivers.python import program as p
from tests.drivers.python.program import say, step

PROGRAM = shutil.which("mariadb") or "mariadb"
ERROR = re.compile(r"ERROR (\d+) \((\w+)\)(?: at line \d+)?: (.*)", re.DOTALL)
# Each script is a session of its own: what one before it wrote may not be on every replica yet.
NEWEST = "/* rwrouter: consistency=global */"
TCP = (f"--host={p.HOST}", f"--port={p.PORT}", "--protocol=TCP")


def script(
    sql: str,
    *options: str,
    where: tuple[str, ...] = TCP,
    tls: str = "--skip-ssl",
    password: str = p.PASSWORD,
    schema: str = p.SCHEMA,
) -> Any:
    """Run *sql*; return what the client prints, or the error with which it ends."""
    login = (f"--user={p.USER}", f"--password={password}", "--default-character-set=utf8mb4")
    how = ("--batch", "--unbuffered", "--comments", "--local-infile=1", "--binary-as-hex")
    command = [PROGRAM, "--no-defaults", *where, *login, tls, *how, *options, schema]
    done = subprocess.run(command, input=sql.encode(), capture_output=True, check=False, timeout=60)
    if done.returncode == 0:
        return done.stdout.decode().splitlines()
    told = done.stderr.decode().strip()
    match = ERROR.search(told)
    return p.error(int(match[1]), match[3], match[2]) if match else {"unexpected": told}


def told(name: str, sql: str, *options: str, **how: Any) -> None:
    """Take a step that is one script."""
    step(name, lambda: script(sql, *options, **how))


def absent(*names: str, why: str) -> None:
    for name in names:
        say(step=name, absent=why)


def rollback(inside: str) -> str:
    return f"BEGIN; {inside}; SELECT COUNT(*) FROM items; ROLLBACK; SELECT {NEWEST} COUNT(*) FROM items;"


def cancel() -> Any:
    """Interrupt the client (Ctrl-C): it kills its query from a connection of its own."""
    login = (f"--user={p.USER}", f"--password={p.PASSWORD}", "--skip-ssl")
    command = [PROGRAM, "--no-defaults", *TCP, *login, "--batch", p.SCHEMA, "--execute", "SELECT SLEEP(30)"]
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        sleeper = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        while sleeper.poll() is None and time.monotonic() - began < 25:
            time.sleep(0.3)
            sleeper.send_signal(signal.SIGINT)
        sleeper.wait(40)
        return 1 if time.monotonic() - began < 25 else "slept"


def main() -> None:
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Distrib ([\d.]+)|from ([\d.]+)", version)
    say(driver="mariadb client", version=(found[1] or found[2]) if found else "unknown")
    told("connect.plain", p.CHARSETS)
    told(
        "connect.socket",
        "SELECT DATABASE(), USER() LIKE 'app@%'",
        where=(f"--socket={p.SOCKET}", "--protocol=SOCKET"),
    )
    told("connect.wrong_password", "SELECT 1", password="wrong")
    told("connect.unknown_schema", "SELECT 1", schema="nowhere_at_all")
    told("connect.version", "SELECT VERSION()")
    told("connect.tls", "SELECT 1", tls="--ssl")
    body = "\n//\n".join(p.TABLES)
    told("text.tables", f"DELIMITER //\n{body}\n//\n")
    values = ", ".join(
        f"0x{value.hex()}"
        if isinstance(value, bytes)
        else "NULL"
        if value is None
        else str(value)
        if isinstance(value, int | float)
        else "'-12:34:56.789012'"
        if value == p.ROW[10]
        else "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"
        for value in p.ROW
    )
    told("text.insert", f"INSERT INTO kinds ({p.COLUMNS}) VALUES ({values}); SELECT ROW_COUNT();")
    told("text.types", f"SELECT {NEWEST} {p.COLUMNS} FROM kinds WHERE id = 1")
    told("text.nulls", f"INSERT INTO kinds () VALUES (); SELECT {p.COLUMNS} FROM kinds WHERE id = 2")
    told("text.columns", f"SELECT {NEWEST} *, 1 + 1 AS two FROM kinds WHERE id = 1", "--column-type-info")
    told("text.empty", "SELECT id FROM kinds WHERE id = 99; UPDATE kinds SET tiny = 1 WHERE id = 99", "-vvv")
    told("text.literals", r"""SELECT '\'', '"', '\\', '%', '\\\'; -- ', '🐬', '`', ''""")
    prepared = [f"prepared.{name}" for name in ("insert", "types", "nulls", "again", "errors")]
    absent(*prepared, why="the client has text alone")
    rows = ", ".join(f"({n}, 'wört 🐬 {n}')" for n in range(1000))
    told(
        "bulk.insert",
        f"INSERT INTO bulk (n, word) VALUES {rows}; SELECT COUNT(*), SUM(n), MAX(word) FROM bulk;",
    )
    blob = (bytes(range(256)) * 4096).hex()
    told(
        "bulk.blob",
        f"INSERT INTO files VALUES (1, 0x{blob}); SELECT LENGTH(content), MD5(content) FROM files;",
    )
    told("counts.insert_id", "INSERT INTO items (name) VALUES ('one'), ('two'), ('three')", "-vvv")
    told("counts.last_insert_id", "INSERT INTO items (name) VALUES ('four'); SELECT LAST_INSERT_ID();")
    update = "UPDATE items SET amount = 0 WHERE id = 1; UPDATE items SET amount = 5 WHERE id = 1;"
    told("counts.changed", update, "-vv")
    absent("counts.found", why="the client never asks for found rows")
    told("counts.upsert", "INSERT INTO items (name) VALUES ('one') ON DUPLICATE KEY UPDATE amount = 7", "-vv")
    told("counts.row_count", "UPDATE items SET amount = amount + 1; SELECT ROW_COUNT();")
    told(
        "transaction.commit", f"BEGIN; INSERT INTO items (name) VALUES ('committed'); COMMIT; {p.COMMITTED};"
    )
    told("transaction.rollback", rollback("INSERT INTO items (name) VALUES ('gone')"))
    inner = (
        "INSERT INTO items (name) VALUES ('kept'); SAVEPOINT here; INSERT INTO items (name) VALUES ('undone')"
    )
    told(
        "transaction.savepoint",
        f"BEGIN; {inner}; ROLLBACK TO SAVEPOINT here; COMMIT; SELECT COUNT(*) FROM items;",
    )
    told(
        "transaction.autocommit_off",
        "SET autocommit = 0; " + rollback("INSERT INTO items (name) VALUES ('x')"),
    )
    name = "@@tx_isolation" if p.IS_MARIADB else "@@transaction_isolation"
    told("transaction.isolation", f"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT {name};")
    told("transaction.read_only", "START TRANSACTION READ ONLY; INSERT INTO items (name) VALUES ('refused');")
    told("transaction.read_only_reads", "START TRANSACTION READ ONLY; SELECT 1 FROM DUAL; COMMIT;")
    for error, sql in p.ERRORS.items():
        told(error, sql)
    absent("error.locked", "error.deadlock", why="a script has one connection")
    told("error.after", "SELEKT 1; SELECT 2;", "--force")
    told("warning.write", "INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30)); SHOW WARNINGS;")
    told("warning.read", "SELECT CAST('12x' AS SIGNED);", "--show-warnings", "-v")
    told("routine.out", "CALL add_up(2, 3, @total, @words); SELECT @total, @words;")
    told("routine.results", "CALL two_results(7);")
    told("routine.function", "SELECT twice(21)")
    several = "SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2"
    told("routine.statements", f"DELIMITER //\n{several}//\n")
    # A session sees its own writes; another's rows must not be missing here.
    seen = f"UPDATE bulk SET word = 'streamed' WHERE n = 1; SELECT COUNT(*), SUM(one + two) FROM ({p.PORTIONS}) all_;"
    told("stream.rows", seen.replace("b.n, a.n FROM", "b.n AS one, a.n AS two FROM"), "--quick")
    absent("stream.cursor", why="the client has no server-side cursors")
    load = f"LOAD DATA LOCAL INFILE '{p.INFILE}' INTO TABLE loaded CHARACTER SET utf8mb4"
    told("infile.load", f"{load}; SELECT COUNT(*), SUM(n), MAX(word) FROM loaded;", "-vv")
    told("session.use", f"USE {p.OTHER}\nSELECT DATABASE();\nUSE {p.SCHEMA}\nSELECT DATABASE();")
    settings = "SET @mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'"
    variables = f"{settings}; SELECT @mine, @@sql_mode, @@time_zone;"
    told("session.variables", variables)
    told(
        "session.temporary",
        "CREATE TEMPORARY TABLE mine (a INT); INSERT INTO mine VALUES (1); SELECT * FROM mine;",
    )
    lock = f"{p.SCHEMA}_lock"
    told("session.lock", f"SELECT GET_LOCK('{lock}', 5); SELECT RELEASE_LOCK('{lock}');")
    absent("session.ping", why="the client pings only in between what a person types")
    absent("session.reset", why="MariaDB's client sends no COM_RESET_CONNECTION")
    absent("session.change_user", "session.killed", why="a script has one connection")
    told("session.reconnect", "SET @mine = 1;\nCONNECT\nSELECT @mine, DATABASE();")
    step("session.cancel", cancel)
    absent("pool.four", why="a script has one connection")
    told("pool.reads", "\n".join([f"SELECT COUNT(*) >= 0 FROM bulk /* {p.MARKER} */;"] * 40))


if __name__ == "__main__":
    main()
