"""rwrouter drain, enable, disable, weight: what a person decides about a server of a running router."""

from typing import Any, Final
from urllib.parse import quote

import click

from rwrouter.cli.router import RunningRouter, admin_option

HELD: Final = "It holds until it is changed again, or the router starts anew."


def _decide(router: RunningRouter, server: str, what: str, body: dict[str, Any] | None = None) -> None:
    """Tell the router, and print what has become of the server."""
    path = f"/v1/servers/{quote(server, safe='')}/{what}"
    found = router.ask(path, body or {})
    click.echo(f"{found['name']}: {found['state']}, weight {found['weight']}")


@click.command(epilog=HELD)
@admin_option
@click.argument("server")
def drain(*, router: RunningRouter, server: str) -> None:
    """Give SERVER no new reads; transactions and statements that run there go on to their end."""
    _decide(router, server, "drain")


@click.command(epilog=HELD)
@admin_option
@click.argument("server")
def enable(*, router: RunningRouter, server: str) -> None:
    """Let SERVER take reads again, after drain or disable."""
    _decide(router, server, "enable")


@click.command(epilog=HELD)
@admin_option
@click.argument("server")
def disable(*, router: RunningRouter, server: str) -> None:
    """Give SERVER no new reads, and do not take it for the primary."""
    _decide(router, server, "disable")


@click.command(epilog=HELD, context_settings={"ignore_unknown_options": True})  # "-1" is a number
@admin_option
@click.argument("server")
@click.argument("weight", type=click.IntRange(0, 10_000))
def weight(*, router: RunningRouter, server: str, weight: int) -> None:
    """Set SERVER's share of the reads to WEIGHT, 0 to 10000; 0 takes none."""
    _decide(router, server, "weight", {"weight": weight})
