"""docs/fidelity.md is what tests/fidelity.py says, and every test that it names is there."""

import re
from pathlib import Path

import pytest

from tests.fidelity import SECTIONS, page

ROOT = Path(__file__).parent.parent
NAMED = sorted({test for rows in SECTIONS.values() for row in rows for test in row.shown_by})


def test_the_page_is_fresh() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs" / "fidelity.md").read_text() == page(), "docs/fidelity.md is old: run make docs"


@pytest.mark.parametrize("test", NAMED)
def test_what_is_named_exists(test: str) -> None:
    """A test that was renamed or removed shows nothing any more."""
    file, _, name = test.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE), test
