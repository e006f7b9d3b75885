"""The prepared statements of one session: what they are, where they may be prepared, and when one is given up.

A statement is prepared first on the session's primary connection, which gives the client its metadata, and on other
connections where it is first executed there. The client's ids are the router's own.
"""

from collections import OrderedDict
from collections.abc import Collection
from itertools import islice
from typing import Final

from rwrouter.protocol.statements import LAST_PREPARED, Prepared, Statement
from rwrouter.routing.session import Session
from rwrouter.sql.plans import Plan

ON_A_CONNECTION: Final = 256
"""Statements prepared at one time on one connection to a server: the one that was not used for longest is closed there,
and prepared again when it is executed. A server has 16,382 for all its connections (max_prepared_stmt_count)."""

IN_A_SESSION: Final = 16_382
"""What a client may have open: the servers' own default limit, so that forgetting to close ends as it would there."""

FIRST: Final = 1 << 30
"""The first of the router's numbers for statements. Servers count from 1 on each connection, so that what the client
made up or has closed can be passed on to a server as it is, and gets the server's own error."""

_CONTEXT: Final = (b"sql_mode", b"character_set_client")


class PlannedStatement(Statement):
    """A statement, its plan, and what its text was read in.

    *context*: schema, modes and character sets at its preparation. Elsewhere it may be prepared only where they are the
    same: after a USE the same text names other tables.
    """

    __slots__ = ("context", "plan")

    def __init__(self, number: int, sql: bytes, plan: Plan, context: tuple[bytes | int | None, ...]) -> None:
        super().__init__(number, sql)
        self.plan = plan
        self.context = context


def context_of(session: Session) -> tuple[bytes | int | None, ...]:
    """Return what the meaning of a statement's text depends on, beside the text."""
    return (session.schema, session.collations, *(session.variables.get(name) for name in _CONTEXT))


class StatementBook:
    """All statements of one session, by the client's ids."""

    __slots__ = ("_last", "_next", "_statements", "pending")

    def __init__(self) -> None:
        self._statements: dict[int, PlannedStatement] = {}
        self._next = FIRST
        self._last: PlannedStatement | None = None
        self.pending: PlannedStatement | None = None  # being prepared

    def __len__(self) -> int:
        return len(self._statements)

    def begin(self, sql: bytes, plan: Plan, session: Session) -> PlannedStatement:
        """A COM_STMT_PREPARE of *sql* is sent: return what it will be."""
        self.pending = PlannedStatement(self._next, sql, plan, context_of(session))
        self._next = FIRST + (self._next - FIRST + 1) % FIRST
        return self.pending

    def succeed(self, parameters: int) -> PlannedStatement:
        """The server has prepared the pending one."""
        statement = self.pending
        assert statement is not None, "a reply to a COM_STMT_PREPARE that was sent"  # noqa: S101
        self.pending = None
        statement.parameters = parameters
        self._statements[statement.number] = statement
        self._last = statement
        return statement

    def get(self, number: int) -> PlannedStatement | None:
        """Return the statement that the client calls *number*."""
        if number == LAST_PREPARED:
            return self._last
        return self._statements.get(number)

    def close(self, number: int) -> PlannedStatement | None:
        """Forget the statement, and return it."""
        return self._statements.pop(number, None)

    def clear(self) -> None:
        """Forget all: COM_RESET_CONNECTION, COM_CHANGE_USER."""
        self._statements.clear()
        self._last = None


class PreparedHere:
    """What is prepared on one connection to a server, the one that was used last at the end."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[Statement, Prepared] = OrderedDict()

    def get(self, statement: Statement) -> Prepared | None:
        """Return what *statement* is here, None where it is not prepared."""
        return self._known.get(statement)

    def used(self, statement: Statement) -> None:
        """It is executed now."""
        self._known.move_to_end(statement)

    def add(self, statement: Statement, server_id: int, held: Collection[Statement] = ()) -> list[int]:
        """It has been prepared here; return the server's ids of those to close for it.

        Those in *held* (open cursors) and those that have been sent data are not closed: that would be lost.
        """
        known = self._known
        known[statement] = Prepared(server_id)
        surplus = len(known) - ON_A_CONNECTION
        if surplus <= 0:
            return []
        spare = (one for one in known if one is not statement and one not in held and not one.has_long_data)
        return [known.pop(oldest).server_id for oldest in tuple(islice(spare, surplus))]

    def remove(self, statement: Statement) -> int | None:
        """It is closed; return the server's id if it was prepared here."""
        prepared = self._known.pop(statement, None)
        return None if prepared is None else prepared.server_id

    def clear(self) -> None:
        """The connection has been reset."""
        self._known.clear()
