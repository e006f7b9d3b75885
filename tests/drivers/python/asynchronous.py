"""Programs of the asyncio drivers: aiomysql and asyncmy.

usage: python -m tests.drivers.python.asynchronous aiomysql|asyncmy
"""

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from pymysql.constants import CLIENT

from tests.drivers.python import program as p
from tests.drivers.python.program import Absent

NAME = sys.argv[1]
driver = import_module(NAME)
cursors = import_module(f"{NAME}.cursors")
errors = import_module("pymysql.err" if NAME == "aiomysql" else "asyncmy.errors")

# aiomysql 0.3 fails on a parameter of type bytes since PyMySQL 1.2: they go in as hexadecimal digits.
ROW = tuple(value.hex() if isinstance(value, bytes) else value for value in p.ROW)
PLACES = ", ".join("UNHEX(%s)" if isinstance(value, bytes) else "%s" for value in p.ROW)
NO_PREPARED = "the driver has no prepared statements: it puts parameters into the text"


async def connect(**options: Any) -> Any:
    """Connect; *options*: tls, found_rows, statements (many in one), and the driver's own."""
    flags = CLIENT.FOUND_ROWS if options.pop("found_rows", False) else 0
    flags |= CLIENT.MULTI_STATEMENTS if options.pop("statements", False) else 0
    if options.pop("tls", False):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        options["ssl"] = context
    how = {
        "host": p.HOST,
        "port": p.PORT,
        "user": p.USER,
        "password": p.PASSWORD,
        "db": p.SCHEMA,
        "charset": "utf8mb4",
        "autocommit": True,
        "local_infile": True,
        "client_flag": flags,
    }
    return await driver.connect(**how | options)


@asynccontextmanager
async def connected(**options: Any) -> Any:
    """Connect, and close."""
    connection = await connect(**options)
    try:
        yield connection
    finally:
        connection.close()


async def step(name: str, take: Callable[[], Awaitable[Any]]) -> None:
    """Take a step and say what it saw."""
    try:
        p.say(step=name, saw=p.plain(await take()))
    except Absent as reason:
        p.say(step=name, absent=str(reason))
    except Exception as failure:  # noqa: BLE001 -- whatever it is, the other steps are worth seeing
        p.say(step=name, saw={"unexpected": f"{type(failure).__name__}: {failure}"})


async def ask(connection: Any, sql: str, arguments: Any = None) -> Any:
    """Run one statement; return its rows, or how many it affected."""
    async with connection.cursor() as cursor:
        await cursor.execute(sql, arguments)
        return list(await cursor.fetchall()) if cursor.description else cursor.rowcount


async def results(connection: Any, sql: str) -> Any:
    """Run *sql*; return each of its results."""
    async with connection.cursor() as cursor:
        await cursor.execute(sql)
        seen = []
        while True:
            seen.append(list(await cursor.fetchall()) if cursor.description else cursor.rowcount)
            if not await cursor.nextset():
                return seen


async def failing(work: Awaitable[Any]) -> Any:
    """Do what must fail; return the error."""
    try:
        return {"unexpected": p.plain(await work)}
    except errors.MySQLError as error:
        return p.error(error.args[0], error.args[1])


async def refused(**options: Any) -> Any:
    """Connect where that must fail; return the error."""
    return await failing(connect(**options))


