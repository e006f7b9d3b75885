"""rwrouter status: what a running router says of itself, as a table or as JSON."""

import json
import time
from typing import Any, Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rwrouter.cli.router import RunningRouter, admin_option

CIRCUITS: Final = {
    "circuits_open": "open no connection there for now, because one could not be opened",
    "circuits_capped": "open fewer connections there, because it was full",
}
COLOURS: Final = {"up": "green", "lagging": "yellow", "draining": "yellow", "disabled": "dim", "down": "red"}


def fetch(router: RunningRouter) -> dict[str, Any]:
    """Return the status of *router*. Raises ClickException."""
    status = router.ask("/v1/status")
    if "servers" not in status:
        raise router.strange()
    return status


def lag_text(seconds: float | None, role: str) -> str:
    """Return a lag as people read it; the primary has none."""
    if role == "primary":
        return "-"
    if seconds is None:
        return "unknown"
    return f"{seconds * 1000:.0f} ms" if 0 < seconds < 1 else f"{seconds:g} s"


def weight_text(weight: int, ramp: float) -> str:
    """Return a weight as people read it: the part that a server takes while it starts slowly, of the whole."""
    return str(weight) if ramp == 1 else f"{max(1, round(weight * ramp))} of {weight}"


def render(status: dict[str, Any]) -> Group:
    """Return the status for a terminal."""
    has_names = any(server["name"] != server["address"] for server in status["servers"])
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("server", *(["address"] if has_names else []), "role", "state"):
        table.add_column(heading, overflow="fold")
    table.add_column("lag", justify="right", no_wrap=True)
    table.add_column("lag by", overflow="fold")
    for heading in ("weight", "statements", "reads", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    for server in status["servers"]:
        share = server["share_of_reads"]
        table.add_row(
            server["name"],
            *([server["address"]] if has_names else []),
            server["role"],
            Text(server["state"], style=COLOURS.get(server["state"], "")),
            lag_text(server["lag_seconds"], server["role"]),
            Text("" if server["role"] == "primary" or server["lag_seconds"] is None else server["lag_why"]),
            weight_text(server["weight"], server["ramp"]),
            f"{server['statements']:,}",
            f"{server['reads']:,}",
            "-" if share is None else f"{share:.1%}",
        )
    ready = sum(worker["ready"] for worker in status["workers"])
    lines: list[Text | Table] = [
        Text(
            f"rwrouter {status['version']}, up {_duration(status['uptime_seconds'])}, "
            f"{status['clients']:,} clients, {ready} of {len(status['workers'])} workers ready, "
            f"listening on {', '.join(status['listeners'])}"
        ),
        table,
    ]
    lines += [  # below the table: a sentence has no place in a column of a narrow terminal
        Text(f"{server['name']} is {server['state']}: {server['reason']}")
        for server in status["servers"]
        if server["reason"]
    ]
    lines += [
        Text(f"{server['name']}: {count} of {len(status['workers'])} workers {what}")
        for server in status["servers"]
        for name, what in CIRCUITS.items()
        if (count := server.get(name))
    ]
    if status["problem"]:
        lines.append(Text(f"problem: {status['problem']}", style="bold red"))
    lines += [Text(f"alarm: {alarm}", style="bold red") for alarm in status["alarms"]]
    return Group(*lines)


@click.command()
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the router's own JSON.")
@click.option("--watch", is_flag=True, help="Look again every second, until Ctrl-C.")
def status(*, router: RunningRouter, as_json: bool, watch: bool) -> None:
    """Show servers, roles, lag and shares of a running router.

    Exit status: 0 if clients can be served, 1 if not or if no router answers, 2 wrong usage. A token is
    taken from RWROUTER_ADMIN_TOKEN.
    """
    found = fetch(router)
    if watch:
        _watch(found, router, as_json)
    elif as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        Console().print(render(found))
    if not found["ready"]:
        raise click.exceptions.Exit(1)


def _watch(found: dict[str, Any], router: RunningRouter, as_json: bool) -> None:
    """Show the status again and again; as JSON, one object a line."""
    try:
        if as_json:
            while True:
                click.echo(json.dumps(found))
                time.sleep(1)
                found = fetch(router)
        with Live(render(found), auto_refresh=False) as live:
            while True:
                time.sleep(1)
                live.update(render(fetch(router)), refresh=True)
    except KeyboardInterrupt:
        return


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
