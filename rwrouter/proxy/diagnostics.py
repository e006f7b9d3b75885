"""Where FOUND_ROWS(), ROW_COUNT() and the warnings of a session are: on which of its connections.

As a rule where the statement before ran, which `client.last` tells, and nothing is noted. A statement that failed, or
that leaves them as they were (`sql/diagnostics.py`), is noted here when it is sent. The note names it by its bytes, and
holds only while they are those of the statement before: so nothing need be forgotten on the common path. Where a
statement asks for what another connection has, `bring` makes it so there.
"""

from typing import TYPE_CHECKING, Final

from rwrouter.errors import CountsLost
from rwrouter.model import Flavor
from rwrouter.protocol.flags import COM_QUERY, COM_STMT_EXECUTE, COM_STMT_PREPARE
from rwrouter.protocol.resultset import first_value
from rwrouter.sql.diagnostics import COUNT, ROWS, WARNINGS

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection

ASKING: Final = b"SELECT FOUND_ROWS() * 3 + SIGN(ROW_COUNT()) + 1 LIMIT 1"
"""Both in one number, which no character set changes: of ROW_COUNT() only the sign is needed."""

_STATEMENTS: Final = frozenset({COM_QUERY, COM_STMT_EXECUTE})
"""Commands that `client.last` follows; the others leave it."""

_NOTHING: Final = b"SET @@SESSION.sql_notes = @@SESSION.sql_notes"  # behind it ROW_COUNT() is 0


class Left:
    """Where each is after the statement *request*. *failed*: it ended with an error.

    *found* and *sign*: FOUND_ROWS() and the sign of ROW_COUNT(), where they are known by value alone: None otherwise.
    """

    __slots__ = ("count", "failed", "found", "request", "rows", "sign", "warnings")

    def __init__(
        self,
        request: bytes,
        rows: "BackendConnection",
        count: "BackendConnection",
        warnings: "BackendConnection",
        *,
        failed: bool = False,
        found: int | None = None,
        sign: int | None = None,
    ) -> None:
        self.found = found
        self.sign = sign
        self.request = request
        self.rows = rows
        self.count = count
        self.warnings = warnings
        self.failed = failed


def holders(client: "ClientConnection") -> Left:
    """Return where each is now, between two statements."""
    left = client.left
    if left is not None and left.request is client.request:
        return left
    return Left(client.request, client.last, client.last, client.last)


def keep(client: "ClientConnection", backend: "BackendConnection", data: bytes, leaves: int) -> None:
    """The command *data*, which *leaves* some of them, is about to be sent to *backend*."""
    if data[4] == COM_STMT_PREPARE and backend.endpoint.server.flavor is Flavor.MYSQL:
        leaves &= ~WARNINGS
    before = holders(client)
    rows = before.rows if leaves & ROWS else backend
    count = before.count if leaves & COUNT else backend
    warnings = before.warnings if leaves & WARNINGS else backend
    found = before.found if leaves & ROWS else None
    sign = before.sign if leaves & COUNT else None
    will_be_last = data[4] in _STATEMENTS or client.last is backend
    if rows is count is warnings is backend and found is None and sign is None and will_be_last:
        client.left = None
    else:
        is_failed = before.failed and bool(leaves & COUNT)
        client.left = Left(data, rows, count, warnings, failed=is_failed, found=found, sign=sign)


def warned(client: "ClientConnection", backend: "BackendConnection") -> None:
    """The statement that would leave the warnings has some of its own."""
    left = client.left
    if left is not None and left.request is client.request:
        left.warnings = backend


def failed(client: "ClientConnection", backend: "BackendConnection") -> None:
    """The statement has ended with an error on *backend*: it leaves the rows that were found before."""
    before = holders(client)
    client.left = Left(client.request, before.rows, backend, backend, failed=True, found=before.found)


