"""rwrouter switchover: have a running router make another server the primary, and tell each step."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import click

from rwrouter.cli.router import RunningRouter, admin_option
from rwrouter.config.units import parse_duration

OPERATOR_PASSWORD: Final = "RWROUTER_OPERATOR_PASSWORD"  # noqa: S105  the name of a variable
REPLICATION_PASSWORD: Final = "RWROUTER_REPLICATION_PASSWORD"  # noqa: S105
POLL_SECONDS: Final = 0.1

EXITS: Final = {"done": 0, "planned": 0, "refused": 1, "rolled back": 3}
"""State at the end -> exit status; any other is 4."""


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    try:
        found = parse_duration(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from None
    if not isinstance(found, float | int):
        raise click.BadParameter(f"{value!r} is no time: write 5s, 500ms or 1m")
    return float(found)


@click.command(
    epilog="""Exit status: 0 done; 1 refused, nothing was changed; 2 wrong usage; 3 a step failed, and all was undone;
4 it failed and could not be undone in whole: the problems say what to do by hand.

The passwords are read from RWROUTER_OPERATOR_PASSWORD and RWROUTER_REPLICATION_PASSWORD, or asked for; the router's
token from RWROUTER_ADMIN_TOKEN."""
)
@admin_option
@click.option("--to", "to", metavar="SERVER", required=True, help="Who is to be the primary.")
@click.option(
    "--user",
    metavar="NAME",
    required=True,
    help="Account that may change roles on every server.",
    envvar="RWROUTER_OPERATOR_USER",
)
@click.option(
    "--replication-user",
    metavar="NAME",
    default="",
    envvar="RWROUTER_REPLICATION_USER",
    help="Account by which the old primary then replicates, where servers do not tell: MariaDB.",
)
@click.option("--dry-run", is_flag=True, help="Check, and show the steps with their SQL; change nothing.")
@click.option(
    "--transactions",
    type=click.Choice(["refuse", "kill"]),
    default="refuse",
    show_default=True,
    help="What to do if transactions are still open after --drain.",
)
@click.option(
    "--drain",
    metavar="TIME",
    default="5s",
    show_default=True,
    callback=_seconds,
    help="For open transactions to end.",
)
@click.option(
    "--catch-up",
    metavar="TIME",
    default="10s",
    show_default=True,
    callback=_seconds,
    help="For the candidate to get everything, and for each step.",
)
@click.option(
    "--max-lag",
    metavar="TIME",
    default="10s",
    show_default=True,
    callback=_seconds,
    help="Refuse a candidate that is further behind.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, at the end.")
def switchover(
    *,
    router: RunningRouter,
    to: str,
    user: str,
    replication_user: str,
    dry_run: bool,
    transactions: str,
    drain: float,
    catch_up: float,
    max_lag: float,
    as_json: bool,
) -> None:
    """Make SERVER the primary: writes wait in the router meanwhile, and no client gets an error.

    For replication with GTIDs (MySQL, MariaDB) and for Group Replication. The other servers are made to follow the new
    primary, the old one too. A step that fails is undone, with all before it.
    """
    body: dict[str, Any] = {
        "to": to,
        "user": user,
        "password": _secret(OPERATOR_PASSWORD, f"Password of {user}"),
        "dry_run": dry_run,
        "transactions": transactions,
        "drain": drain,
        "catch_up": catch_up,
        "max_lag": max_lag,
    }
    if replication_user:
        body["replication_user"] = replication_user
        body["replication_password"] = _secret(REPLICATION_PASSWORD, f"Password of {replication_user}")
    report = router.ask("/v1/switchover", body)
    tell = _teller(quiet=as_json or dry_run)
    tell(report)
    while not report["over"]:
        time.sleep(POLL_SECONDS)
        report = router.ask("/v1/switchover")
        tell(report)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _conclude(report)
    raise click.exceptions.Exit(EXITS.get(report["state"], 4))


def _secret(variable: str, prompt: str) -> str:
    if variable in os.environ:
        return os.environ[variable]
    if not sys.stdin.isatty():
        raise click.UsageError(f"{prompt}: set {variable}")
    found: str = click.prompt(prompt, hide_input=True, default="", show_default=False, err=True)
    return found


def _teller(*, quiet: bool) -> Callable[[dict[str, Any]], None]:
    """Return what prints each step once it has ended."""
    told = 0

    def tell(report: dict[str, Any]) -> None:
        nonlocal told
        steps = [] if quiet else report.get("steps", [])
        while told < len(steps) and steps[told]["seconds"] is not None:
            one = steps[told]
            told += 1
            mark = "failed" if one["error"] else "ok"
            click.echo(f"{mark:6}  {one['name']:10} {one['seconds']:7.3f} s  {one['what']}")
            if one["error"]:
                click.echo(f"        {one['error']}")

    return tell


def _conclude(report: dict[str, Any]) -> None:
    state = report["state"]
    if state == "planned":
        click.echo(f"{report['from']} -> {report['to']}:")
        for number, step in enumerate(report["steps"], 1):
            click.echo(f"{number:2}. {step['name']}: {step['what']}")
            for sql in step["sql"]:
                click.echo(f"      {sql}")
            for sql in step["undo"]:
                click.echo(f"      undo  {sql}")
    elif state == "done":
        click.echo(f"{report['to']} is the primary; writes were held for {report['held_seconds']:.3f} s")
    for warning in report.get("warnings", ()):
        click.echo(f"warning: {warning}", err=True)
    for problem in report.get("problems", ()):
        click.echo(f"problem: {problem}", err=True)
    if state == "refused":
        click.echo("nothing was changed", err=True)
    elif state == "rolled back":
        click.echo(f"all steps were undone: {report['from']} is the primary", err=True)
    elif state == "failed":
        click.echo("it could not be undone in whole: see the problems", err=True)
