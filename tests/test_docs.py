"""The documentation says what the program does."""

import re
from pathlib import Path

import pytest

from rwrouter import errors
from rwrouter.cli import reference as commands
from rwrouter.cli.run import run, settings_from
from rwrouter.config import reference as settings
from rwrouter.config.load import load
from rwrouter.errors import RouterError

DOCS = Path(__file__).parent.parent / "docs"
ROW = re.compile(r"\| `(\w+)` \| (\d+) \| (\w{5}) \| (yes|no) \| (yes|no) \| [^|]+ \| [^|]+ \|")
CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, RouterError)]


@pytest.mark.parametrize(
    ("page", "text"),
    [("configuration.md", settings.reference()), ("cli.md", commands.reference())],
)
def test_generated_pages_are_fresh(page: str, text: str) -> None:
    """Every setting and option is documented as it is: `make docs` writes these pages."""
    assert (DOCS / page).read_text() == text, f"docs/{page} is old: run make docs"


def test_every_error_is_documented_with_its_numbers() -> None:
    """Class, code, SQLSTATE and both facts stand in the table, in the order of the source."""
    rows = ROW.findall((DOCS / "errors.md").read_text())
    words = {True: "yes", False: "no"}
    assert rows == [
        (c.__name__, str(c.code), c.sqlstate, words[c.retryable], words[c.ends_session]) for c in CLASSES
    ]


def test_the_example_is_a_configuration_without_problems() -> None:
    """What users copy works."""
    assert len(load(DOCS / "rwrouter.toml", environ={}).servers) == 3


def test_the_router_of_the_compose_example_starts() -> None:
    """Its options and variables are settings without problems: the file needs no YAML to be read, being ours."""
    text = (DOCS.parent / "docker/compose/compose.yaml").read_text().partition("\n  rwrouter:\n")[2]
    options = re.findall(r"^      - (--\S+)$", text, re.MULTILINE)
    variables = dict(re.findall(r"^      (RWROUTER_\w+): (\S+)$", text, re.MULTILINE))
    given = run.make_context("run", options).params
    assert len(settings_from(**given, environ=variables).servers) == 3
