"""Settings."""

import pytest
from pydantic import ValidationError

from rwrouter.config.model import Settings


def test_defaults_are_valid_and_units_are_read() -> None:
    """Nothing needs to be configured; durations can be written as people write them."""
    assert Settings().reads.consistency == "session"
    assert Settings.model_validate({"reads": {"max_lag": "500ms"}}).reads.max_lag == pytest.approx(0.5)


def test_unknown_keys_are_errors() -> None:
    """A misspelt key is never ignored."""
    with pytest.raises(ValidationError):
        Settings.model_validate({"reeds": {}})
