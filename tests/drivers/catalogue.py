"""The drivers: how each one's program is started, and where it is had from."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
REPOSITORY: Final = HERE.parents[1]
GOPATH: Final = Path("/usr/share/gocode")  # where Debian has Go sources
CONNECTOR_J: Final = Path("/usr/share/java/mariadb-java-client.jar")
BUILD_TIMEOUT: Final = 300  # seconds: the first build of the Go program compiles the driver too


class NotHere(Exception):
    """The driver, or its language, is not installed: the text says what is missing and how to get it."""


@dataclass(frozen=True, slots=True)
class Driver:
    """One row of docs/drivers.md. *command* returns a command line; *build* may use a directory of its own."""

    name: str
    title: str  # as its makers write it
    language: str
    source: str  # where it comes from here
    command: Callable[[Path], list[str]]
    needs: tuple[tuple[str, ...], ...] = field(default=())  # commands that succeed only where it is installed

    def prepare(self, directory: Path) -> list[str]:
        """Return the command line, after building what must be built. Raises NotHere."""
        for probe in self.needs:
            try:
                done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=60)
            except FileNotFoundError as error:
                raise NotHere(f"{self.title}: no {error.filename}: tools/install-packages drivers") from None
            if done.returncode:
                how = (
                    "tools/install-packages drivers" if self.source != "PyPI" else "pip install '.[drivers]'"
                )
                raise NotHere(f"{self.title}: {how}\n{done.stderr[-400:]}")
        return self.command(directory)


def _python(module: str, *arguments: str) -> Callable[[Path], list[str]]:
    return lambda _: [sys.executable, "-m", f"tests.drivers.python.{module}", *arguments]


def _imports(*modules: str) -> tuple[tuple[str, ...], ...]:
    return ((sys.executable, "-c", "; ".join(f"import {module}" for module in modules)),)


def _go(directory: Path) -> list[str]:
    """Build against Debian's package of the driver's source."""
    program = directory / "go-program"
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(Path(tempfile.gettempdir()) / f"rwrouter-go-{os.geteuid()}"),
        "GOFLAGS": "",
    }
    command = ["go", "build", "-o", str(program), "."]
    subprocess.run(command, cwd=HERE / "go", env=environment, check=True, timeout=BUILD_TIMEOUT)
    return [
        "env",
        f"DRIVERS_GO_VERSION={debian_version('golang-github-go-sql-driver-mysql-dev')}",
        str(program),
    ]


def _node(_: Path) -> list[str]:
    """Install the driver once, with the versions of the lock file, where NODE_PATH then finds it."""
    lock = HERE / "node/package-lock.json"
    name = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    home = Path(tempfile.gettempdir()) / f"rwrouter-node-{os.geteuid()}-{name}"
    if not (home / "node_modules/mysql2/package.json").exists():
        home.mkdir(mode=0o700, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / file, home)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=home, check=True, timeout=BUILD_TIMEOUT)
    return ["env", f"NODE_PATH={home / 'node_modules'}", "node", str(HERE / "node/program.js")]


def _perl(driver: str, _: Path) -> list[str]:
    return ["perl", str(HERE / "perl/program.pl"), driver]


def _java(directory: Path) -> list[str]:
    sources = ["-encoding", "UTF-8", "-d", str(directory), str(HERE / "java/Program.java")]
    subprocess.run(["javac", *sources], check=True, timeout=BUILD_TIMEOUT)
    # A program of two seconds is better off without the optimising compiler.
    quick = [
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Dfile.encoding=UTF-8",
        "-Dstdout.encoding=UTF-8",
    ]
    return ["java", *quick, "-cp", f"{directory}:{CONNECTOR_J}:/usr/share/java/*", "Program"]


def debian_version(package: str) -> str:
    """Return the upstream version of an installed Debian package, "unknown" where Debian did not install it."""
    command = ["dpkg-query", "--show", "--showformat=${Version}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.rpartition("-")[0].rpartition(":")[2] or "unknown"


DRIVERS: Final = [
    Driver("pymysql", "PyMySQL", "Python", "PyPI", _python("dbapi", "pymysql"), _imports("pymysql")),
    Driver(
        "mysqlclient", "mysqlclient", "Python", "PyPI", _python("dbapi", "mysqlclient"), _imports("MySQLdb")
    ),
    Driver(
        "connector",
        "Connector/Python",
        "Python",
        "PyPI",
        _python("dbapi", "connector"),
        _imports("mysql.connector"),
    ),
    Driver(
        "connector-c",
        "Connector/Python, C extension",
        "Python",
        "PyPI",
        _python("dbapi", "connector-c"),
        _imports("_mysql_connector"),
    ),
    Driver(
        "mariadb",
        "MariaDB Connector/Python",
        "Python",
        "PyPI",
        _python("dbapi", "mariadb"),
        _imports("mariadb"),
    ),
    Driver(
        "aiomysql", "aiomysql", "Python", "PyPI", _python("asynchronous", "aiomysql"), _imports("aiomysql")
    ),
    Driver("asyncmy", "asyncmy", "Python", "PyPI", _python("asynchronous", "asyncmy"), _imports("asyncmy")),
    Driver(
        "sqlalchemy",
        "SQLAlchemy on PyMySQL",
        "Python",
        "PyPI",
        _python("sqlalchemy_program", "pymysql"),
        _imports("sqlalchemy", "pymysql"),
    ),
    Driver(
        "sqlalchemy-async",
        "SQLAlchemy on asyncmy (asyncio)",
        "Python",
        "PyPI",
        _python("sqlalchemy_program", "asyncmy"),
        _imports("sqlalchemy.ext.asyncio", "asyncmy", "greenlet"),
    ),
    Driver(
        "django",
        "Django on mysqlclient",
        "Python",
        "PyPI",
        _python("django_program"),
        _imports("django", "MySQLdb"),
    ),
    Driver(
        "go",
        "go-sql-driver/mysql",
        "Go",
        "Debian",
        _go,
        (("go", "version"), ("test", "-d", str(GOPATH / "src/github.com/go-sql-driver/mysql"))),
    ),
    Driver("node", "mysql2", "Node.js", "npm", _node, (("node", "--version"), ("npm", "--version"))),
    Driver(
        "mysqli",
        "mysqli (mysqlnd)",
        "PHP",
        "Debian",
        lambda _: ["php", "-d", "mysqli.allow_local_infile=1", str(HERE / "php/mysqli.php")],
        (("php", "--ri", "mysqli"),),
    ),
    Driver(
        "pdo",
        "PDO (mysqlnd)",
        "PHP",
        "Debian",
        lambda _: ["php", str(HERE / "php/pdo.php")],
        (("php", "--ri", "pdo_mysql"),),
    ),
    Driver(
        "ruby",
        "mysql2",
        "Ruby",
        "Debian",
        lambda _: ["ruby", str(HERE / "ruby/program.rb")],
        (("ruby", "-e", "require 'mysql2'"),),
    ),
    *(
        Driver(
            f"perl-{name.lower()}",
            f"DBD::{name}",
            "Perl",
            "Debian",
            partial(_perl, name),
            (("perl", f"-MDBD::{name}", "-e", "1"),),
        )
        for name in ("mysql", "MariaDB")
    ),
    Driver(
        "java",
        "MariaDB Connector/J",
        "Java",
        "Debian",
        _java,
        (("javac", "-version"), ("test", "-f", str(CONNECTOR_J))),
    ),
    Driver(
        "mariadb-client",
        "`mariadb`, the command line",
        "C",
        "Debian",
        _python("command_line"),
        (("mariadb", "--version"),),
    ),
]
