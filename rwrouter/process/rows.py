"""Which server has which row of the scoreboard: servers come and go, rows are as many as they were at the start."""

from collections.abc import Sequence


class Rows:
    """Gives a row to each server. Who has gone keeps its row, and so its totals, until another one needs it."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._rows: dict[str, int] = {}  # those that were there last are last

    def assign(self, names: Sequence[str]) -> dict[str, int]:
        """Return the row of each server, *names* being those that are there now. One too many has none."""
        for name in names:
            row = self._rows.pop(name, None)
            if row is None:
                row = self._free(names)
            if row is not None:
                self._rows[name] = row
        return dict(self._rows)

    def _free(self, names: Sequence[str]) -> int | None:
        if len(self._rows) < self._places:
            return next(row for row in range(self._places) if row not in self._rows.values())
        gone = next((name for name in self._rows if name not in names), None)
        return None if gone is None else self._rows.pop(gone)
