"""Commands on prepared statements: the router's ids in, each server's own out.

COM_STMT_EXECUTE of a statement that is known where it goes costs what a COM_QUERY costs; all else is here.
"""

import logging
from typing import TYPE_CHECKING, Final

from rwrouter.errors import BackendLost, BadRequest, Denied, RouterError
from rwrouter.protocol.flags import (
    COM_STMT_BULK_EXECUTE,
    COM_STMT_CLOSE,
    COM_STMT_EXECUTE,
    COM_STMT_FETCH,
    COM_STMT_PREPARE,
    COM_STMT_RESET,
    COM_STMT_SEND_LONG_DATA,
    SERVER_STATUS_CURSOR_EXISTS,
    SERVER_STATUS_LAST_ROW_SENT,
    SESSION_STATUS,
)
from rwrouter.protocol.packets import build_error, message_of
from rwrouter.protocol.resultset import with_status
from rwrouter.protocol.statements import statement_id, translate, translate_bulk, with_id
from rwrouter.proxy import asking
from rwrouter.proxy.killing import answer_kill
from rwrouter.routing.decision import Where
from rwrouter.routing.prepared import FIRST, IN_A_SESSION, PlannedStatement, context_of
from rwrouter.sql.diagnostics import COUNT, ROWS, WARNINGS
from rwrouter.sql.plans import ASKS_ROUTER, DENIED, KILLS, Plan, Target

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.servers import Endpoint

log = logging.getLogger("rwrouter.pairing")

COMMANDS: Final = frozenset(
    {
        COM_STMT_PREPARE,
        COM_STMT_EXECUTE,
        COM_STMT_BULK_EXECUTE,
        COM_STMT_FETCH,
        COM_STMT_RESET,
        COM_STMT_CLOSE,
        COM_STMT_SEND_LONG_DATA,
    }
)

NEEDS_PREPARED: Final = COMMANDS - {COM_STMT_PREPARE, COM_STMT_CLOSE}
"""Those that a server understands only where the statement is prepared."""

PREPARING: Final = Plan(
    Target.PRIMARY, "a statement is prepared first where it could write", leaves=ROWS | COUNT | WARNINGS
)
PREPARING_READ: Final = Plan(
    Target.REPLICA, "a read is prepared beside the transaction that reads", leaves=ROWS | COUNT | WARNINGS
)
FETCHING: Final = Plan(
    Target.PRIMARY, "the statement has no cursor: the server says so", leaves=ROWS | WARNINGS
)
TIED: Final = Plan(Target.SAME, "the statement has a cursor on one connection", leaves=ROWS | WARNINGS)
STRAY: Final = Plan(
    Target.SAME, "not known: its error is told with the warnings before", asks=WARNINGS, leaves=ROWS
)
BULK: Final = "a statement is executed for many rows at once"
CLOSING: Final = Plan(Target.LOCAL, "closed wherever it is prepared")


class NotHere(RouterError):
    """A statement can't be prepared on this connection, in the words of its server where it spoke."""


def run(client: "ClientConnection", data: bytes) -> None:
    """Run a COM_STMT_* command that is here whole."""
    command = data[4]
    if command == COM_STMT_PREPARE:
        _prepare(client, data)
        return
    statement = client.statements.get(statement_id(data))
    if command == COM_STMT_CLOSE:
        if statement is not None:
            close(client, statement)
        client.finished()
        return
    if statement is None:
        if command == COM_STMT_SEND_LONG_DATA:
            client.finished()  # it has no reply; the execution will get the error
            return
        # The server's own error, on the connection whose warnings will be asked for.
        client.statement = None
        client.run(with_id(data, statement_id(data) | FIRST) if len(data) >= 9 else data, STRAY, command)
        return
    client.statement = statement
    if statement.plan.effects & ASKS_ROUTER:
        asking.command(client, statement, command)
        return
    if command == COM_STMT_EXECUTE:
        execute(client, data, statement)
        return
    if command == COM_STMT_BULK_EXECUTE:
        plan = statement.plan
        client.run(data, Plan(Target.PRIMARY, BULK, digest=plan.digest, effects=plan.effects), command)
        return
    if command == COM_STMT_SEND_LONG_DATA:
        # To where it will be executed: a cursor that is open elsewhere is closed by that.
        statement.has_long_data = True
        client.run(data, PREPARING, command)
        return
    if command == COM_STMT_RESET:
        statement.has_long_data = False
    tied = client.cursors.get(statement)
    if tied is None or tied.closed:
        client.run(data, FETCHING, command)
    elif tied.version == client.session.version and (client.home is None or client.home is tied):
        client.dispatch(tied, data, TIED, command)
    else:
        client.begin_local(_visit(client, tied, statement, data, command))


