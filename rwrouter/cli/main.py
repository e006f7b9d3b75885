"""The command `rwrouter`: one module per sub-command, imported when it is called."""

import importlib
from typing import Final

import click

# name -> (module, one line for the list of commands): listing them imports none of them.
COMMANDS: Final = {
    "explain": ("rwrouter.cli.explain", "Say where a statement would go, and why."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=_Lazy)
def main() -> None:
    """Split reads and writes of MySQL over a primary and its replicas."""


if __name__ == "__main__":
    main()
