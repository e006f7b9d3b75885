"""What a person may change."""

from typing import Any

import pytest

from rwrouter.admin.operating import STATES, read_order, read_weight
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


def test_an_order_as_it_should_be() -> None:
    """All that can be given."""
    order = read_order(
        {
            "to": "db2",
            "user": "admin",
            "password": "topsecret",
            "replication_user": "repl",
            "replication_password": "hidden",
            "drain": 0.5,
            "transactions": "kill",
            "dry_run": True,
        }
    )
    assert (order.to, order.drain, order.kills, order.dry_run) == ("db2", 0.5, True, True)
    assert "topsecret" not in repr(order)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ([], 'write {"to"'),
        ({"user": "admin"}, "to: it is missing"),
        ({"to": "db2"}, "user: it is missing"),
        ({"to": "db2", "user": "a", "password": 5}, "password: write a text"),
        ({"to": "db2", "user": "a", "drain": 0}, "drain: write a number of seconds"),
        ({"to": "db2", "user": "a", "catch_up": True}, "catch_up: write a number of seconds"),
        ({"to": "db2", "user": "a", "transactions": "wait"}, 'write "refuse" or "kill"'),
        ({"to": "db2", "user": "a", "dry_run": 1}, "dry_run: write true or false"),
        ({"to": "db2", "user": "a", "speed": 1}, "unknown: speed"),
    ],
)
def test_an_order_that_is_wrong(body: object, why: str) -> None:
    """It is said what to write."""
    with pytest.raises(ValueError, match=why):
        read_order(body)
