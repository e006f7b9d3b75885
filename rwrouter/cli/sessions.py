"""rwrouter sessions: who is connected to a running router, what ties each session to a server, and an end for one."""

import json
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from rwrouter.cli.router import RunningRouter, admin_option

_HEADINGS: Final = ("id", "user", "client", "schema", "age", "tied to", "by", "keeps", "statement")


def render(sessions: list[dict[str, Any]]) -> Table:
    """Return the sessions for a terminal: the statement is the last one, or in brackets that which runs."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in _HEADINGS:
        is_number = heading in {"id", "age"}
        table.add_column(
            heading, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number
        )
    for session in sessions:
        statement = session["statement"][:80]
        table.add_row(
            str(session["id"]),
            session["user"],
            session["client"],
            session["schema"],
            f"{session['seconds']:.0f} s",
            session["tied_to"] or "-",
            ", ".join(session["tied_by"]) or "-",
            ", ".join(session["keeps"]) or "-",
            f"\\[{statement}]" if session["is_running"] else statement,
        )
    return table


@click.command()
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the router's own JSON.")
@click.option("--tied", is_flag=True, help="Show only those that are tied to one connection.")
@click.option("--kill", "number", type=int, metavar="ID", help="End the session ID and what it runs.")
def sessions(*, router: RunningRouter, as_json: bool, tied: bool, number: int | None) -> None:
    """Show the sessions of a running router: who, where, and what ties each to one server.

    Exit status: 0 done, 1 if no router answers or there is no such session, 2 wrong usage. A token is taken from
    RWROUTER_ADMIN_TOKEN.
    """
    if number is not None:
        router.ask(f"/v1/sessions/{number}/kill", {})
        click.echo(f"{number}: ended")
        return
    found = router.ask("/v1/sessions")
    if tied:
        found["sessions"] = [one for one in found["sessions"] if one["tied_by"]]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    Console().print(render(found["sessions"]))
    if found["missing_workers"]:
        click.echo(f"{found['missing_workers']} workers did not answer in time", err=True)
