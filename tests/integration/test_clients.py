"""The command line, an ORM and sysbench through the router, as people use them; drivers are in test_drivers.py."""

import shutil
import subprocess
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import URL, ForeignKey, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory, missing

CLIENT_TIMEOUT = 120  # seconds


def command_line(router: RouterProcess, schema: str, *arguments: str, sql: str) -> list[str]:
    """Run the mariadb command-line client; return the lines that it prints."""
    program = shutil.which("mariadb")
    if program is None:
        missing("no mariadb client: apt-get install mariadb-client")
    done = subprocess.run(
        [
            program or "",
            "--no-defaults",
            f"--host={router.host}",
            f"--port={router.port}",
            f"--user={router.app.user}",
            f"--password={router.app.password}",
            "--skip-column-names",
            "--batch",
            *arguments,
            schema,
        ],
        input=sql,
        capture_output=True,
        text=True,
        timeout=CLIENT_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("tls", ["--skip-ssl", "--ssl", "--compress"])
def test_the_command_line(cluster: Sandbox, router: RouterFactory, schema: str, tls: str) -> None:
    """A script of the mariadb client runs as on a server: schema, writes, a transaction, multi-statements."""
    process = router(cluster)
    script = """
        CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(20));
        INSERT INTO t VALUES (1, 'one'), (2, 'two');
        SELECT * FROM t ORDER BY a;
        BEGIN; UPDATE t SET b = 'zwei' WHERE a = 2; SELECT b FROM t WHERE a = 2; ROLLBACK;
        SELECT b FROM t WHERE a = 2;
        SELECT DATABASE();
    """
    lines = command_line(process, schema, tls, sql=script)
    assert lines == ["1\tone", "2\ttwo", "zwei", "two", schema]


def test_tls_is_there(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """The client says that it speaks TLS with --ssl, and that it does not without."""
    process = router(cluster)
    spoken = "\n".join(command_line(process, schema, "--ssl", sql="status"))
    assert "Cipher in use" in spoken, spoken
    silent = "\n".join(command_line(process, schema, "--skip-ssl", sql="status"))
    assert "Not in use" in silent, silent


def test_a_wrong_password(cluster: Sandbox, router: RouterFactory) -> None:
    """The client gets the server's own number, before and after the right one was seen."""
    process = router(cluster)
    for user, password in ((cluster.app.user, "wrong"), ("nobody", "wrong"), (cluster.app.user, "")):
        with pytest.raises(pymysql.err.OperationalError) as caught:
            process.connect(user=user, password=password)
        assert caught.value.args[0] == 1045, caught.value
    with process.connect() as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT 1") == 1


class Base(DeclarativeBase):
    """The example's tables."""


class Author(Base):
    """Has books."""

    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    """Has an author."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.mark.parametrize("driver", ["pymysql", "mysqlconnector"])
def test_sqlalchemy(cluster: Sandbox, router: RouterFactory, schema: str, driver: str) -> None:
    """The ORM: relationships, flush, rollback, reads after commit on other connections of its pool."""
    process = router(cluster)
    url = URL.create(
        f"{'mariadb' if cluster.flavor == 'mariadb' else 'mysql'}+{driver}",
        process.app.user,
        process.app.password,
        process.host,
        process.port,
        schema,
    )
    extra = {"collation": "utf8mb4_general_ci"} if driver == "mysqlconnector" else {}
    engine = create_engine(url, pool_pre_ping=True, pool_size=2, connect_args=extra)
    try:
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(Author(name="Ada", books=[Book(title="One"), Book(title="Two")]))
            session.commit()
            ada = session.scalars(select(Author).where(Author.name == "Ada")).one()
            assert [book.title for book in ada.books] == ["One", "Two"]
            ada.books.append(Book(title="Three"))
            session.flush()
            assert len(session.scalars(select(Book)).all()) == 3
            session.rollback()
            assert len(session.scalars(select(Book)).all()) == 2
            ada.books.pop()
            session.commit()
            assert [book.title for book in ada.books] == ["One"]
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            cluster.wait_in_sync()
            assert connection.scalars(select(Book.title)).all() == ["One"]
        Base.metadata.drop_all(engine)
    finally:
        engine.dispose()


def test_a_unix_socket(cluster: Sandbox, router: RouterFactory, schema: str, tmp_path: Path) -> None:
    """A client on the socket reads and writes as over TCP."""
    path = tmp_path / "router.sock"
    process = router(cluster, "--listen", f"unix:{path}")
    with (
        process.connect(unix_socket=str(path), database=schema) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE TABLE t (a INT)")
        cursor.execute("INSERT INTO t VALUES (7)")
        cursor.execute("SELECT a FROM t")
        assert cursor.fetchall() == ((7,),)


def test_sysbench(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """oltp_read_write with 8 threads for some seconds: no errors, no reconnects."""
    program = shutil.which("sysbench")
    if program is None:
        missing("no sysbench: apt-get install sysbench")
    # Its client library can't encrypt a password by RSA: the router is told the password.
    process = router(
        cluster,
        config=f'[[users]]\nname = "{cluster.app.user}"\npassword = "{cluster.app.password}"\n',
    )
    base = [
        program or "",
        "oltp_read_write",
        f"--mysql-host={process.host}",
        f"--mysql-port={process.port}",
        f"--mysql-user={process.app.user}",
        f"--mysql-password={process.app.password}",
        f"--mysql-db={schema}",
        "--tables=2",
        "--table-size=500",
        "--threads=8",
        "--mysql-ignore-errors=1213,1205",  # deadlocks are the servers' own
    ]
    for arguments in (["prepare"], ["run", "--time=3"], ["run", "--time=3", "--db-ps-mode=disable"]):
        done = subprocess.run(
            [*base, *arguments], capture_output=True, text=True, timeout=CLIENT_TIMEOUT, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if "run" in arguments:
            assert "reconnects:                          0 " in done.stdout, done.stdout
