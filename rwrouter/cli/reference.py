"""docs/cli.md, written from the commands themselves: python -m rwrouter.cli.reference."""

import sys
from collections.abc import Iterator
from typing import Final

import click

from rwrouter.cli.main import main

HEAD: Final = """\
# Command line

`rwrouter COMMAND --help` says the same. `python -m rwrouter` is `rwrouter`. Exit status of every command: 0 done,
1 problems (said on standard error), 2 wrong usage.

<!-- Written by `make docs` from rwrouter/cli: change the help texts there. -->
"""


def reference() -> str:
    """Return the page as Markdown."""
    return HEAD + "".join(_page(main, click.Context(main, info_name="rwrouter")))


def _page(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        usage = " ".join([inner.command_path, *command.collect_usage_pieces(inner)])
        yield f"\n## {inner.command_path}\n\n```\n{usage}\n```\n\n{_text(command.help or '')}\n"
        records = [record for part in command.get_params(inner) if (record := part.get_help_record(inner))]
        records = [(option, text) for option, text in records if text and not option.endswith("--help")]
        if records:
            yield "\n| Option | Meaning |\n|---|---|\n"
            yield from (f"| `{_cell(option)}` | {_cell(meaning)} |\n" for option, meaning in records)
        if isinstance(command, click.Group):
            yield from _page(command, inner)


def _text(text: str) -> str:
    """Return a help text without click's marks, its paragraphs kept."""
    return "\n\n".join(" ".join(part.replace("\b", "").split()) for part in text.split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
