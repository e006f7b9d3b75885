"""The command `rwrouter`. Exit status: 0 done, 1 problems (said on standard error), 2 wrong usage."""

import difflib
import importlib
from typing import Final

import click

from rwrouter import __version__

COMMANDS: Final = {  # name: (module of rwrouter.cli, what it does); the function has the command's name
    "run": ("run", "Start the router."),
    "check": ("check", "Read a configuration, report every problem, start nothing."),
    "status": ("status", "Show servers, roles, lag and shares of a running router."),
    "sessions": ("sessions", "Show who is connected and what ties each session; end one."),
    "drain": ("operate", "Give a server no new reads; what runs there goes on to its end."),
    "enable": ("operate", "Let a server take reads again."),
    "disable": ("operate", "Give a server no new reads, and do not take it for the primary."),
    "weight": ("operate", "Set a server's share of the reads."),
    "switchover": ("switchover", "Make another server the primary, without an error for any client."),
    "explain": ("explain", "Say where a statement would go, and why."),
    "sandbox": ("sandbox", "Start real servers, a primary and replicas, to try things on."),
    "demo": ("demo", "Show reads and writes being split, on servers made for it."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when it is called: `rwrouter check` needs no event loop."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command, None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"rwrouter.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when there is none of the name that was given."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            question = (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self.list_commands(ctx))}."
            )
            ctx.fail(f"No such command {args[0]!r}: {question}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rwrouter", message="%(prog)s %(version)s")
def main() -> None:
    """Route the reads of one MySQL connection to replicas, and the rest to the primary."""


if __name__ == "__main__":
    main()
