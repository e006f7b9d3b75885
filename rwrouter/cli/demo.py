"""`rwrouter demo`: a tour through a router before real servers, checked with the servers' own records."""

import secrets
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import pymysql
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rwrouter.cli.explain import Explainer
from rwrouter.cli.sandbox import wait_for_end
from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox, SandboxError
from rwrouter.sandbox.records import ran_on
from rwrouter.sandbox.router import RouterProcess

if TYPE_CHECKING:
    from pymysql.connections import Connection

PRIMARY: Final = "primary"
REPLICA: Final = "replica"
BOTH: Final = "both replicas"
READS: Final = 10  # of the step in which both replicas must answer
SETTLE: Final = 200  # reads at most until both replicas were seen to take some


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, how often it runs, and who must run it. *why* is said where the session is the reason."""

    sql: str
    expected: str = PRIMARY
    times: int = 1
    why: str = ""


TOUR: Final = {
    "Writes": (
        Step("CREATE DATABASE shop"),
        Step("CREATE TABLE shop.item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40), stock INT)"),
        Step("INSERT INTO shop.item (name, stock) VALUES ('bolt', 100), ('nut', 250)"),
        Step("UPDATE shop.item SET stock = stock - 1 WHERE id = 1"),
    ),
    "Reads": (
        Step("SELECT name, stock FROM shop.item WHERE id = 1", BOTH, READS),
        Step("WITH few AS (SELECT * FROM shop.item WHERE stock < 200) SELECT COUNT(*) FROM few", REPLICA),
        Step("(SELECT id FROM shop.item) UNION (SELECT stock FROM shop.item)", REPLICA),
    ),
    "Reads that are none": (
        Step("SELECT stock FROM shop.item WHERE id = 1 FOR UPDATE"),
        Step("SELECT GET_LOCK('rwrouter-demo', 0)"),
        Step("SELECT RELEASE_LOCK('rwrouter-demo')"),
    ),
    "A transaction": (
        Step("BEGIN"),
        Step("SELECT stock FROM shop.item WHERE id = 2", why="in a transaction that may write"),
        Step("UPDATE shop.item SET stock = stock - 10 WHERE id = 2"),
        Step("COMMIT"),
    ),
    "A read-only transaction": (
        Step("START TRANSACTION READ ONLY", REPLICA),
        Step("SELECT SUM(stock) FROM shop.item", REPLICA, why="in a READ ONLY transaction"),
        Step("COMMIT", REPLICA, why="ends the READ ONLY transaction"),
    ),
    "autocommit = 0": (
        Step("SET autocommit = 0", expected=""),
        Step("SELECT name FROM shop.item WHERE id = 1", why="autocommit is off: this begins a transaction"),
        Step("COMMIT"),
    ),
}


@click.command()
@click.option(
    "--exit", "ends", is_flag=True, help="End after the tour; status 0 if all went where it should."
)
@click.option("--flavor", type=click.Choice([f.value for f in Flavor]), help="Default: whichever is here.")
@click.option(
    "--root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Root file system in which the server's program lies, entered by chroot.",
)
def demo(*, ends: bool, flavor: str | None, root: Path | None) -> None:
    """Start servers and a router, show where statements go, and run until Ctrl-C."""
    console = Console(highlight=False)
    with ExitStack() as stack:
        try:
            console.print("starting a primary and two replicas ...")
            sandbox = stack.enter_context(
                Sandbox.start(2, flavor=Flavor(flavor) if flavor else None, root=root)
            )
            console.print(f"{sandbox.flavor} {sandbox.binary.version}; starting the router ...")
            router = stack.enter_context(
                RouterProcess([s.address for s in sandbox.servers], sandbox.monitor, sandbox.app)
            )
            router.wait_ready()
            wait_for_replicas(sandbox, router)
            wrong = tour(sandbox, router, console)
        except (SandboxError, pymysql.MySQLError, OSError) as error:
            raise click.ClickException(str(error)) from None
        if wrong:
            console.print(f"[bold red]{wrong} statements did not run where they should have")
        else:
            console.print("[bold green]every statement ran where it should")
        if ends:
            sys.exit(1 if wrong else 0)
        invite(router, console)
        wait_for_end(sandbox)


def wait_for_replicas(sandbox: Sandbox, router: RouterProcess) -> None:
    """Return when the router has sent reads to every replica. SandboxError if it never does."""
    marker = new_marker()
    for _ in range(SETTLE):
        with router.connect() as connection:
            run(connection, f"SELECT 1 /* {marker} */")
        if {replica.name for replica in sandbox.replicas} <= set(ran_on(sandbox, marker)):
            return
    raise SandboxError(f"{SETTLE} reads, and not every replica got one:\n{router.log()[-2000:]}")


def tour(sandbox: Sandbox, router: RouterProcess, console: Console) -> int:
    """Run every step as the application, print who ran it, and return how many went wrong."""
    explainer = Explainer()
    wrong = 0
    table = Table(title=f"through {router.host}:{router.port}", title_justify="left")
    table.add_column("statement", overflow="fold")
    table.add_column("ran on", no_wrap=True)
    table.add_column("why", max_width=24)
    for title, steps in TOUR.items():
        table.add_section()
        table.add_row(f"[bold]{title}", "", "")
        sandbox.wait_in_sync()  # so that no replica is out for lag on a slow machine
        with router.connect() as connection:
            for step in steps:
                marker = new_marker()
                for _ in range(step.times):
                    run(connection, f"{step.sql} /* {marker} */")
                servers = ran_on(sandbox, marker)
                good = fits(step.expected, servers, step.times)
                wrong += not good
                why = step.why or explainer.explain(step.sql.encode(), dialect=sandbox.flavor)["reason"]
                table.add_row(
                    step.sql + (f"  ({step.times} times)" if step.times > 1 else ""),
                    ("[green]" if good else "[bold red]") + (names(servers) or "as needed"),
                    escape(why) if good else f"[bold red]should have run on: {step.expected}",
                )
    console.print(table)
    return wrong


def fits(expected: str, servers: list[str], times: int) -> bool:
    """Tell whether *servers*, one entry per execution, are who should have run a statement *times* times."""
    if not expected:  # session state: the router brings it to whichever server needs it
        return True
    on_replicas = [name for name in servers if name != PRIMARY]
    if expected == PRIMARY:
        return len(servers) == times and not on_replicas
    everyone = len(set(on_replicas)) > 1 if expected == BOTH else True
    return len(servers) == len(on_replicas) == times and everyone


def names(servers: Iterable[str]) -> str:
    """Return the servers with how often each ran it: `replica1 5, replica2 5`."""
    counts = Counter(servers)
    if sum(counts.values()) <= 1:
        return ", ".join(counts)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def invite(router: RouterProcess, console: Console) -> None:
    """Print how to connect, and how it ends."""
    console.print(f"\n  DSN     {router.dsn}", soft_wrap=True)
    console.print(
        f"  client  mysql -h {router.host} -P {router.port} -u {router.app.user} -p{router.app.password}",
        soft_wrap=True,
    )
    console.print(f"  admin   http://{router.host}:{router.admin_port}/", soft_wrap=True)
    console.print("\nCtrl-C ends the router and the servers, and removes their files.")


def new_marker() -> str:
    """Return a word by which a statement is found in the servers' records."""
    return f"demo-{secrets.token_hex(6)}"


def run(connection: "Connection[Any]", sql: str) -> None:
    """Run *sql* and read all that it answers."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.fetchall()
