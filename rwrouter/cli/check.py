"""rwrouter check: everything that is wrong with a file, without starting anything."""

from pathlib import Path

import click

from rwrouter.config.load import problems_in


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(config: Path) -> None:
    """Read CONFIG, report every problem, start nothing. Exit status: 0 none, 1 problems, 2 wrong usage."""
    problems = problems_in(config)
    for problem in problems:
        click.echo(problem.at(config), err=True)
    if problems:
        raise click.exceptions.Exit(1)
    click.echo(f"{config}: no problems")
