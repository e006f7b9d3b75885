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


@pytest.mark.parametrize(
    ("given", "servers", "expected"),
    [(None, 1, True), (None, 2, False), (None, 0, False), (True, 3, True), (False, 1, False)],
)
def test_who_lists_one_server_has_the_others_found(
    servers: int, *, given: bool | None, expected: bool
) -> None:
    """Who lists several has said which; both can be said otherwise."""
    listed = [{"address": f"db{number}"} for number in range(servers)]
    values = {"servers": listed} if given is None else {"servers": listed, "discovery": given}
    assert Settings.model_validate(values).discovers is expected
