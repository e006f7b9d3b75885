"""Programs of SQLAlchemy's Core and ORM: on PyMySQL, and on asyncmy with its asyncio engine.

usage: python -m tests.drivers.python.sqlalchemy_program pymysql|asyncmy
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tests.drivers.python import program as p
from tests.drivers.python.program import say

DRIVER = sys.argv[1]
IS_ASYNC = DRIVER == "asyncmy"
LEFT = "left to the driver below"


class Base(DeclarativeBase):
    """The tables as objects."""


class Item(Base):
    """A row of `items`."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20), unique=True)
    amount: Mapped[int] = mapped_column(default=0)


class Engine:
    """An engine, sync or not: `run` gives work a sync connection, as `AsyncConnection.run_sync` does."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop, database: str = p.SCHEMA, **options: Any) -> None:
        name = "mariadb" if p.IS_MARIADB else "mysql"
        password = options.pop("password", p.PASSWORD)
        arguments = {"local_infile": True} | options.pop("connect_args", {})
        url = sa.URL.create(
            f"{name}+{DRIVER}", p.USER, password, p.HOST, p.PORT, database, {"charset": "utf8mb4"}
        )
        how = {"pool_pre_ping": True, "pool_size": 4, "connect_args": arguments} | options
        self.loop = loop
        self.engine: Any = (create_async_engine if IS_ASYNC else sa.create_engine)(url, **how)

    def run(self, work: Callable[[sa.Connection], Any]) -> Any:
        """Do *work* on a connection of the pool; what it does not commit is rolled back."""
        if not IS_ASYNC:
            with self.engine.connect() as connection:
                return work(connection)
        return self.loop.run_until_complete(self.run_async(work))

    async def run_async(self, work: Callable[[sa.Connection], Any]) -> Any:
        async with self.engine.connect() as connection:
            return await connection.run_sync(work)

    def four(self, work: Callable[[sa.Connection, int], Any]) -> list[Any]:
        """Do *work* on four connections at once."""
        if not IS_ASYNC:
            with ThreadPoolExecutor(4) as threads:
                return list(threads.map(lambda n: self.run(lambda connection: work(connection, n)), range(4)))

        async def gather() -> list[Any]:
            return await asyncio.gather(
                *(self.run_async(lambda connection, n=n: work(connection, n)) for n in range(4))  # type: ignore[misc]
            )

        return self.loop.run_until_complete(gather())

    def close(self) -> None:
        if IS_ASYNC:
            self.loop.run_until_complete(self.engine.dispose())
        else:
            self.engine.dispose()


def failure(error: DBAPIError) -> dict[str, Any]:
    """Return the driver's error."""
    original: Any = error.orig
    number, message = original.args[:2]
    return p.error(number, message)


