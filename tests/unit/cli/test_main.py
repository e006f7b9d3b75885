"""The command line's entry."""

from click.testing import CliRunner

from rwrouter.cli.main import COMMANDS, main


def test_every_command_is_listed_and_can_be_loaded() -> None:
    """Each name in the list is a command with a help text, and nothing else is."""
    runner = CliRunner()
    shown = runner.invoke(main, ["--help"]).output
    for name in COMMANDS:
        assert name in shown
        assert runner.invoke(main, [name, "--help"]).exit_code == 0
    assert runner.invoke(main, ["nonsense"]).exit_code == 2
