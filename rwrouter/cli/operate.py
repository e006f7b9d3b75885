"""rwrouter drain, enable, disable, weight: what a person decides about a server of a running router."""

import os
from typing import Any, Final
from urllib.parse import quote

import click

from rwrouter.cli.status import ask
from rwrouter.config.addresses import parse_admin
from rwrouter.config.load import ADMIN_TOKEN

HELD: Final = "It holds until it is changed again, or the router starts anew."

_admin = click.option(
    "--admin",
    metavar="HOST:PORT",
    default="127.0.0.1:6451",
    show_default=True,
    help="HTTP side of the router.",
)


def _decide(admin: str, server: str, what: str, body: dict[str, Any] | None = None) -> None:
    """Tell the router, and print what has become of the server."""
    try:
        admin = str(parse_admin(admin))
    except ValueError as exc:
        raise click.UsageError(f"--admin: {exc}") from None
    path = f"/v1/servers/{quote(server, safe='')}/{what}"
    found = ask(admin, os.environ.get(ADMIN_TOKEN, ""), path, body or {})
    click.echo(f"{found['name']}: {found['state']}, weight {found['weight']}")


@click.command(epilog=HELD)
@_admin
@click.argument("server")
def drain(*, admin: str, server: str) -> None:
    """Give SERVER no new reads; transactions and statements that run there go on to their end."""
    _decide(admin, server, "drain")


@click.command(epilog=HELD)
@_admin
@click.argument("server")
def enable(*, admin: str, server: str) -> None:
    """Let SERVER take reads again, after drain or disable."""
    _decide(admin, server, "enable")


@click.command(epilog=HELD)
@_admin
@click.argument("server")
def disable(*, admin: str, server: str) -> None:
    """Give SERVER no new reads, and do not take it for the primary."""
    _decide(admin, server, "disable")


@click.command(epilog=HELD)
@_admin
@click.argument("server")
@click.argument("weight", type=click.IntRange(0, 10_000))
def weight(*, admin: str, server: str, weight: int) -> None:
    """Set SERVER's share of the reads to WEIGHT, 0 to 10000; 0 takes none."""
    _decide(admin, server, "weight", {"weight": weight})