async def save(client: "ClientConnection", backend: "BackendConnection") -> None:
    """Statements of the router's own are about to run on *backend*: keep what it knows by value. Raises BackendLost."""
    held = holders(client)
    if held.rows is not backend and held.count is not backend:
        return
    try:
        found, sign = await _ask(client, backend)
    except CountsLost:
        return
    client.left = Left(
        client.request,
        held.rows,
        held.count,
        held.warnings,
        failed=held.failed,
        found=found if held.rows is backend and held.found is None else held.found,
        sign=sign if held.count is backend and held.sign is None else held.sign,
    )


def place(client: "ClientConnection", asks: int) -> "BackendConnection":
    """Return the connection that knows what a statement *asks*, if any can answer it."""
    held = holders(client)
    if asks & WARNINGS:
        return held.warnings
    return held.rows if asks & ROWS and (held.failed or not asks & COUNT) else held.count


def is_elsewhere(client: "ClientConnection", backend: "BackendConnection", asks: int) -> bool:
    """Tell whether *backend* has to be brought what a statement *asks* before it answers.

    Warnings can't be brought; nor can rows to where the count is that is asked for, too.
    """
    if asks & WARNINGS:
        return False
    held = holders(client)
    if asks & COUNT and (held.count is not backend or held.sign is not None):
        return True
    is_free = held.failed or not asks & COUNT
    return bool(asks & ROWS) and (held.rows is not backend or held.found is not None) and is_free


def lost(client: "ClientConnection", asks: int) -> str:
    """Return why nobody can tell what a statement *asks*; "" where somebody can."""
    if not asks & (ROWS | COUNT):
        return ""
    held = holders(client)
    holder = held.rows if asks & ROWS else held.count
    if not holder.closed:
        return ""
    return (
        f"the counts of the statement before were lost with the connection to {holder.endpoint.server.name}"
    )


async def bring(client: "ClientConnection", backend: "BackendConnection", asks: int) -> None:
    """Make FOUND_ROWS() and ROW_COUNT() on *backend* what they are for the session. Raises CountsLost, BackendLost.

    ROW_COUNT() can be made what it is behind a SELECT, an error, and what changes no row. That is nearly every case: a
    write whose count is asked for ran on the primary, and so does what asks.
    """
    why = lost(client, asks)
    if why:
        raise CountsLost(why)
    held = holders(client)
    found, count = held.found, -1 if held.failed else held.sign
    if found is None:
        found, with_rows = await _ask(client, held.rows)
        if count is None and held.count is held.rows:
            count = with_rows
    if count is None:
        _, count = await _ask(client, held.count)
    if asks & COUNT and count > 0:
        raise CountsLost(
            f"the rows that {held.count.endpoint.server.name} has changed can't be told elsewhere"
        )
    await backend.query(_with_rows(found))
    if backend.reply.error is None and count == 0:
        await backend.query(_NOTHING)
    if backend.reply.error is not None:
        raise CountsLost(f"{backend.endpoint.server.name} does not take the counts of the statement before")
    client.left = Left(client.request, backend, backend, held.warnings, failed=count < 0)


async def _ask(client: "ClientConnection", holder: "BackendConnection") -> tuple[int, int]:
    """Return FOUND_ROWS() and the sign of ROW_COUNT() of *holder*. Raises CountsLost, BackendLost."""
    value = first_value(await holder.query(ASKING), client.login.capabilities)
    if value is None or not value.isdigit():
        raise CountsLost(f"{holder.endpoint.server.name} does not tell the counts of the statement before")
    found, sign = divmod(int(value), 3)
    return found, sign - 1


def _with_rows(found: int) -> bytes:
    """Return a SELECT behind which FOUND_ROWS() is *found*, which sends no row and needs no schema.

    MariaDB has JSON_TABLE since 10.6.
    """
    if found == 0:
        return b"SELECT 1 LIMIT 0"
    numbers = b"CONCAT('[', REPEAT('1,', %d), '1]')" % (found - 1)
    return (
        b"SELECT SQL_CALC_FOUND_ROWS 1 FROM JSON_TABLE(%s, '$[*]' COLUMNS (n INT PATH '$')) AS t LIMIT 0"
        % numbers
    )
