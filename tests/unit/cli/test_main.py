"""The command group."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rwrouter import __version__
from rwrouter.cli.main import COMMANDS, LazyGroup, main


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version"], 0, f"rwrouter {__version__}"),
        (["--help"], 0, "Start the router."),
        (["chek"], 2, "No such command 'chek': did you mean 'check'?"),
        (["zzz"], 2, "No such command 'zzz': there are run, check"),
        (["check"], 2, "Missing argument"),
        (["check", "/nowhere.toml"], 2, "does not exist"),
    ],
)
def test_exit_status_and_words(arguments: list[str], status: int, said: str) -> None:
    """Scripts can tell done (0) from wrong usage (2), and people are told the nearest command."""
    result = CliRunner().invoke(main, arguments, prog_name="rwrouter")
    assert (result.exit_code, said in result.output) == (status, True), result.output


def test_each_command_that_is_listed_can_be_called() -> None:
    """The table names modules and functions that are there, and what it says is what the command says."""
    group = main
    assert isinstance(group, LazyGroup)
    import click

    context = click.Context(main)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        assert command.name == name
        assert command.help, name
        assert name in COMMANDS


@pytest.mark.slow
def test_it_runs_as_a_module_and_starts_without_what_it_does_not_need(tmp_path: Path) -> None:
    """As a module it works too, and asking for help loads neither event loop, HTTP nor SQL."""
    program = (
        "import sys, runpy\n"
        "sys.argv = ['rwrouter', '--help']\n"
        "try:\n    runpy.run_module('rwrouter', run_name='__main__')\n"
        "except SystemExit as exc:\n    assert not exc.code\n"
        "print({'uvloop', 'aiohttp', 'sqlparse', 'pydantic', 'rich', 'asyncio'} & set(sys.modules))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "set()"
