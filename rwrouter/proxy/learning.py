"""What a reply teaches of its session beyond its own words, and where the session lives from then on."""

import re
from typing import TYPE_CHECKING, Final

from rwrouter.protocol.auth import Secret
from rwrouter.protocol.flags import CLIENT_DEPRECATE_EOF, COM_QUERY
from rwrouter.protocol.resultset import first_number
from rwrouter.proxy import diagnostics, holding, idling, trackers
from rwrouter.sql import plans
from rwrouter.sql.diagnostics import WARNINGS
from rwrouter.sql.passwords import new_password
from rwrouter.sql.plans import Plan, Target

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection

ASSUMED_WRITES: Final = plans.WRITES | plans.MAY_WRITE | plans.ENDS
"""Without GTIDs nobody tells whether such a statement has written: assume that it has."""

_FROM_TABLE: Final = re.compile(
    r" FROM (?!(?:dual|json_table|information_schema|performance_schema|mysql|sys)\b)[`\w]", re.IGNORECASE
)

_INSERTS: Final = plans.WRITES | plans.MAY_WRITE | plans.SETS_INSERT_ID


def learn(client: "ClientConnection", backend: "BackendConnection", effects: int, data: bytes) -> None:
    """A statement with *effects* has ended well on *backend*; *data*: the last of its reply, or all of it."""
    session = client.session
    reply = backend.reply
    version = session.version
    writes = session.writes
    if session.pins & plans.NEXT_TRANSACTION and _uses_tables(client.plan):
        effects |= plans.USES_TABLES
    lock = first_number(data, client.login.capabilities) if effects & plans.ONE_LOCK_CALL else None
    session.on_reply(effects, reply.status, reply.changes, client.plan.names, lock)
    if effects & ASSUMED_WRITES and session.writes == writes:
        if not client.routes.has_gtids:
            session.wrote_without_gtid(client.gateway.loop.time())
        elif effects & (plans.WRITES | plans.MAY_WRITE) and _ended_by_eof(data, client.login.capabilities):
            session.wrote_somewhere()
    elif reply.untold and session.writes == writes and backend.endpoint is client.routes.primary:
        # A read has written after all, by a function that a view calls: an EOF packet tells no GTID.
        session.wrote_somewhere()
    if effects & _INSERTS and (reply.insert_id or effects & plans.SETS_INSERT_ID):
        client.insert_id_at = backend
    if effects & plans.ACCOUNTS and client.command == COM_QUERY:
        password = new_password(client.sql_at_hand(), client.account.user)
        if password is not None:
            client.new_secret = Secret.of(password)
    if effects & (plans.KEEPS | plans.ROLE):
        _keep(client, backend, effects)
    if client.plan.leaves & WARNINGS and reply.warnings:
        diagnostics.warned(client, backend)
    if session.writes != writes:
        backend.reached = session.writes
    if session.version != version:
        _follow(client, backend)
    if client.laid_open is not None or session.reported:
        trackers.ended(client, backend, effects)
    client.home = None if session.free else backend
    if client.home is not None and backend.endpoint is not client.routes.writable:
        holding.follow_primary(client)


def _follow(client: "ClientConnection", backend: "BackendConnection") -> None:
    """The session's state has changed on *backend*, which therefore has it."""
    session = client.session
    backend.version = session.version
    backend.variables = session.variables.copy()
    backend.schema = session.schema
    backend.role = session.role
    if not session.knows_collation:
        client.charset_at = backend
    if client.gateway.rules.follows_schema:
        client.follow_terms()
    if idling.VARIABLE in client.session.variables:
        idling.follow(client)


def failed(client: "ClientConnection", backend: "BackendConnection", effects: int) -> None:
    """A statement with *effects* has ended with an error on *backend*."""
    session = client.session
    version = session.version
    session.on_error(effects, backend.reply.changes, client.plan.names, backend.reply.status)
    if session.version != version:  # by what several statements have done before the error
        _follow(client, backend)
    if client.laid_open is not None or session.reported:
        trackers.ended(client, backend, effects)
    if session.position_unknown and not client.routes.has_gtids:
        session.position_unknown = False
        session.wrote_without_gtid(client.gateway.loop.time())
    if effects & plans.KEEPS & session.keeps:
        _keep(client, backend, effects & ~plans.ROLE)
    if not session.free and client.home is None and backend.endpoint is client.routes.primary:
        client.home = backend


def _keep(client: "ClientConnection", backend: "BackendConnection", effects: int) -> None:
    """Remember where the session's variables and names are, and which role it has."""
    session = client.session
    if effects & plans.USER_VARIABLE:
        for name in client.plan.names:
            if name[0] in "@?":
                client.user_variables[name] = backend
        if backend.endpoint is not client.routes.primary:
            session.version += 1  # so that the primary is given them before its next statement
    if effects & (plans.PREPARES | plans.HANDLER_OPENS):
        client.keeper = backend
    if effects & plans.ROLE:
        if effects & plans.SEVERAL_STATEMENTS or client.command != COM_QUERY:
            session.pins |= plans.CONNECTION_STATE
            session.free = False
        else:
            session.role = client.sql_at_hand()
            session.version += 1


def _uses_tables(plan: Plan) -> bool:
    """Tell whether a statement takes part in a transaction for certain, as far as its text shows.

    A SELECT from something that is no table (a WITH of its own, a derived table, JSON_TABLE) does not.
    """
    if plan.effects & plans.WRITES or plan.digest.startswith("TABLE"):
        return True
    found = _FROM_TABLE.search(plan.digest)
    return found is not None and not plan.digest.startswith("WITH")


def _ended_by_eof(data: bytes, capabilities: int) -> bool:
    """Tell whether a reply ended with an EOF packet, which has no room for a GTID: clients of old ask for those."""
    return (
        not capabilities & CLIENT_DEPRECATE_EOF and data[-9:-6] == b"\x05\x00\x00" and data[-5:-4] == b"\xfe"
    )


_STAYS: Final = (
    plans.SETS_VARIABLE
    | plans.USER_VARIABLE
    | plans.READS_USER_VARIABLE
    | plans.ROLE
    | plans.SCHEMA
    | plans.NEXT_TRANSACTION
    | plans.ENDS
    | plans.OF_TRACKERS
)
"""Effects of statements that a reading transaction on a replica can hold: they are brought to the primary after it."""


def needs_primary(plan: Plan) -> bool:
    """Tell whether a statement can't run in a reading transaction on a replica."""
    if plan.target is Target.SAME:
        return bool(plan.effects & plans.LAST_INSERT_ID)
    if plan.target is not Target.PRIMARY:
        return False
    if plan.effects & plans.SETS_VARIABLE and "AUTOCOMMIT" in plan.digest.upper():
        return True
    return not plan.effects or bool(plan.effects & ~_STAYS) or "?" in plan.names
