"""What the pages written by hand name is there: files, settings, commands, log events, links."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import click
import pytest
from pydantic import BaseModel

from rwrouter.cli.main import main
from rwrouter.config.model import Settings

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
IDS: Final = [str(page.relative_to(ROOT)) for page in PAGES]
MADE_LATER: Final = "benchmarks/results"  # by `make bench`

PATH = re.compile(r"(?<![\w/.])((?:rwrouter|tests|benchmarks|tools|docker|docs)/[\w./-]*\w/?)")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"(?m:`|\$ |… |^    )rwrouter +([a-z]+)((?: +--?[\w-]+(?: +[^ `|\\-][^ `|\\]*)?)*)")
SETTING = re.compile(r"`(?:(reads|monitor|limits|log|client_tls|server_tls)\.(\w+))")
EVENT = re.compile(r"event=([a-z_]+)")


def text_of(page: Path) -> str:
    """Return *page*, lines that a backslash continues joined."""
    return page.read_text().replace("\\\n", " ")


def settings_of(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Yield the names of all settings, `section.name` where they have a section."""
    for name, field in model.model_fields.items():
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        section = next((kind for kind in inner if issubclass(kind, BaseModel)), None)
        if section is None:
            yield before + name
        else:
            yield from settings_of(section, f"{name}.")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_path_that_is_named_exists(page: Path) -> None:
    """A module or file in the prose is in the repository, but for what benchmarks make."""
    named = {path for path in PATH.findall(text_of(page)) if not path.startswith(MADE_LATER)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file beside the page, but for what benchmarks make."""
    links = {link for link in LINK.findall(text_of(page)) if MADE_LATER not in link and link != "results"}
    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_exists_with_its_options(page: Path) -> None:
    """`rwrouter NAME --option` in the prose is what the program takes."""
    for name, rest in COMMAND.findall(text_of(page)):
        command = main.get_command(click.Context(main), name)
        assert command is not None, f"rwrouter {name}: there is no such command"
        if isinstance(command, click.Group):
            continue
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert set(re.findall(r"--[\w-]+", rest)) <= known, f"rwrouter {name}{rest}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_setting_exists(page: Path) -> None:
    """`section.name` in the prose is a setting."""
    named = {f"{section}.{name}" for section, name in SETTING.findall(text_of(page))}
    assert named <= set(settings_of(Settings))


def test_every_log_event_is_documented() -> None:
    """The table of events has each that the code can write, and no other."""
    written = {"server_up", "server_lagging", "server_down", "primary_changed", "alarm", "alarm_over"}
    written |= {"server_found", "server_forgotten", "server_changed"}
    written |= {"cannot_serve", "error"}  # the monitor's own, and one that is chosen by level
    for module in (ROOT / "rwrouter").rglob("*.py"):
        written |= set(EVENT.findall(module.read_text()))
    table = (ROOT / "docs" / "monitoring.md").read_text().partition("## Log")[2]
    documented = {
        name
        for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    }
    assert documented == written
