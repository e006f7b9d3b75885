"""What a person may change."""

from typing import Any

import pytest

from rwrouter.admin.operating import STATES, read_weight
from rwrouter.model import State


@pytest.mark.parametrize("body", [None, [], {}, {"weight": "5"}, {"weight": True}, {"weight": -1}])
def test_a_weight_is_a_whole_number(body: Any) -> None:
    """From 0 to 10,000; else the error says what to write."""
    with pytest.raises(ValueError, match="from 0 to 10000"):
        read_weight(body)
    assert read_weight({"weight": 0}) == 0


def test_a_person_makes_no_server_up_or_down() -> None:
    """Drained, disabled, or what the monitor finds."""
    assert set(STATES.values()) == {State.DRAINING, State.DISABLED, None}
