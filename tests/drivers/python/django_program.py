"""The program of Django's ORM, on mysqlclient: the steps that an application takes through it.

usage: python -m tests.drivers.python.django_program
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError, connection, connections, models, transaction

from tests.drivers.python import program as p
from tests.drivers.python.program import say, step

LEFT = "left to the driver below"
OPTIONS: dict[str, Any] = {"charset": "utf8mb4", "local_infile": True, "ssl_mode": "DISABLED"}


def database(**changes: Any) -> dict[str, Any]:
    """Return settings of one database."""
    how = {
        "ENGINE": "django.db.backends.mysql",
        "HOST": p.HOST,
        "PORT": p.PORT,
        "USER": p.USER,
        "PASSWORD": p.PASSWORD,
        "NAME": p.SCHEMA,
        "OPTIONS": OPTIONS,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
    return how | changes


settings.configure(
    DATABASES={
        "default": database(),
        "witness": database(),
        "socket": database(HOST=p.SOCKET, PORT=""),
        "wrong": database(PASSWORD="wrong"),
        "nowhere": database(NAME="nowhere_at_all"),
        "tls": database(OPTIONS=OPTIONS | {"ssl_mode": "REQUIRED"}),
    },
    USE_TZ=False,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()


class Item(models.Model):  # type: ignore[misc]
    """A row of `items`."""

    name = models.CharField(max_length=20, unique=True, null=True)
    amount = models.IntegerField(default=0)

    class Meta:
        app_label = "drivers"
        db_table = "items"


class Bulk(models.Model):  # type: ignore[misc]
    """A row of `bulk`."""

    n = models.IntegerField(primary_key=True)
    word = models.CharField(max_length=40)

    class Meta:
        app_label = "drivers"
        db_table = "bulk"


class Kind(models.Model):  # type: ignore[misc]
    """A row of `kinds`, as far as Django has its types."""

    tiny = models.SmallIntegerField(null=True)
    big = models.BigIntegerField(null=True)
    price = models.DecimalField(max_digits=30, decimal_places=10, null=True)
    twice = models.FloatField(null=True)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    varied = models.CharField(max_length=100, null=True)
    long_text = models.TextField(null=True)
    blob = models.BinaryField(null=True, db_column="blob_")
    document = models.JSONField(null=True)

    class Meta:
        app_label = "drivers"
        db_table = "kinds"


FIELDS = ("tiny", "big", "price", "twice", "day", "moment", "varied", "long_text", "blob", "document")


def ask(sql: str, using: str = "default") -> Any:
    """Run one statement; return its rows, or how many it affected."""
    with connections[using].cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else cursor.rowcount


def fails(work: Any) -> Any:
    """Do what must fail; return the driver's error."""
    try:
        return {"unexpected": p.plain(work())}
    except DatabaseError as error:
        number, message = error.args
        return p.error(number, message)


def absent(*names: str, why: str = LEFT) -> None:
    for name in names:
        say(step=name, absent=why)


def text() -> None:
    step("text.tables", lambda: [ask(sql) for sql in p.TABLES])
    row = dict(zip(p.COLUMNS.split(", "), p.ROW, strict=True))
    values = {name: row[name] for name in FIELDS if name in row}
    values |= {"blob": row["blob_"], "document": {"a": [1, "é", None]}}
    step("text.insert", lambda: Kind.objects.create(**values).pk)
    step("text.types", lambda: list(Kind.objects.filter(pk=1).values_list(*FIELDS)))
    step(
        "text.nulls", lambda: [Kind.objects.create().pk, list(Kind.objects.filter(pk=2).values_list(*FIELDS))]
    )

    def columns() -> Any:
        with connection.cursor() as cursor:
            return [
                list(column) for column in connection.introspection.get_table_description(cursor, "items")
            ]

    step("text.columns", columns)
    empty = Item.objects.filter(pk=99)
    step("text.empty", lambda: [list(empty), empty.update(amount=1)])
    words = [models.Value(word, output_field=models.CharField()) for word in p.LITERALS]
    literal = {f"word{n}": word for n, word in enumerate(words)}
    step("text.literals", lambda: list(Kind.objects.filter(pk=1).annotate(**literal).values_list(*literal)))
    prepared = [f"prepared.{name}" for name in ("insert", "types", "nulls", "again", "errors")]
    absent(*prepared, why="the driver below has no prepared statements")

    def bulk() -> Any:
        made = Bulk.objects.bulk_create([Bulk(n=n, word=f"wört 🐬 {n}") for n in range(1000)], batch_size=200)
        return [len(made), Bulk.objects.aggregate(models.Count("n"), models.Sum("n"), models.Max("word"))]

    step("bulk.insert", bulk)
    absent("bulk.blob")
    step("counts.insert_id", lambda: [Item.objects.create(name=name).pk for name in ("one", "two", "three")])
    absent("counts.last_insert_id", "counts.changed")
    step("counts.found", lambda: Item.objects.filter(pk=1).update(amount=0))
    unique = {"update_conflicts": True, "update_fields": ["amount"]}
    step("counts.upsert", lambda: len(Item.objects.bulk_create([Item(name="one", amount=7)], **unique)))
    absent("counts.row_count")


class Undo(Exception):
    """Leaves an atomic block with a rollback."""


