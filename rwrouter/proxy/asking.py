"""Answers the statements that ask the router itself: `RWROUTER …`, as text or prepared. No server sees them."""

from typing import TYPE_CHECKING, Final

from rwrouter.errors import BadRequest
from rwrouter.protocol.flags import (
    CLIENT_OPTIONAL_RESULTSET_METADATA,
    COM_STMT_EXECUTE,
    COM_STMT_FETCH,
    COM_STMT_SEND_LONG_DATA,
    SESSION_STATUS,
)
from rwrouter.protocol.framing import frames
from rwrouter.protocol.packets import build_error
from rwrouter.protocol.resultset import Heading, Row, build_ok, build_result, definitions
from rwrouter.proxy import explaining, showing
from rwrouter.proxy.encoding import encoding_of
from rwrouter.routing.prepared import PlannedStatement
from rwrouter.routing.terms import Wish
from rwrouter.sql import asking, plans
from rwrouter.sql.asking import Explain, Request, Set
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection

_ITEMS: Final = (Heading("item"), Heading("value"))
_HELP: Final = (Heading("statement"), Heading("does"))


def status_of(client: "ClientConnection") -> int:
    """Return the status flags for an answer of the router's own: the session is as the last reply left it."""
    return client.session.status & SESSION_STATUS


def answer(client: "ClientConnection", sql: bytes) -> None:
    """Answer a statement sent as text."""
    try:
        request = _read(client, sql)
        client.reply_with(_reply(client, request, binary=False))
    except BadRequest as error:
        client.fail(error)


def prepare(client: "ClientConnection", sql: bytes, plan: Plan) -> None:
    """Answer a COM_STMT_PREPARE. What the statement says is read again at its execution."""
    try:
        columns = _columns(_read(client, sql))
    except BadRequest as error:
        client.fail(error)
        return
    client.statements.begin(sql, plan, client.session)
    statement = client.statements.succeed(0)
    capabilities = client.login.capabilities
    head = b"\x00" + statement.number.to_bytes(4, "little") + len(columns).to_bytes(2, "little")
    head += b"\x00\x00\x00\x00\x00"  # no parameters, a filler, no warnings
    if capabilities & CLIENT_OPTIONAL_RESULTSET_METADATA:
        head += b"\x01"
    payloads = [head]
    if columns:
        encoding = encoding_of(client.session, client.login.collation)
        payloads += definitions(columns, capabilities, status=status_of(client), encoding=encoding)
    client.reply_with(frames(payloads, 1))


def command(client: "ClientConnection", statement: PlannedStatement, number: int) -> None:
    """Answer a COM_STMT_* command, by its *number*, on a statement that `prepare` has prepared. Not its end."""
    if number == COM_STMT_EXECUTE:
        try:
            client.reply_with(_reply(client, _read(client, statement.sql), binary=True))
        except BadRequest as error:
            client.fail(error)
    elif number == COM_STMT_SEND_LONG_DATA:
        client.finished()  # it has no reply
    elif number == COM_STMT_FETCH:
        text = f"The statement ({statement.number}) has no open cursor."
        client.reply_with(build_error((1421, "HY000", text), 1))
    else:
        client.reply_with(build_ok(status_of(client)))


def _read(client: "ClientConnection", sql: bytes) -> Request:
    request = asking.read(sql)
    if isinstance(request, Explain) and client.plan_of(request.sql).effects & plans.SEVERAL_STATEMENTS:
        raise BadRequest("RWROUTER EXPLAIN takes one statement, and stands alone: send it without others")
    return request


def _columns(request: Request) -> tuple[Heading, ...]:
    if isinstance(request, Set):
        return ()
    if isinstance(request, Explain) or request.what == "session":
        return _ITEMS
    return showing.SERVERS if request.what == "servers" else _HELP


def _reply(client: "ClientConnection", request: Request, *, binary: bool) -> bytes:
    status = status_of(client)
    if isinstance(request, Set):
        _set(client, request)
        return build_ok(status)
    return build_result(
        _columns(request),
        _rows(client, request),
        client.login.capabilities,
        status=status,
        encoding=encoding_of(client.session, client.login.collation),
        binary=binary,
    )


def _rows(client: "ClientConnection", request: Explain | asking.Show) -> list[Row]:
    if isinstance(request, Explain):
        return list(explaining.explain(client, request.sql))
    if request.what == "session":
        return list(showing.session(client))
    if request.what == "servers":
        return showing.servers(client.gateway)
    return list(asking.STATEMENTS.items())


def _set(client: "ClientConnection", request: Set) -> None:
    client.wish = Wish(**{**client.wish._asdict(), **request.values})
    client.follow_terms()
