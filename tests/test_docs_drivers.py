"""docs/drivers.md has a row for each driver, a column for each feature, and every step.

What the marks of a row are is held by tests/integration/test_drivers.py, which runs the drivers.
"""

from tests.drivers import page
from tests.drivers.catalogue import DRIVERS


def test_each_driver_has_its_row() -> None:
    """No driver is missing, and none is there that is not run."""
    assert list(page.rows()) == [
        "Driver Language",
        *(f"{driver.title} {driver.language}" for driver in DRIVERS),
    ]


def test_a_row_has_the_marks_that_the_page_explains() -> None:
    """Each cell is one of three."""
    marks = {mark for title, cells in page.rows().items() if title != "Driver Language" for mark in cells}
    assert marks == {page.EQUAL, page.PARTLY, page.NONE}


def test_the_steps_are_those_that_the_programs_take() -> None:
    """The list of the page is the common list."""
    text = page.PAGE.read_text(encoding="utf-8")
    assert "\n".join(page.header()) in text
    assert "\n".join(page.steps()) in text
