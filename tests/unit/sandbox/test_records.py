"""Where a statement ran: how the servers' records are read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox.records import APPLIERS, OWN, statements

if TYPE_CHECKING:
    from rwrouter.sandbox.access import Access


class Recorded:
    """A server that answers from two lists."""

    def __init__(self, flavor: Flavor, rows: list[dict[str, Any]]) -> None:
        self.flavor = flavor
        self._rows = rows

    def query(self, sql: str, _arguments: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Answer as the server would."""
        return [{"THREAD_ID": 9}] if sql == APPLIERS else self._rows


def _event(thread: int, text: str, name: str = "statement/sql/select") -> dict[str, Any]:
    return {"THREAD_ID": thread, "EVENT_ID": 1, "EVENT_NAME": name, "SQL_TEXT": text}


@pytest.mark.parametrize(
    ("flavor", "rows"),
    [
        (
            Flavor.MYSQL,
            [
                _event(1, "SELECT 1 /* m */"),
                _event(9, "CREATE TABLE t (a int) /* m */"),
                _event(2, "SELECT 2 /* m */", "statement/com/Prepare"),
                _event(3, f"SELECT /* {OWN} */ '%m%'"),
            ],
        ),
        (Flavor.MARIADB, [{"argument": "SELECT 1 /* m */"}, {"argument": f"SELECT /* {OWN} */ '%m%'"}]),
    ],
)
def test_what_clients_ran_is_listed(flavor: Flavor, rows: list[dict[str, Any]]) -> None:
    """Neither what replication applied, nor a mere prepare, nor our own question counts."""
    assert statements(cast("Access", Recorded(flavor, rows)), "m") == ["SELECT 1 /* m */"]