class Steps:
    """The steps, in order, on one connection *db* and others where they are needed."""

    def __init__(self, db: Any) -> None:
        self.db = db

    def ask(self, sql: str, arguments: Any = None) -> Awaitable[Any]:
        return ask(self.db, sql, arguments)

    async def asks(self, *statements: str | tuple[str, Any]) -> list[Any]:
        """Run statements one after the other; return what each of them gives."""
        return [await (self.ask(one) if isinstance(one, str) else self.ask(*one)) for one in statements]

    async def connect(self) -> None:
        await step("connect.plain", lambda: self.ask(p.CHARSETS))

        async def socket() -> Any:
            async with connected(unix_socket=p.SOCKET) as local:
                return await ask(local, "SELECT DATABASE(), USER() LIKE 'app@%'")

        await step("connect.socket", socket)
        await step("connect.wrong_password", lambda: refused(password="wrong"))
        await step("connect.unknown_schema", lambda: refused(db="nowhere_at_all"))

        async def server_version() -> Any:
            return self.db.get_server_info()

        await step("connect.version", server_version)

        async def tls() -> Any:
            async with connected(tls=True) as secure:
                return await ask(secure, "SELECT 1")

        await step("connect.tls", tls)

    async def text(self) -> None:
        insert = f"INSERT INTO kinds ({p.COLUMNS}) VALUES ({PLACES})"
        read = f"SELECT {p.COLUMNS} FROM kinds WHERE id = %s"
        await step("text.tables", lambda: self.asks(*p.TABLES))
        await step("text.insert", lambda: self.ask(insert, ROW))
        await step("text.types", lambda: self.ask(read, (1,)))
        await step("text.nulls", lambda: self.asks((insert, p.NULLS), (read, (2,))))

        async def columns() -> Any:
            async with self.db.cursor() as cursor:
                await cursor.execute("SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1")
                await cursor.fetchall()
                return [column[:2] for column in cursor.description]

        await step("text.columns", columns)
        empty = ("SELECT id FROM kinds WHERE id = 99", "UPDATE kinds SET tiny = 1 WHERE id = 99")
        await step("text.empty", lambda: self.asks(*empty))
        places = ", ".join(["%s"] * len(p.LITERALS))
        await step("text.literals", lambda: self.ask(f"SELECT {places}", p.LITERALS))

        async def unprepared() -> Any:
            raise Absent(NO_PREPARED)

        for name in ("insert", "types", "nulls", "again", "errors"):
            await step(f"prepared.{name}", unprepared)

    async def bulk(self) -> None:
        async def rows() -> Any:
            async with self.db.cursor() as cursor:
                await cursor.executemany(
                    "INSERT INTO bulk (n, word) VALUES (%s, %s)", [(n, f"wört 🐬 {n}") for n in range(1000)]
                )
                return [cursor.rowcount, await self.ask("SELECT COUNT(*), SUM(n), MAX(word) FROM bulk")]

        await step("bulk.insert", rows)

        async def big() -> Any:
            affected = await self.ask(
                "INSERT INTO files VALUES (1, UNHEX(%s))", ((bytes(range(256)) * 4096).hex(),)
            )
            return [affected, p.digest((await self.ask("SELECT content FROM files WHERE id = 1"))[0][0])]

        await step("bulk.blob", big)

        async def insert_id() -> Any:
            async with self.db.cursor() as cursor:
                await cursor.execute("INSERT INTO items (name) VALUES ('one'), ('two'), ('three')")
                return [cursor.rowcount, cursor.lastrowid]

        await step("counts.insert_id", insert_id)
        await step("counts.last_insert_id", lambda: self.ask("SELECT LAST_INSERT_ID()"))
        update = "UPDATE items SET amount = %s WHERE id = 1"
        await step("counts.changed", lambda: self.asks((update, (0,)), (update, (5,))))

        async def found() -> Any:
            async with connected(found_rows=True) as counting:
                return await ask(counting, update, (5,))

        await step("counts.found", found)
        upsert = "INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7"
        await step("counts.upsert", lambda: self.ask(upsert))
        counted = ("UPDATE items SET amount = amount + 1", "SELECT ROW_COUNT()")
        await step("counts.row_count", lambda: self.asks(*counted))

    async def transactions(self) -> None:
        db = self.db
        count = "SELECT COUNT(*) FROM items"

        async def commit() -> Any:
            async with connected() as witness:
                await db.begin()
                inserted = await self.ask("INSERT INTO items (name) VALUES ('committed')")
                before = await ask(witness, p.COMMITTED)
                await db.commit()
                return [inserted, before, await ask(witness, p.COMMITTED + " LOCK IN SHARE MODE")]

        await step("transaction.commit", commit)

        async def rollback() -> Any:
            await db.begin()
            inside = await self.asks("INSERT INTO items (name) VALUES ('gone')", count)
            await db.rollback()
            return [inside, await self.ask(count)]

        await step("transaction.rollback", rollback)

        async def savepoint() -> Any:
            await db.begin()
            inside = await self.asks(
                "INSERT INTO items (name) VALUES ('kept')",
                "SAVEPOINT here",
                "INSERT INTO items (name) VALUES ('undone')",
                count,
                "ROLLBACK TO SAVEPOINT here",
            )
            await db.commit()
            return [inside, await self.ask(count)]

        await step("transaction.savepoint", savepoint)

        async def autocommit_off() -> Any:
            await db.autocommit(False)
            inside = await self.asks("INSERT INTO items (name) VALUES ('unfinished')", count)
            await db.rollback()
            outside = await self.ask(count)
            await db.commit()
            await db.autocommit(True)
            return [inside, outside, await self.ask("SELECT @@autocommit")]

        await step("transaction.autocommit_off", autocommit_off)
        name = "@@tx_isolation" if p.IS_MARIADB else "@@transaction_isolation"
        isolation = (
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            f"SELECT {name}",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            f"SELECT {name}",
        )
        await step("transaction.isolation", lambda: self.asks(*isolation))

        async def read_only() -> Any:
            await self.ask("START TRANSACTION READ ONLY")
            seen = await failing(self.ask("INSERT INTO items (name) VALUES ('refused')"))
            await db.rollback()
            return seen

        await step("transaction.read_only", read_only)
        reads = ("START TRANSACTION READ ONLY", count, "SELECT MAX(id) FROM items", "COMMIT")
        await step("transaction.read_only_reads", lambda: self.asks(*reads))

    async def errors(self) -> None:
        for name, sql in p.ERRORS.items():
            await step(name, lambda sql=sql: failing(self.ask(sql)))  # type: ignore[misc]

        async def locked() -> Any:
            async with connected() as holder:
                await holder.begin()
                await ask(holder, "SELECT id FROM items WHERE id = 1 FOR UPDATE")
                seen = await failing(self.ask("SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT"))
                await holder.rollback()
                return seen

        await step("error.locked", locked)

        async def deadlock() -> Any:
            async with connected() as heavy, connected() as light:
                await heavy.begin()
                await ask(heavy, "UPDATE bulk SET word = 'heavy' WHERE n < 500")
                await light.begin()
                await ask(light, "UPDATE items SET amount = 50 WHERE id = 1")
                won, seen = await asyncio.gather(
                    ask(heavy, "UPDATE items SET amount = 60 WHERE id = 1"),
                    failing(ask(light, "UPDATE bulk SET word = 'light' WHERE n = 1")),
                )
                await heavy.rollback()
                await light.rollback()
                return [seen, won]

        await step("error.deadlock", deadlock)
        await step("error.after", lambda: self.ask("SELECT 1"))
        cut = "INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))"
        await step("warning.write", lambda: self.asks(cut, "SHOW WARNINGS"))
        await step("warning.read", lambda: self.asks("SELECT CAST('12x' AS SIGNED)", "SHOW WARNINGS"))

    async def routines(self) -> None:
        async def out() -> Any:
            async with self.db.cursor() as cursor:
                await cursor.callproc("add_up", (2, 3, None, None))
                await cursor.execute("SELECT @_add_up_2, @_add_up_3")
                return await cursor.fetchall()

        await step("routine.out", out)
        await step("routine.results", lambda: results(self.db, "CALL two_results(7)"))
        await step("routine.function", lambda: self.ask("SELECT twice(21)"))

        async def statements() -> Any:
            sql = "SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2"
            async with connected(statements=True) as many:
                return await results(many, sql)

        await step("routine.statements", statements)

        async def rows() -> Any:
            count = numbers = 0
            async with self.db.cursor(cursors.SSCursor) as cursor:
                await cursor.execute(p.PORTIONS)
                while (row := await cursor.fetchone()) is not None:
                    count, numbers = count + 1, numbers + sum(row)
            return [count, numbers]

        await step("stream.rows", rows)

        async def cursor() -> Any:
            raise Absent("the driver has no server-side cursors")

        await step("stream.cursor", cursor)
        load = f"LOAD DATA LOCAL INFILE '{p.INFILE}' INTO TABLE loaded CHARACTER SET utf8mb4"
        checked = "SELECT COUNT(*), SUM(n), MAX(word) FROM loaded"

        async def infile() -> Any:
            if NAME == "asyncmy":
                raise Absent("the driver fails on a type error of its own, without a router too")
            return await self.asks(load, checked)

        await step("infile.load", infile)

    async def session(self) -> None:
        db = self.db

        async def use() -> Any:
            await db.select_db(p.OTHER)
            other = [await self.ask("SELECT DATABASE()"), await failing(self.ask("SELECT * FROM items"))]
            await db.select_db(p.SCHEMA)
            return [*other, *await self.asks("SELECT DATABASE()", "SELECT COUNT(*) > 0 FROM items")]

        await step("session.use", use)
        variables = (
            "SET @mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'",
            'SELECT @mine, @@sql_mode, @@time_zone, "id" FROM items WHERE id = 1',
            "SET sql_mode = DEFAULT, time_zone = DEFAULT",
        )
        await step("session.variables", lambda: self.asks(*variables))

        async def temporary() -> Any:
            seen = await self.asks(
                "CREATE TEMPORARY TABLE mine AS SELECT id FROM items WHERE id < 3",
                "SELECT COUNT(*) FROM mine",
                "DROP TEMPORARY TABLE mine",
            )
            return [seen, await failing(self.ask("SELECT COUNT(*) FROM mine"))]

        await step("session.temporary", temporary)
        lock = f"{p.SCHEMA}_lock"
        locks = (
            f"SELECT GET_LOCK('{lock}', 5)",
            f"SELECT IS_USED_LOCK('{lock}') = CONNECTION_ID()",
            f"SELECT RELEASE_LOCK('{lock}')",
        )
        await step("session.lock", lambda: self.asks(*locks))
        await step("session.ping", lambda: db.ping(reconnect=False))

        async def no_reset() -> Any:
            raise Absent("the driver does not send COM_RESET_CONNECTION")

        async def no_change() -> Any:
            raise Absent("the driver does not send COM_CHANGE_USER")

        await step("session.reset", no_reset)
        await step("session.change_user", no_change)
        victim = await connect()

        async def killed() -> Any:
            await self.ask(f"KILL {victim.thread_id()}")
            for _ in range(2000):
                try:
                    await ask(victim, "SELECT 1")
                except (errors.MySQLError, OSError, RuntimeError):
                    return "lost"
                await asyncio.sleep(0.01)
            return "alive"

        await step("session.killed", killed)

        async def reconnect() -> Any:
            await victim.ping(reconnect=True)
            seen = [
                await ask(victim, "SELECT DATABASE()"),
                await ask(victim, "INSERT INTO items (name) VALUES ('again')"),
            ]
            victim.close()
            return seen

        await step("session.reconnect", reconnect)

        async def cancel() -> Any:
            async with connected() as sleeper:
                slept = asyncio.ensure_future(ask(sleeper, "SELECT SLEEP(30)"))
                while not slept.done():
                    await self.ask(f"KILL QUERY {sleeper.thread_id()}")
                    await asyncio.wait([slept], timeout=0.05)
                error = slept.exception()
                return p.error(*error.args[:2]) if error is not None else slept.result()

        await step("session.cancel", cancel)

    async def others(self) -> None:
        how = {"host": p.HOST, "port": p.PORT, "user": p.USER, "password": p.PASSWORD, "autocommit": True}
        pool = await driver.create_pool(minsize=1, maxsize=4, db=p.SCHEMA, charset="utf8mb4", **how)

        async def work(n: int) -> Any:
            async with pool.acquire() as connection:
                for row in range(5):
                    sql = "INSERT INTO items (name, amount) VALUES (%s, %s)"
                    await ask(connection, sql, (f"w{n}-{row}", n))
                return await ask(connection, "SELECT COUNT(*) FROM items WHERE name LIKE %s", (f"w{n}-%",))

        async def four() -> Any:
            return await asyncio.gather(*(work(n) for n in range(4)))

        await step("pool.four", four)

        async def reads() -> Any:
            sql = f"SELECT COUNT(*) >= 0 FROM bulk /* {p.MARKER} */"
            seen = []
            for _ in range(40):
                async with pool.acquire() as connection:
                    seen.append(await ask(connection, sql))
            return seen[-1]

        await step("pool.reads", reads)
        pool.close()
        await pool.wait_closed()


async def main() -> None:
    p.say(driver=NAME, version=version(NAME))
    async with connected() as db:
        steps = Steps(db)
        for take in (steps.connect, steps.text, steps.bulk, steps.transactions, steps.errors):
            await take()
        for take in (steps.routines, steps.session, steps.others):
            await take()


if __name__ == "__main__":
    asyncio.run(main())
