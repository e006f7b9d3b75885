"""The drivers of the DB-API: what each of them does its own way, behind the names that dbapi.py asks for."""

from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from typing import Any, ClassVar

from tests.drivers.python import program as p
from tests.drivers.python.program import Absent

NO_CURSOR = "the driver has no server-side cursors"


class Driver:
    """A driver that is PyMySQL, and what others do otherwise."""

    module: Any
    stream: dict[str, Any]  # arguments of cursor() for rows as they come
    prepared: dict[str, Any] | None = None  # arguments of cursor() for prepared statements
    place = "%s"  # a parameter
    defaults: ClassVar[dict[str, Any]] = {
        "charset": "utf8mb4",
        "local_infile": True,
    }  # arguments of connect()
    refusable: ClassVar[dict[str, Any]] = {}  # arguments of a connect() that has to fail at the login

    def __init__(self) -> None:
        import pymysql.cursors

        self.module = pymysql
        self.stream = {"cursor": pymysql.cursors.SSCursor}

    def version(self) -> str:
        return version("PyMySQL")  # its own __version__ is that of the mysqlclient that it stands in for

    def connect(self, **options: Any) -> Any:
        """Connect; *options*: tls, found_rows, statements (many in one), and the driver's own."""
        how = {
            "host": p.HOST,
            "port": p.PORT,
            "user": p.USER,
            "password": p.PASSWORD,
            "database": p.SCHEMA,
            "autocommit": True,
        }
        return self.module.connect(**how | self.defaults | self.options(options))

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        from pymysql.constants import CLIENT

        flags = options.pop("found_rows", False) and CLIENT.FOUND_ROWS
        flags |= options.pop("statements", False) and CLIENT.MULTI_STATEMENTS
        if options.pop("tls", False):
            options["ssl"] = {"check_hostname": False, "verify_mode": "none"}
        # PyMySQL counts found rows unless it is told not to: its users have the flag on.
        return options | ({"client_flag": flags} if flags else {})

    def is_tls(self, connection: Any) -> bool:
        return bool(connection._secure)

    def failure(self, error: Any) -> dict[str, Any]:
        number, message = error.args
        return p.error(number, message)

    def identity(self, connection: Any) -> int:
        return int(connection.thread_id())

    def server_version(self, connection: Any) -> str:
        return str(connection.get_server_info())

    def out(self, cursor: Any) -> Any:
        cursor.callproc("add_up", (2, 3, None, None))
        cursor.execute("SELECT @_add_up_2, @_add_up_3")
        return cursor.fetchall()

    def results(self, cursor: Any, sql: str) -> list[Any]:
        """Run *sql*; return each of its results: rows, or the affected rows."""
        cursor.execute(sql)
        seen: list[Any] = [list(cursor.fetchall()) if cursor.description else cursor.rowcount]
        while cursor.nextset():
            seen.append(list(cursor.fetchall()) if cursor.description else cursor.rowcount)
        return seen

    def columns(self, cursor: Any) -> Any:
        return [column[:2] for column in cursor.description]

    def use(self, connection: Any, schema: str) -> None:
        connection.select_db(schema)

    def ping(self, connection: Any) -> Any:
        return connection.ping(False)

    def reset(self, connection: Any) -> None:
        raise Absent("the driver does not send COM_RESET_CONNECTION")

    def change_user(self, connection: Any) -> None:
        raise Absent("the driver does not send COM_CHANGE_USER")

    def reconnect(self, connection: Any) -> Any:
        connection.ping(reconnect=True)
        return connection

    def cursor_rows(self, connection: Any) -> list[Any]:
        raise Absent(NO_CURSOR)

    def bound(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return *row* without what the driver can't put into a prepared statement."""
        return row

    def readable(self, columns: str) -> str:
        """Return *columns* so that the driver can read them from a prepared statement."""
        return columns


class MySQLClient(Driver):
    """mysqlclient, on libmariadb or libmysqlclient."""

    def __init__(self) -> None:
        import MySQLdb
        import MySQLdb.cursors

        self.module = MySQLdb
        self.stream = {"cursorclass": MySQLdb.cursors.SSCursor}

    def version(self) -> str:
        return version("mysqlclient")

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        from MySQLdb.constants import CLIENT

        flags = CLIENT.FOUND_ROWS if options.pop("found_rows", False) else 0
        options["ssl_mode"] = "REQUIRED" if options.pop("tls", False) else "DISABLED"
        if not options.pop("statements", False):
            options["multi_statements"] = False
        # mysqlclient sets CLIENT.FOUND_ROWS unless client_flag is told otherwise; it ORs what it is given.
        return options | ({"client_flag": flags} if flags else {})

    def is_tls(self, connection: Any) -> bool:
        return True  # REQUIRED: there is no connection without

    def ping(self, connection: Any) -> Any:
        return connection.ping()

    def change_user(self, connection: Any) -> None:
        connection.change_user(p.USER, p.PASSWORD, p.SCHEMA)

    def reconnect(self, connection: Any) -> Any:
        connection.close()
        return self.connect()


class Connector(Driver):
    """Oracle's Connector/Python, the one in Python."""

    pure = True
    defaults: ClassVar[dict[str, Any]] = {
        "charset": "utf8mb4",
        "collation": "utf8mb4_general_ci",
        "allow_local_infile": True,
    }
    # It has no RSA: in C it refuses without TLS, in Python it sends the password in the clear.
    refusable: ClassVar[dict[str, Any]] = {"tls": True}

    def __init__(self) -> None:
        import mysql.connector

        self.module = mysql.connector
        self.stream = {"buffered": False}
        self.prepared = {"prepared": True}

    def version(self) -> str:
        return version("mysql-connector-python")

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        from mysql.connector.constants import ClientFlag

        options.pop("statements", False)  # always on
        if options.pop("found_rows", False):
            options["client_flags"] = [ClientFlag.FOUND_ROWS]
        else:
            options["client_flags"] = [-ClientFlag.FOUND_ROWS]
        options["ssl_disabled"] = not options.pop("tls", False)
        return options | {"use_pure": self.pure}

    def is_tls(self, connection: Any) -> bool:
        return bool(connection.is_secure)

    def failure(self, error: Any) -> dict[str, Any]:
        return p.error(error.errno, error.msg, error.sqlstate)

    def identity(self, connection: Any) -> int:
        return int(connection.connection_id)

    def server_version(self, connection: Any) -> str:
        return f"{connection.server_version} {connection.server_info}"

    def out(self, cursor: Any) -> Any:
        return cursor.callproc("add_up", (2, 3, None, None))

    def use(self, connection: Any, schema: str) -> None:
        connection.database = schema

    def ping(self, connection: Any) -> Any:
        return connection.ping(reconnect=False)

    def reset(self, connection: Any) -> None:
        connection.cmd_reset_connection()

    def change_user(self, connection: Any) -> None:
        connection.cmd_change_user(p.USER, p.PASSWORD, p.SCHEMA, charset=45)

    def reconnect(self, connection: Any) -> Any:
        connection.reconnect()
        return connection

    def readable(self, columns: str) -> str:
        # It reads eight bytes for a binary YEAR, where servers send two.
        return columns.replace("year", "year + 0")


class ConnectorC(Connector):
    """Oracle's Connector/Python, the one in C."""

    pure = False

    def __init__(self) -> None:
        super().__init__()
        assert self.module.HAVE_CEXT

    def bound(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        # It fails on an integer past 2**63, a negative TIME, a double of 1e100.
        return tuple(None if value in {2**64 - 1, -2.25e100, p.ROW[10]} else value for value in row)

    def readable(self, columns: str) -> str:
        return columns


class MariaDB(Driver):
    """MariaDB Connector/Python, on libmariadb."""

    place = "?"
    defaults: ClassVar[dict[str, Any]] = {"local_infile": True}

    def __init__(self) -> None:
        import mariadb

        self.module = mariadb
        self.stream = {"buffered": False}
        self.prepared = {"binary": True}

    def version(self) -> str:
        return version("mariadb")

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        from mariadb.constants import CLIENT

        flags = options.pop("found_rows", False) and CLIENT.FOUND_ROWS
        flags |= options.pop("statements", False) and CLIENT.MULTI_STATEMENTS
        if options.pop("tls", False):
            options |= {"ssl": True, "ssl_verify_cert": False}
        return options | ({"client_flag": flags} if flags else {})

    def is_tls(self, connection: Any) -> bool:
        return bool(connection.tls_version)

    def failure(self, error: Any) -> dict[str, Any]:
        return p.error(error.errno, error.errmsg, error.sqlstate)

    def identity(self, connection: Any) -> int:
        return int(connection.connection_id)

    def server_version(self, connection: Any) -> str:
        return str(connection.server_info)

    def out(self, cursor: Any) -> Any:
        cursor.callproc("add_up", (2, 3, None, None))
        rows = [list(cursor.fetchall())] if cursor.description else []
        while cursor.nextset():
            if cursor.description:
                rows.append(list(cursor.fetchall()))
        return rows

    def use(self, connection: Any, schema: str) -> None:
        connection.select_db(schema)

    def ping(self, connection: Any) -> Any:
        return connection.ping()

    def reset(self, connection: Any) -> None:
        connection.reset()

    def change_user(self, connection: Any) -> None:
        connection.change_user(p.USER, p.PASSWORD, p.SCHEMA)

    def reconnect(self, connection: Any) -> Any:
        connection.reconnect()
        return connection

    def cursor_rows(self, connection: Any) -> list[Any]:
        from mariadb.constants import CURSOR

        how = {"cursor_type": CURSOR.READ_ONLY, "prefetch_size": 100, "binary": True, "buffered": False}
        with closing(connection.cursor(**how)) as cursor:
            cursor.execute(p.PORTIONS)
            return total(iter(cursor.fetchone, None))


DRIVERS: dict[str, Callable[[], Driver]] = {
    "pymysql": Driver,
    "mysqlclient": MySQLClient,
    "connector": Connector,
    "connector-c": ConnectorC,
    "mariadb": MariaDB,
}


def total(rows: Any) -> list[Any]:
    """Return how many rows there were, and the sum of their numbers."""
    count = numbers = 0
    for row in rows:
        count += 1
        numbers += sum(row)
    return [count, numbers]
