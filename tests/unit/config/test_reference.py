"""The reference of settings. That docs/configuration.md is fresh is tested in tests/test_docs.py."""

import pytest

from rwrouter.config.model import Settings
from rwrouter.config.reference import reference


@pytest.mark.parametrize(
    "row",
    [
        "| `max_lag` | a duration, above 0 | `10` |",
        "| `resume_lag` | a duration |  |",
        '| `fallback` | `"primary"`, `"wait"`, `"error"` | `"primary"` |',
        "| `weight` | a number, 0 to 10000 | `100` |",
        "| `address` | a text | needed |",
        '| `listen` | a list of texts | `["127.0.0.1:6450"]` |',
        "| `classified_bytes` | a size | `1048576` |",
        '| `workers` | a number, `"auto"` | `"auto"` |',
        "| `plan_cache` | a number, 16 or more | `10000` |",
    ],
)
def test_a_row_says_what_to_write_and_what_goes_without(row: str) -> None:
    """Kind, bounds, choices and default are taken from the model."""
    assert row in reference()


def test_every_setting_has_a_description() -> None:
    """No row is left without its meaning, and options are named beside what they set."""
    assert "|  |\n" not in reference()
    assert "`--monitor-user`" in reference()
    for name in Settings.model_fields:
        assert f"`{name}`" in reference() or f"[{name}]" in reference()
