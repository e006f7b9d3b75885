"""`rwrouter sandbox`: a real primary and its replicas to try things on, gone when it ends."""

import json
import signal
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from rwrouter.model import Flavor
from rwrouter.sandbox import Sandbox, SandboxError, Topology

ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
LOOK = 1.0  # seconds between two looks at whether the servers still run


@click.group()
def sandbox() -> None:
    """Start real servers, a primary and replicas, to try things on."""


@sandbox.command()
@click.option("--replicas", type=click.IntRange(0, 20), default=2, show_default=True, help="How many.")
@click.option("--flavor", type=click.Choice([f.value for f in Flavor]), help="Default: whichever is here.")
@click.option("--binary", metavar="PATH", help="A mysqld or mariadbd; without it, one is looked for.")
@click.option(
    "--root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Root file system in which the server's program lies, entered by chroot.",
)
@click.option(
    "--topology",
    type=click.Choice([topology.value for topology in Topology]),
    default=Topology.REPLICAS.value,
    show_default=True,
    help="All from the primary, each from the one before, or Group Replication (MySQL).",
)
@click.option("--set", "options", metavar="NAME=VALUE", multiple=True, help="Option for every server.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, on one line.")
def up(
    *,
    replicas: int,
    flavor: str | None,
    binary: str | None,
    root: Path | None,
    topology: str,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run until Ctrl-C, then leave nothing behind. Addresses and accounts are printed."""
    try:
        running = Sandbox.start(
            replicas,
            flavor=Flavor(flavor) if flavor else None,
            binary=binary,
            root=root,
            options=read_options(options),
            topology=Topology(topology),
        )
    except SandboxError as error:
        raise click.ClickException(str(error)) from None
    with running:
        if as_json:
            click.echo(json.dumps(describe(running)))
        else:
            show(running, Console())
        wait_for_end(running)


def read_options(given: tuple[str, ...]) -> dict[str, str]:
    """Read NAME=VALUE words; a dash in a name is an underscore, as in an option file."""
    options = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{word!r} is not NAME=VALUE", param_hint="--set")
        options[name.lstrip("-").replace("-", "_")] = value
    return options


def describe(running: Sandbox) -> dict[str, Any]:
    """Return what --json prints."""
    accounts = {"root": running.root, "app": running.app, "monitor": running.monitor}
    return {
        "flavor": running.flavor.value,
        "version": running.binary.version,
        "servers": [
            {
                "name": server.name,
                "role": "primary" if server is running.primary else "replica",
                "host": server.host,
                "port": server.port,
                "socket": server.socket,
                "server_id": server.server_id,
                "pid": server.pid,
            }
            for server in running.servers
        ],
        "accounts": {name: {"user": a.user, "password": a.password} for name, a in accounts.items()},
    }


def show(running: Sandbox, console: Console) -> None:
    """Print addresses, accounts, and how to go on."""
    table = Table("server", "address", "server id", "pid", "unix socket")
    for server in running.servers:
        table.add_row(server.name, server.address, str(server.server_id), str(server.pid), server.socket)
    console.print(f"{running.flavor} {running.binary.version}")
    console.print(table)
    accounts = Table("account", "password", "may")
    accounts.add_row(running.root.user, running.root.password, "do all")
    accounts.add_row(running.app.user, running.app.password, "read and write every schema")
    accounts.add_row(running.monitor.user, running.monitor.password, "see replication")
    console.print(accounts)
    words = " ".join(f"--server {server.address}" for server in running.servers)
    console.print("A router before them:", highlight=False)
    console.print(
        f"  RWROUTER_MONITOR_PASSWORD={running.monitor.password} "
        f"rwrouter run --monitor-user {running.monitor.user} {words}",
        highlight=False,
        soft_wrap=True,
    )
    console.print("Ctrl-C ends the servers and removes their files.", highlight=False)


def wait_for_end(running: Sandbox) -> None:
    """Return at Ctrl-C, SIGTERM or SIGHUP. Says so on standard error when a server ends meanwhile."""
    seen = {server.name for server in running.servers if server.is_running}
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        while signal.sigtimedwait(ENDING, LOOK) is None:
            for server in running.servers:
                if server.name in seen and not server.is_running:
                    seen.discard(server.name)
                    click.echo(f"{server.name} ({server.address}) has ended", err=True)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