async def _visit(
    client: "ClientConnection",
    tied: "BackendConnection",
    statement: PlannedStatement,
    data: bytes,
    command: int,
) -> None:
    """Run a command for a cursor on a connection whose flags are not the session's.

    The session is tied to another one, or was moved since.
    """
    prepared = tied.prepared.get(statement)
    if prepared is None:
        client.fail(
            BackendLost(f"{tied.endpoint.server.name} has closed the statement, and its cursor with it")
        )
        return
    try:
        reply = await tied.ask(with_id(data, prepared.server_id)[4:])
    except BackendLost as error:
        client.fail(error)
        return
    _follow_cursor(client, tied, statement, command)
    client.reply_with(with_status(reply, client.session.status, SESSION_STATUS))


def execute(
    client: "ClientConnection", data: bytes, statement: PlannedStatement, endpoint: "Endpoint | None" = None
) -> None:
    """Run a COM_STMT_EXECUTE, on the connection that its plan and the session say; *endpoint*: whose turn it is."""
    plan = statement.plan
    if plan.effects & ASKS_ROUTER:
        asking.command(client, statement, COM_STMT_EXECUTE)
        return
    if plan.effects & KILLS and answer_kill(client, statement.sql):
        return
    if statement.has_long_data:
        plan = Plan(Target.PRIMARY, PREPARING.reason, digest=plan.digest, effects=plan.effects)
    elif endpoint is not None:
        client.prepare(data, plan, Where.READ, endpoint, COM_STMT_EXECUTE)
        return
    client.run(data, plan, COM_STMT_EXECUTE)


def begin_long(client: "ClientConnection", head: bytes) -> bool:
    """Begin a COM_STMT_* command that is passed on as it comes; False where it can't be, and the client was told."""
    statement = client.statements.get(statement_id(head))
    client.statement = statement
    if statement is None:
        text = f"Unknown prepared statement handler ({statement_id(head)}) given to mysqld_stmt_execute"
        client.fail_raw(build_error((1243, "HY000", text), 1), close=True)
        return False
    if statement.plan.effects & ASKS_ROUTER:
        client.fail(BadRequest("a RWROUTER statement takes no parameters"), close=True)
        return False
    if head[4] == COM_STMT_SEND_LONG_DATA:
        statement.has_long_data = True
    return True


def _prepare(client: "ClientConnection", data: bytes) -> None:
    if len(client.statements) >= IN_A_SESSION:
        text = f"Can't create more than max_prepared_stmt_count statements (current value: {IN_A_SESSION})"
        client.reply_with(build_error((1461, "42000", text), 1))
        return
    sql = data[5:]
    plan = client.plan_of(sql)
    if plan.effects & ASKS_ROUTER:
        asking.prepare(client, sql, plan)
        return
    if plan.effects & DENIED:
        client.fail(Denied(plan.reason))
        return
    client.statements.begin(sql, plan, client.session)
    is_read = plan.target is Target.REPLICA and client.session.only_reads
    client.run(data, PREPARING_READ if is_read else PREPARING, COM_STMT_PREPARE)


def close(client: "ClientConnection", statement: PlannedStatement) -> None:
    """Close *statement* wherever it is prepared. Servers do not reply to that."""
    client.statements.close(statement.number)
    client.cursors.pop(statement, None)
    for backend in client.backends.values():
        _forget(backend, statement)


def _forget(backend: "BackendConnection", statement: PlannedStatement) -> None:
    server_id = backend.prepared.remove(statement)
    if server_id is not None and not backend.closed:
        _close_on(backend, server_id)


