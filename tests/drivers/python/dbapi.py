"""Programs of the DB-API: PyMySQL, mysqlclient, Connector/Python (in Python, and in C), MariaDB Connector/Python.

usage: python -m tests.drivers.python.dbapi pymysql|mysqlclient|connector|connector-c|mariadb
"""

import sys

if "connector-c" in sys.argv:  # its wheel brings an OpenSSL, to be loaded before Python loads the system's
    import _mysql_connector  # noqa: F401

import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from tests.drivers.python import program as p
from tests.drivers.python.dbapi_drivers import DRIVERS, Driver, total
from tests.drivers.python.program import Absent, step

NO_PREPARED = "the driver has no prepared statements: it puts parameters into the text"


class Program:
    """The steps, in order, on one connection *db* and others where they are needed."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.db: Any = None

    def ask(self, sql: str, arguments: Any = None, connection: Any = None, **kind: Any) -> Any:
        """Run one statement; return its rows, or how many it affected."""
        cursor = (connection or self.db).cursor(**kind)
        try:
            cursor.execute(sql, arguments) if arguments is not None else cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else cursor.rowcount
        finally:
            cursor.close()

    def places(self, count: int) -> str:
        """Return the text of *count* parameters."""
        return ", ".join([self.driver.place] * count)

    def fails(self, sql: str, arguments: Any = None, connection: Any = None, **kind: Any) -> Any:
        """Run a statement that must fail; return the error."""
        try:
            return {"unexpected": self.ask(sql, arguments, connection, **kind)}
        except self.driver.module.Error as error:
            return self.driver.failure(error)

    def refused(self, **options: Any) -> Any:
        """Connect where that must fail; return the error."""
        try:
            self.driver.connect(**options).close()
        except self.driver.module.Error as error:
            return self.driver.failure(error)
        return {"unexpected": "a connection"}

    def run(self) -> None:
        p.say(driver=self.driver.module.__name__, version=self.driver.version())
        for take in (self.connect, self.text, self.prepared, self.bulk, self.counts, self.transactions):
            take()
        for take in (self.errors, self.warnings, self.routines, self.streaming, self.session, self.others):
            take()

    def connect(self) -> None:
        driver = self.driver
        self.db = driver.connect()
        step("connect.plain", lambda: self.ask(p.CHARSETS))

        def socket() -> Any:
            with closing(driver.connect(unix_socket=p.SOCKET)) as local:
                return self.ask("SELECT DATABASE(), USER() LIKE 'app@%'", None, local)

        step("connect.socket", socket)
        step("connect.wrong_password", lambda: self.refused(password="wrong", **driver.refusable))
        step("connect.unknown_schema", lambda: self.refused(database="nowhere_at_all", **driver.refusable))
        step("connect.version", lambda: driver.server_version(self.db))

        def secured() -> Any:
            with closing(driver.connect(tls=True)) as secure:
                return [driver.is_tls(secure), self.ask("SELECT 1", None, secure)]

        step("connect.tls", secured)

    def text(self) -> None:
        ask = self.ask
        step("text.tables", lambda: [ask(statement) for statement in p.TABLES])
        insert = f"INSERT INTO kinds ({p.COLUMNS}) VALUES ({self.places(len(p.ROW))})"
        read = f"SELECT {p.COLUMNS} FROM kinds WHERE id = {self.driver.place}"
        step("text.insert", lambda: ask(insert, p.ROW))
        step("text.types", lambda: ask(read, (1,)))
        step("text.nulls", lambda: [ask(insert, p.NULLS), ask(read, (2,))])

        def columns() -> Any:
            with closing(self.db.cursor()) as cursor:
                cursor.execute("SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1")
                cursor.fetchall()
                return self.driver.columns(cursor)

        step("text.columns", columns)
        step(
            "text.empty",
            lambda: [
                ask("SELECT id FROM kinds WHERE id = 99"),
                ask("UPDATE kinds SET tiny = 1 WHERE id = 99"),
            ],
        )
        step("text.literals", lambda: ask(f"SELECT {self.places(len(p.LITERALS))}", p.LITERALS))

    def prepared(self) -> None:
        kind, place = self.driver.prepared, self.driver.place

        def only(take: Callable[[dict[str, Any]], Any]) -> Callable[[], Any]:
            def taken() -> Any:
                if kind is None:
                    raise Absent(NO_PREPARED)
                return take(kind)

            return taken

        insert = f"INSERT INTO kinds ({p.COLUMNS}) VALUES ({self.places(len(p.ROW))})"
        read = f"SELECT {self.driver.readable(p.COLUMNS)} FROM kinds WHERE id = {place}"
        row = self.driver.bound(p.ROW)
        step("prepared.insert", only(lambda kind: self.ask(insert, row, **kind)))
        step("prepared.types", only(lambda kind: self.ask(read, (3,), **kind)))
        step(
            "prepared.nulls",
            only(lambda kind: [self.ask(insert, p.NULLS, **kind), self.ask(read, (4,), **kind)]),
        )

        def again(kind: dict[str, Any]) -> Any:
            seen = []
            with closing(self.db.cursor(**kind)) as cursor:
                for parameters in ((1, 2), (3, 4), (5, 1), (None, 2)):
                    cursor.execute(f"SELECT {place}, {place} * 2, id FROM kinds WHERE id = 1", parameters)
                    seen.append(list(cursor.fetchall()))
            return seen

        step("prepared.again", only(again))
        twice = f"INSERT INTO kinds (id) VALUES ({place})"
        step("prepared.errors", only(lambda kind: self.fails(twice, (1,), **kind)))

    def bulk(self) -> None:
        place = self.driver.place

        def rows() -> Any:
            with closing(self.db.cursor()) as cursor:
                cursor.executemany(
                    f"INSERT INTO bulk (n, word) VALUES ({place}, {place})",
                    [(n, f"wört 🐬 {n}") for n in range(1000)],
                )
                return [cursor.rowcount, self.ask("SELECT COUNT(*), SUM(n), MAX(word) FROM bulk")]

        step("bulk.insert", rows)
        blob = bytes(range(256)) * 4096

        def big() -> Any:
            insert = f"INSERT INTO files VALUES (1, {place})"
            affected = self.ask(insert, (blob,))
            return [affected, p.digest(self.ask("SELECT content FROM files WHERE id = 1")[0][0])]

        step("bulk.blob", big)

    def counts(self) -> None:
        ask = self.ask

        def insert_id() -> Any:
            with closing(self.db.cursor()) as cursor:
                cursor.execute("INSERT INTO items (name) VALUES ('one'), ('two'), ('three')")
                return [cursor.rowcount, cursor.lastrowid]

        step("counts.insert_id", insert_id)
        step("counts.last_insert_id", lambda: ask("SELECT LAST_INSERT_ID()"))
        same, other = "UPDATE items SET amount = 0 WHERE id = 1", "UPDATE items SET amount = 5 WHERE id = 1"
        step("counts.changed", lambda: [ask(same), ask(other)])

        def found() -> Any:
            with closing(self.driver.connect(found_rows=True)) as counting:
                return [ask("UPDATE items SET amount = 5 WHERE id = 1", None, counting)]

        step("counts.found", found)
        upsert = "INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7"
        step("counts.upsert", lambda: ask(upsert))
        step(
            "counts.row_count",
            lambda: [ask("UPDATE items SET amount = amount + 1"), ask("SELECT ROW_COUNT()")],
        )

    def transactions(self) -> None:
        ask, db = self.ask, self.db
        count = "SELECT COUNT(*) FROM items"

        def commit() -> Any:
            with closing(self.driver.connect()) as witness:
                db.begin() if hasattr(db, "begin") else ask("START TRANSACTION")
                inserted = ask("INSERT INTO items (name) VALUES ('committed')")
                before = ask(p.COMMITTED, None, witness)
                db.commit()
                return [inserted, before, ask(p.COMMITTED + " LOCK IN SHARE MODE", None, witness)]

        step("transaction.commit", commit)

        def rollback() -> Any:
            ask("START TRANSACTION")
            ask("INSERT INTO items (name) VALUES ('gone')")
            inside = ask(count)
            db.rollback()
            return [inside, ask(count)]

        step("transaction.rollback", rollback)

        def savepoint() -> Any:
            ask("START TRANSACTION")
            ask("INSERT INTO items (name) VALUES ('kept')")
            ask("SAVEPOINT here")
            ask("INSERT INTO items (name) VALUES ('undone')")
            inside = ask(count)
            ask("ROLLBACK TO SAVEPOINT here")
            db.commit()
            return [inside, ask(count)]

        step("transaction.savepoint", savepoint)

        def autocommit_off() -> Any:
            self.autocommit(False)
            ask("INSERT INTO items (name) VALUES ('unfinished')")
            inside = ask(count)
            db.rollback()
            outside = ask(count)
            db.commit()
            self.autocommit(True)
            return [inside, outside, ask("SELECT @@autocommit")]

        step("transaction.autocommit_off", autocommit_off)
        name = "@@transaction_isolation" if not p.IS_MARIADB else "@@tx_isolation"

        def isolation() -> Any:
            ask("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            one = ask(f"SELECT {name}")
            ask("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return [one, ask(f"SELECT {name}")]

        step("transaction.isolation", isolation)

        def read_only() -> Any:
            ask("START TRANSACTION READ ONLY")
            seen = self.fails("INSERT INTO items (name) VALUES ('refused')")
            db.rollback()
            return seen

        step("transaction.read_only", read_only)

        def read_only_reads() -> Any:
            ask("START TRANSACTION READ ONLY")
            seen = [ask(count), ask("SELECT MAX(id) FROM items")]
            db.commit()
            return seen

        step("transaction.read_only_reads", read_only_reads)

    def autocommit(self, on: bool) -> None:
        """Switch autocommit as the driver does it."""
        if callable(self.db.autocommit):
            self.db.autocommit(on)
        else:
            self.db.autocommit = on

    def errors(self) -> None:
        fails, ask, driver = self.fails, self.ask, self.driver
        for name, sql in p.ERRORS.items():
            step(name, lambda sql=sql: fails(sql))  # type: ignore[misc]

        def locked() -> Any:
            with closing(driver.connect()) as holder:
                ask("START TRANSACTION", None, holder)
                ask("SELECT id FROM items WHERE id = 1 FOR UPDATE", None, holder)
                seen = fails("SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT")
                holder.rollback()
                return seen

        step("error.locked", locked)

        def deadlock() -> Any:
            with closing(driver.connect()) as heavy, closing(driver.connect()) as light:
                ask("START TRANSACTION", None, heavy)
                ask("UPDATE bulk SET word = 'heavy' WHERE n < 500", None, heavy)
                ask("START TRANSACTION", None, light)
                ask("UPDATE items SET amount = 50 WHERE id = 1", None, light)
                won: list[Any] = []
                wait = ("UPDATE items SET amount = 60 WHERE id = 1", None, heavy)
                other = threading.Thread(target=lambda: won.append(ask(*wait)))
                other.start()
                seen = fails("UPDATE bulk SET word = 'light' WHERE n = 1", None, light)
                other.join()
                heavy.rollback()
                light.rollback()
                return [seen, won]

        step("error.deadlock", deadlock)
        step("error.after", lambda: ask("SELECT 1"))

    def warnings(self) -> None:
        ask = self.ask
        cut = "INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))"
        step("warning.write", lambda: [ask(cut), ask("SHOW WARNINGS")])
        step("warning.read", lambda: [ask("SELECT CAST('12x' AS SIGNED)"), ask("SHOW WARNINGS")])

    def routines(self) -> None:
        def out() -> Any:
            with closing(self.db.cursor()) as cursor:
                return self.driver.out(cursor)

        step("routine.out", out)

        def results() -> Any:
            with closing(self.db.cursor()) as cursor:
                return self.driver.results(cursor, "CALL two_results(7)")

        step("routine.results", results)
        step("routine.function", lambda: self.ask("SELECT twice(21)"))

        def statements() -> Any:
            sql = "SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2"
            with closing(self.driver.connect(statements=True)) as many, closing(many.cursor()) as cursor:
                return self.driver.results(cursor, sql)

        step("routine.statements", statements)

    def streaming(self) -> None:
        def rows() -> Any:
            with closing(self.db.cursor(**self.driver.stream)) as cursor:
                cursor.execute(p.PORTIONS)
                return total(iter(cursor.fetchone, None))

        step("stream.rows", rows)
        step("stream.cursor", lambda: self.driver.cursor_rows(self.db))
        step(
            "infile.load",
            lambda: [
                self.ask(f"LOAD DATA LOCAL INFILE '{p.INFILE}' INTO TABLE loaded CHARACTER SET utf8mb4"),
                self.ask("SELECT COUNT(*), SUM(n), MAX(word) FROM loaded"),
            ],
        )

    def session(self) -> None:
        ask, db, driver = self.ask, self.db, self.driver

        def use() -> Any:
            driver.use(db, p.OTHER)
            other = [ask("SELECT DATABASE()"), self.fails("SELECT * FROM items")]
            driver.use(db, p.SCHEMA)
            return [*other, ask("SELECT DATABASE()"), ask("SELECT COUNT(*) > 0 FROM items")]

        step("session.use", use)

        def variables() -> Any:
            ask("SET @mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'")
            seen = ask('SELECT @mine, @@sql_mode, @@time_zone, "id" FROM items WHERE id = 1')
            ask("SET sql_mode = DEFAULT, time_zone = DEFAULT")
            return seen

        step("session.variables", variables)

        def temporary() -> Any:
            ask("CREATE TEMPORARY TABLE mine AS SELECT id FROM items WHERE id < 3")
            seen = ask("SELECT COUNT(*) FROM mine")
            ask("DROP TEMPORARY TABLE mine")
            return [seen, self.fails("SELECT COUNT(*) FROM mine")]

        step("session.temporary", temporary)
        lock = f"{p.SCHEMA}_lock"
        step(
            "session.lock",
            lambda: [
                ask(f"SELECT GET_LOCK('{lock}', 5)"),
                ask(f"SELECT IS_USED_LOCK('{lock}') = CONNECTION_ID()"),
                ask(f"SELECT RELEASE_LOCK('{lock}')"),
            ],
        )
        step("session.ping", lambda: driver.ping(db))

        def renewed(renew: Callable[[Any], None]) -> Any:
            with closing(driver.connect()) as old:
                ask("SET @mine = 1, time_zone = '+05:00'", None, old)
                ask("CREATE TEMPORARY TABLE mine (a INT)", None, old)
                renew(old)
                state = ask("SELECT @mine, @@time_zone, DATABASE()", None, old)
                return [state, self.fails("SELECT * FROM mine", None, old), ask(p.CHARSETS, None, old)]

        step("session.reset", lambda: renewed(driver.reset))
        step("session.change_user", lambda: renewed(driver.change_user))

        victim = driver.connect()

        def killed() -> Any:
            ask("SELECT 1", None, victim)
            ask(f"KILL {driver.identity(victim)}")
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    ask("SELECT 1", None, victim)
                except driver.module.Error:
                    return "lost"
            return "alive"

        step("session.killed", killed)

        def reconnect() -> Any:
            with closing(driver.reconnect(victim)) as again:
                return [
                    ask("SELECT DATABASE()", None, again),
                    ask("INSERT INTO items (name) VALUES ('again')", None, again),
                ]

        step("session.reconnect", reconnect)

        def cancel() -> Any:
            with closing(driver.connect()) as sleeper:
                seen: list[Any] = []

                def sleep() -> None:
                    try:
                        seen.append(ask("SELECT SLEEP(30)", None, sleeper))
                    except driver.module.Error as error:
                        seen.append(driver.failure(error))

                identity = driver.identity(sleeper)
                other = threading.Thread(target=sleep)
                other.start()
                while other.is_alive():
                    ask(f"KILL QUERY {identity}")
                    other.join(0.05)
                return seen

        step("session.cancel", cancel)

    def others(self) -> None:
        def four() -> Any:
            connections = [self.driver.connect() for _ in range(4)]
            seen: list[Any] = [None] * 4

            def work(n: int) -> None:
                for row in range(5):
                    insert = f"INSERT INTO items (name, amount) VALUES ('w{n}-{row}', {n})"
                    self.ask(insert, None, connections[n])
                seen[n] = self.ask(
                    f"SELECT COUNT(*) FROM items WHERE name LIKE 'w{n}-%'", None, connections[n]
                )

            threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for connection in connections:
                connection.close()
            return seen

        step("pool.four", four)

        def reads() -> Any:
            with closing(self.driver.connect()) as reader:
                sql = f"SELECT COUNT(*) >= 0 FROM bulk /* {p.MARKER} */"
                return [self.ask(sql, None, reader) for _ in range(40)][-1]

        step("pool.reads", reads)
        self.db.close()


if __name__ == "__main__":
    Program(DRIVERS[sys.argv[1]]()).run()
