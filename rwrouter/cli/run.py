"""rwrouter run: options and file become Settings; the master takes over."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rwrouter.config.load import InvalidSettings, load
from rwrouter.config.model import Settings


def server_option(text: str) -> dict[str, Any]:
    """Return the settings in one --server: HOST:PORT[,weight=N][,name=X][,zone=Z]. Raises ValueError."""
    address, *pairs = text.split(",")
    server: dict[str, Any] = {"address": address}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if key not in ("weight", "name", "zone") or not equals:
            raise ValueError(
                f'"{pair}" in "{text}": write weight=N, name=NAME or zone=ZONE after the address'
            )
        if key == "weight" and not value.isdecimal():
            raise ValueError(f'"{pair}" in "{text}": a weight is a whole number, such as weight=50')
        server[key] = int(value) if key == "weight" else value
    return server


def address_option(text: str) -> dict[str, Any]:
    """Return the settings in one --address-map: SAYS=REACH. Raises click.UsageError."""
    says, equals, reach = text.partition("=")
    if not (says and equals and reach):
        raise click.UsageError(
            f'--address-map: "{text}": write SAYS=REACH, such as mysql-2:3306=127.0.0.1:33062'
        )
    return {"says": says, "reach": reach}


def settings_from(
    *,
    config: Path | None,
    listen: tuple[str, ...] = (),
    server: tuple[str, ...] = (),
    monitor_user: str | None = None,
    admin: str | None = None,
    workers: str | None = None,
    discovery: bool | None = None,
    address_map: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return what `rwrouter run` with these options starts with. Raises ConfigError, click.UsageError."""
    overrides: dict[str, Any] = {}
    if listen:
        overrides["listen"] = list(listen)
    if server:
        try:
            overrides["servers"] = [server_option(text) for text in server]
        except ValueError as exc:
            raise click.UsageError(f"--server: {exc}") from None
    if monitor_user is not None:
        overrides["monitor"] = {"user": monitor_user}
    if admin is not None:
        overrides["admin"] = admin
    if workers is not None:
        overrides["workers"] = workers
    if discovery is not None:
        overrides["discovery"] = discovery
    if address_map:
        overrides["addresses"] = [address_option(text) for text in address_map]
    return load(config, overrides, environ)


@click.command()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read settings from FILE.",
    metavar="FILE",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="HOST:PORT",
    help="Where clients connect; also unix:PATH. May be repeated.",
)
@click.option(
    "--server",
    multiple=True,
    metavar="HOST:PORT",
    help="A MySQL server; its role is found out. May be repeated, and end in ,weight=N or ,name=NAME.",
)
@click.option(
    "--discovery/--no-discovery",
    default=None,
    help="Use servers that others name and nobody listed. Default: where one --server is given.",
)
@click.option(
    "--address-map",
    multiple=True,
    metavar="SAYS=REACH",
    help="Where a server is reached that others call SAYS (HOST:PORT, HOST or server_uuid). May be repeated.",
)
@click.option(
    "--monitor-user",
    metavar="USER",
    help="Account to watch the servers with; its password is taken from RWROUTER_MONITOR_PASSWORD.",
)
@click.option("--admin", metavar="HOST:PORT", help="Where status and metrics are served; '' for nowhere.")
@click.option("--workers", metavar="N|auto", help="Worker processes; auto is one per core.")
def run(
    *,
    config: Path | None,
    listen: tuple[str, ...],
    server: tuple[str, ...],
    monitor_user: str | None,
    admin: str | None,
    workers: str | None,
    discovery: bool | None,
    address_map: tuple[str, ...],
) -> None:
    """Start the router. Options win over the file; without a file they are enough.

    Exit status: 0 after an orderly stop, 1 when it could not start, 2 wrong usage.
    """
    try:
        settings = settings_from(
            config=config,
            listen=listen,
            server=server,
            monitor_user=monitor_user,
            admin=admin,
            workers=workers,
            discovery=discovery,
            address_map=address_map,
        )
    except InvalidSettings as exc:
        click.echo(str(exc), err=True)
        raise click.exceptions.Exit(1) from None
    from rwrouter.process import master  # late: it brings the event loop

    sys.exit(master.serve(settings))