def _close_on(backend: "BackendConnection", server_id: int) -> None:
    backend.transport.write(b"\x05\x00\x00\x00" + bytes((COM_STMT_CLOSE,)) + server_id.to_bytes(4, "little"))


def to_server(client: "ClientConnection", backend: "BackendConnection", data: bytes, command: int) -> bytes:
    """Return a client's COM_STMT_* packet as *backend*'s server understands it. The statement is prepared there."""
    if command == COM_STMT_PREPARE:
        pending = client.statements.pending
        backend.reply.statement_number = pending.number if pending is not None else 0
        return data
    statement = client.statement
    prepared = backend.prepared.get(statement) if statement is not None else None
    if statement is None or prepared is None:
        return data
    backend.prepared.used(statement)
    if command == COM_STMT_EXECUTE and client.upload is None:
        return translate(data, statement, prepared, attributes=client.has_attributes)
    if command == COM_STMT_BULK_EXECUTE and client.upload is None:
        return translate_bulk(data, statement, prepared)
    return with_id(data, prepared.server_id)


async def ensure(client: "ClientConnection", backend: "BackendConnection") -> None:
    """Prepare the statement at hand on *backend*, if it is not. Raises NotHere, BackendLost."""
    statement = client.statement
    if statement is None or backend.prepared.get(statement) is not None:
        return
    # SHOW WARNINGS reads the same in whatever schema or mode, and only one connection has what it asks for.
    if statement.context != context_of(client.session) and not statement.plan.digest.startswith(
        "SHOW WARNINGS"
    ):
        raise NotHere("the schema or a mode has changed since the statement was prepared")
    await backend.ask(bytes((COM_STMT_PREPARE,)) + statement.sql)
    prepared = backend.reply.prepared
    if prepared is None:
        raise NotHere("it can't prepare the statement: " + message_of(backend.reply.error or b""))
    _remember(client, backend, statement, prepared[0])


def succeeded(client: "ClientConnection", backend: "BackendConnection") -> None:
    """*backend* has prepared the statement that the client asked for."""
    prepared = backend.reply.prepared
    if prepared is not None:
        statement = client.statements.succeed(prepared[2])
        _remember(client, backend, statement, prepared[0])


def _remember(
    client: "ClientConnection", backend: "BackendConnection", statement: PlannedStatement, server_id: int
) -> None:
    for oldest in backend.prepared.add(statement, server_id, client.cursors):
        _close_on(backend, oldest)


def after(client: "ClientConnection", backend: "BackendConnection") -> None:
    """A COM_STMT_* command has ended well."""
    command = client.command
    if command == COM_STMT_PREPARE:
        succeeded(client, backend)
        return
    statement_at_hand = client.statement
    if statement_at_hand is None:
        return
    if command == COM_STMT_EXECUTE:
        statement_at_hand.has_long_data = False
        if backend.reply.status & SERVER_STATUS_CURSOR_EXISTS:
            client.cursors[statement_at_hand] = backend
        else:
            _close_cursor(client, statement_at_hand, backend)
    elif command in {COM_STMT_RESET, COM_STMT_FETCH}:
        _follow_cursor(client, backend, statement_at_hand, command)


def _follow_cursor(
    client: "ClientConnection", backend: "BackendConnection", statement: PlannedStatement, command: int
) -> None:
    """COM_STMT_RESET closes the cursor of *statement*, and a COM_STMT_FETCH that has had the last of its rows."""
    if command == COM_STMT_RESET or backend.reply.status & SERVER_STATUS_LAST_ROW_SENT:
        client.cursors.pop(statement, None)


def _close_cursor(
    client: "ClientConnection", statement: PlannedStatement, backend: "BackendConnection"
) -> None:
    """*statement* has been executed on *backend*: that closes the cursor of the execution before it, wherever it is."""
    holder = client.cursors.pop(statement, None)
    if holder is not None and holder is not backend:
        _forget(holder, statement)


def learn_write(client: "ClientConnection", plan: Plan) -> None:
    """A replica has refused the execution as a write: the statement goes to the primary from now on."""
    if client.command == COM_STMT_EXECUTE and client.statement is not None:
        client.statement.plan = plan