def transactions() -> None:
    def commit() -> Any:
        committed = Item.objects.using("witness").filter(name="committed")
        with transaction.atomic():
            Item.objects.create(name="committed")
            before = committed.count()
        with transaction.atomic("witness"):
            return [before, list(committed.select_for_update().values_list("name"))]

    step("transaction.commit", commit)

    def undone(*, kept: bool) -> Any:
        inside = 0
        try:
            with transaction.atomic():
                Item.objects.create(name="gone")
                inside = Item.objects.count()
                raise Undo  # noqa: TRY301 -- this is how an atomic block is left
        except Undo:
            return [kept, inside, Item.objects.count()]

    step("transaction.rollback", lambda: undone(kept=False))

    def savepoint() -> Any:
        with transaction.atomic():
            Item.objects.create(name="kept")
            inner = undone(kept=True)
        return [inner, Item.objects.count()]

    step("transaction.savepoint", savepoint)

    def autocommit_off() -> Any:
        transaction.set_autocommit(False)
        Item.objects.create(name="unfinished")
        inside = Item.objects.count()
        transaction.rollback()
        outside = Item.objects.count()
        transaction.commit()
        transaction.set_autocommit(True)
        return [inside, outside, ask("SELECT @@autocommit")]

    step("transaction.autocommit_off", autocommit_off)
    name = "@@tx_isolation" if p.IS_MARIADB else "@@transaction_isolation"
    step("transaction.isolation", lambda: ask(f"SELECT {name}"))  # Django sets READ COMMITTED

    def read_only() -> Any:
        ask("START TRANSACTION READ ONLY")
        seen = fails(lambda: ask("INSERT INTO items (name) VALUES ('refused')"))
        ask("ROLLBACK")
        return seen

    step("transaction.read_only", read_only)
    absent("transaction.read_only_reads")


def errors() -> None:
    for name, sql in p.ERRORS.items():
        step(name, lambda sql=sql: fails(lambda: ask(sql)))  # type: ignore[misc]

    def locked() -> Any:
        with transaction.atomic("witness"):
            list(Item.objects.using("witness").select_for_update().filter(pk=1))
            with transaction.atomic():
                return fails(lambda: list(Item.objects.select_for_update(nowait=True).filter(pk=1)))

    step("error.locked", locked)
    absent("error.deadlock")
    step("error.after", lambda: ask("SELECT 1"))
    cut = "INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))"
    step("warning.write", lambda: [ask(cut), ask("SHOW WARNINGS")])
    step("warning.read", lambda: [ask("SELECT CAST('12x' AS SIGNED)"), ask("SHOW WARNINGS")])


def rest() -> None:
    def out() -> Any:
        with connection.cursor() as cursor:
            cursor.callproc("add_up", [2, 3, None, None])
            cursor.execute("SELECT @_add_up_2, @_add_up_3")
            return cursor.fetchall()

    step("routine.out", out)
    absent("routine.results")
    twice = models.Func(models.Value(21), function="twice", output_field=models.IntegerField())
    step("routine.function", lambda: list(Kind.objects.filter(pk=1).values_list(twice)))
    absent("routine.statements")
    rows = Bulk.objects.values_list("n").order_by("n")
    step("stream.rows", lambda: sum(n for (n,) in rows.iterator(chunk_size=100)))
    absent("stream.cursor")
    load = f"LOAD DATA LOCAL INFILE '{p.INFILE}' INTO TABLE loaded CHARACTER SET utf8mb4"
    step("infile.load", lambda: [ask(load), ask("SELECT COUNT(*), SUM(n), MAX(word) FROM loaded")])
    absent("session.use", "session.variables", "session.temporary", "session.lock")
    step("session.ping", connection.is_usable)
    absent("session.reset", "session.change_user")
    witness = connections["witness"]

    def killed() -> Any:
        witness.ensure_connection()
        ask(f"KILL {witness.connection.thread_id()}")
        for _ in range(20000):
            if not witness.is_usable():
                return "lost"
        return "alive"

    step("session.killed", killed)

    def reconnect() -> Any:
        witness.close_if_unusable_or_obsolete()  # as at the start of a request
        witness.close_if_health_check_failed()
        return [ask("SELECT DATABASE()", "witness"), Item.objects.using("witness").create(name="again").name]

    step("session.reconnect", reconnect)
    absent("session.cancel")

    def work(n: int) -> Any:
        Item.objects.bulk_create([Item(name=f"w{n}-{row}", amount=n) for row in range(5)])
        seen = Item.objects.filter(name__startswith=f"w{n}-").count()
        connection.close()
        return seen

    def four() -> Any:
        with ThreadPoolExecutor(4) as threads:
            return list(threads.map(work, range(4)))

    step("pool.four", four)
    sql = f"SELECT COUNT(*) >= 0 FROM bulk /* {p.MARKER} */"
    step("pool.reads", lambda: [ask(sql, "witness") for _ in range(40)][-1])


def main() -> None:
    say(driver="Django", version=django.get_version())
    step("connect.plain", lambda: ask(p.CHARSETS))
    step("connect.socket", lambda: ask("SELECT DATABASE(), USER() LIKE 'app@%'", "socket"))
    step("connect.wrong_password", lambda: fails(lambda: ask("SELECT 1", "wrong")))
    step("connect.unknown_schema", lambda: fails(lambda: ask("SELECT 1", "nowhere")))
    step("connect.version", lambda: [list(connection.get_database_version()), connection.mysql_is_mariadb])
    step("connect.tls", lambda: ask("SELECT 1", "tls"))
    text()
    transactions()
    errors()
    rest()
    connections.close_all()


if __name__ == "__main__":
    main()