class Program:
    """The steps, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.engine = Engine(loop=loop)

    def on(self, work: Callable[[sa.Connection], Any], **options: Any) -> Any:
        """Do *work* on an engine of its own."""
        engine = Engine(loop=self.loop, **options)
        try:
            return engine.run(work)
        finally:
            engine.close()

    def rows(self, sql: Any, **parameters: Any) -> Any:
        """Run one statement in a transaction of its own; return its rows or how many it affected."""

        def work(connection: sa.Connection) -> Any:
            result = connection.execute(sa.text(sql) if isinstance(sql, str) else sql, parameters)
            seen = [tuple(row) for row in result] if result.returns_rows else result.rowcount
            connection.commit()
            return seen

        return self.engine.run(work)

    def driver_sql(self, sql: str) -> int:
        """Run *sql* as it is; return how many rows it affected."""
        return int(self.engine.run(lambda connection: connection.exec_driver_sql(sql).rowcount))

    def fails(self, work: Callable[[], Any]) -> Any:
        try:
            return {"unexpected": p.plain(work())}
        except DBAPIError as error:
            return failure(error)

    def step(self, name: str, take: Callable[[], Any]) -> None:
        p.step(name, take)

    def absent(self, *names: str, why: str = LEFT) -> None:
        for name in names:
            say(step=name, absent=why)

    def orm(self, work: Callable[[Session], Any]) -> Any:
        """Do *work* in a session of the ORM; roll back what it leaves."""

        def sync(connection: sa.Connection) -> Any:
            with Session(connection) as session:
                return work(session)

        return self.engine.run(sync)

    def run(self) -> None:
        say(driver=f"SQLAlchemy {DRIVER}", version=sa.__version__)
        step, rows = self.step, self.rows
        one = lambda connection: [tuple(row) for row in connection.execute(sa.text("SELECT 1"))]  # noqa: E731
        step("connect.plain", lambda: rows(p.CHARSETS))
        step("connect.socket", lambda: self.on(one, connect_args={"unix_socket": p.SOCKET}))
        step("connect.wrong_password", lambda: self.fails(lambda: self.on(one, password="wrong")))
        step("connect.unknown_schema", lambda: self.fails(lambda: self.on(one, database="nowhere_at_all")))
        step("connect.version", lambda: self.engine.run(lambda c: list(c.dialect.server_version_info or ())))
        import ssl

        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        step("connect.tls", lambda: self.on(one, connect_args={"ssl": context}))
        self.text()
        self.transactions()
        self.errors()
        self.rest()
        self.engine.close()

    def text(self) -> None:
        step, rows = self.step, self.rows
        step("text.tables", lambda: [self.driver_sql(sql) for sql in p.TABLES])
        kinds = self.engine.run(lambda c: sa.Table("kinds", sa.MetaData(), autoload_with=c))
        names = p.COLUMNS.split(", ")
        row = dict(zip(names, p.ROW, strict=True)) | {"some_of": {"x", "z"}}
        if not p.IS_MARIADB:  # its JSON is a LONGTEXT to SQLAlchemy, too
            row["document"] = {"a": [1, "é", None]}
        reading = sa.select(*(kinds.c[name] for name in names))
        nulls = dict.fromkeys(names) | {"document": sa.null()}
        step("text.insert", lambda: rows(sa.insert(kinds).values(row)))
        step("text.types", lambda: rows(reading.where(kinds.c.id == 1)))
        step(
            "text.nulls", lambda: [rows(sa.insert(kinds).values(nulls)), rows(reading.where(kinds.c.id == 2))]
        )
        step("text.columns", lambda: [[c.name, str(c.type), c.nullable] for c in kinds.columns])
        step("text.empty", lambda: [rows(reading.where(kinds.c.id == 99))])
        step("text.literals", lambda: rows(sa.select(*(sa.literal(word) for word in p.LITERALS))))
        prepared = [f"prepared.{name}" for name in ("insert", "types", "nulls", "again", "errors")]
        self.absent(*prepared, why="the driver below has no prepared statements")
        bulk = sa.table("bulk", sa.column("n"), sa.column("word"))

        def many(connection: sa.Connection) -> Any:
            connection.execute(sa.insert(bulk), [{"n": n, "word": f"wört 🐬 {n}"} for n in range(1000)])
            connection.commit()
            return [
                tuple(row)
                for row in connection.execute(sa.text("SELECT COUNT(*), SUM(n), MAX(word) FROM bulk"))
            ]

        step("bulk.insert", lambda: self.engine.run(many))

        def blob() -> Any:
            affected = rows("INSERT INTO files VALUES (1, :content)", content=bytes(range(256)) * 4096)
            return [affected, p.digest(rows("SELECT content FROM files WHERE id = 1 FOR UPDATE")[0][0])]

        step("bulk.blob", blob)

        def insert_id(session: Session) -> Any:
            items = [Item(name=name) for name in ("one", "two", "three")]
            session.add_all(items)
            session.commit()
            return [item.id for item in items]

        step("counts.insert_id", lambda: self.orm(insert_id))
        self.absent("counts.last_insert_id", "counts.changed")
        step("counts.found", lambda: rows("UPDATE items SET amount = 0 WHERE id = 1"))
        upsert = mysql_insert(Item).values(name="one", amount=7).on_duplicate_key_update(amount=7)
        step("counts.upsert", lambda: rows(upsert))
        self.absent("counts.row_count")

    def transactions(self) -> None:
        step = self.step
        count = sa.select(sa.func.count()).select_from(Item)
        # What another connection sees: it locks where it must see the newest.
        newest = sa.select(Item.amount, Item.name).where(Item.name == "committed").with_for_update(read=True)

        def commit(session: Session) -> Any:
            session.add(Item(name="committed"))
            session.flush()
            session.commit()
            return [tuple(row) for row in session.execute(newest)]

        step("transaction.commit", lambda: self.orm(commit))

        def rollback(session: Session) -> Any:
            session.add(Item(name="gone"))
            inside = session.scalar(count)
            session.rollback()
            return [inside, session.scalar(count)]

        step("transaction.rollback", lambda: self.orm(rollback))

        def savepoint(session: Session) -> Any:
            session.add(Item(name="kept"))
            nested = session.begin_nested()
            session.add(Item(name="undone"))
            inside = session.scalar(count)
            nested.rollback()
            session.commit()
            return [inside, session.scalar(count)]

        step("transaction.savepoint", lambda: self.orm(savepoint))

        def autocommit_off(connection: sa.Connection) -> Any:
            return [tuple(row) for row in connection.execute(sa.text("SELECT @@autocommit"))]

        step("transaction.autocommit_off", lambda: self.engine.run(autocommit_off))

        def isolation(connection: sa.Connection) -> Any:
            level = connection.execution_options(isolation_level="READ COMMITTED").get_isolation_level()
            return [level, connection.scalar(count)]

        def automatic(connection: sa.Connection) -> Any:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.text("INSERT INTO items (name) VALUES ('automatic')"))
            return connection.scalar(count)

        step("transaction.isolation", lambda: [self.engine.run(isolation), self.engine.run(automatic)])

        def read_only(connection: sa.Connection) -> Any:
            connection.exec_driver_sql("START TRANSACTION READ ONLY")
            return self.fails(
                lambda: connection.exec_driver_sql("INSERT INTO items (name) VALUES ('refused')")
            )

        step("transaction.read_only", lambda: self.engine.run(read_only))

        def read_only_reads(connection: sa.Connection) -> Any:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.text("INSERT INTO items (name) VALUES ('seen')"))
            connection.exec_driver_sql("START TRANSACTION READ ONLY")
            seen = [connection.scalar(count), connection.scalar(sa.select(sa.func.max(Item.name)))]
            connection.exec_driver_sql("COMMIT")
            return seen

        step("transaction.read_only_reads", lambda: self.engine.run(read_only_reads))

    def errors(self) -> None:
        step = self.step
        for name, sql in p.ERRORS.items():
            step(name, lambda sql=sql: self.fails(lambda: self.rows(sql)))  # type: ignore[misc]

        def locked(holder: sa.Connection) -> Any:
            holder.execute(sa.text("SELECT id FROM items WHERE id = 1 FOR UPDATE"))
            return self.fails(lambda: self.rows("SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT"))

        if IS_ASYNC:
            self.absent("error.locked")
        else:
            step("error.locked", lambda: self.engine.run(locked))
        self.absent("error.deadlock")
        step("error.after", lambda: self.rows("SELECT 1"))

        def warned(connection: sa.Connection, sql: str) -> Any:
            connection.exec_driver_sql(sql)
            return [tuple(row) for row in connection.exec_driver_sql("SHOW WARNINGS")]

        cut = "INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))"
        step("warning.write", lambda: self.engine.run(lambda c: warned(c, cut)))
        read = "SELECT CAST('12x' AS SIGNED)"
        step("warning.read", lambda: self.engine.run(lambda c: warned(c, read)))

    def rest(self) -> None:
        step, rows = self.step, self.rows
        self.absent("routine.out", "routine.results")
        step("routine.function", lambda: self.engine.run(lambda c: c.scalar(sa.select(sa.func.twice(21)))))
        self.absent("routine.statements")

        def stream(connection: sa.Connection) -> Any:
            connection.execute(sa.text("UPDATE bulk SET word = 'streamed' WHERE n = 1"))
            connection.commit()
            how = {"stream_results": True, "yield_per": 100}
            result = connection.execution_options(**how).execute(sa.text(p.PORTIONS))
            count = numbers = 0
            for row in result:
                count, numbers = count + 1, numbers + sum(row)
            return [count, numbers]

        step("stream.rows", lambda: self.engine.run(stream))
        self.absent("stream.cursor", "infile.load", "session.use", "session.variables", "session.temporary")
        self.absent("session.lock")
        step(
            "session.ping",
            lambda: self.engine.run(lambda c: c.dialect.do_ping(cast("Any", c.connection.dbapi_connection))),
        )
        self.absent("session.reset", "session.change_user")
        killed: list[int] = []

        def kill(connection: sa.Connection) -> Any:
            number = connection.scalar(sa.text("SELECT CONNECTION_ID()"))
            killed.append(number)

        step("session.killed", lambda: [self.engine.run(kill), rows(f"SELECT {len(killed)}")])

        def reconnect() -> Any:
            other = Engine(loop=self.loop)
            other.run(lambda c: c.exec_driver_sql(f"KILL {killed[0]}").rowcount)
            other.close()
            # The pool's own connection is gone: pre-ping finds it, and opens another.
            for _ in range(200):
                now = self.engine.run(lambda c: c.scalar(sa.text("SELECT CONNECTION_ID()")))
                if now != killed[0]:
                    return [rows("SELECT DATABASE()"), rows("INSERT INTO items (name) VALUES ('again')")]
            return "the same connection"

        step("session.reconnect", reconnect)
        self.absent("session.cancel")

        def work(connection: sa.Connection, n: int) -> Any:
            with Session(connection) as session:
                for row in range(5):
                    session.add(Item(name=f"w{n}-{row}", amount=n))
                    session.commit()
                return session.scalar(sa.select(sa.func.count(Item.id)).where(Item.name.like(f"w{n}-%")))

        step("pool.four", lambda: self.engine.four(work))

        def reads(connection: sa.Connection) -> Any:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            sql = sa.text(f"SELECT COUNT(*) >= 0 FROM bulk /* {p.MARKER} */")
            return [tuple(row) for _ in range(40) for row in connection.execute(sql)][-1]

        step("pool.reads", lambda: self.engine.run(reads))


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        Program(runner.get_loop()).run()
