"""Commands that are neither COM_QUERY nor COM_STMT_*: where each runs, and what it leaves behind.

All are answered by a server, those that no server knows too: its error is the right one. COM_CHANGE_USER is in
user_change.py.
"""

from typing import TYPE_CHECKING, Final

from rwrouter.model import Flavor
from rwrouter.protocol.flags import (
    CLIENT_MULTI_STATEMENTS,
    COM_BINLOG_DUMP,
    COM_BINLOG_DUMP_GTID,
    COM_CONNECT,
    COM_CONNECT_OUT,
    COM_CREATE_DB,
    COM_DAEMON,
    COM_DELAYED_INSERT,
    COM_DROP_DB,
    COM_INIT_DB,
    COM_PING,
    COM_PROCESS_KILL,
    COM_REGISTER_REPLICA,
    COM_RESET_CONNECTION,
    COM_SET_OPTION,
    COM_SLEEP,
    COM_TIME,
)
from rwrouter.proxy.killing import begin_kill
from rwrouter.routing.terms import Wish
from rwrouter.sql import plans
from rwrouter.sql.diagnostics import ROWS, WARNINGS
from rwrouter.sql.plans import Plan, Target

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection

STATEMENT: Final = Plan(Target.PRIMARY, "commands other than COM_QUERY run on the primary")

OTHER: Final = Plan(Target.PRIMARY, "this command runs on the primary", leaves=ROWS)
_INTERNAL: Final = Plan(
    Target.SAME, "every server refuses it: its error joins the warnings before", asks=WARNINGS, leaves=ROWS
)
_REPLICATES: Final = Plan(
    Target.PRIMARY, "the binary log is read on one connection", effects=plans.CONNECTION_STATE
)
_PLANS: Final = {
    **dict.fromkeys((COM_SLEEP, COM_CREATE_DB, COM_DROP_DB, COM_CONNECT), _INTERNAL),
    **dict.fromkeys((COM_TIME, COM_DELAYED_INSERT, COM_CONNECT_OUT, COM_DAEMON), _INTERNAL),
    COM_PING: Plan(Target.SAME, "it tells the warnings before", asks=WARNINGS, leaves=ROWS | WARNINGS),
    COM_SET_OPTION: Plan(Target.SAME, "it tells the warnings before", asks=WARNINGS, leaves=ROWS | WARNINGS),
    COM_INIT_DB: Plan(
        Target.SAME,
        "it tells the warnings before",
        effects=plans.SCHEMA,
        asks=WARNINGS,
        leaves=ROWS | WARNINGS,
    ),
    COM_REGISTER_REPLICA: _REPLICATES,
    COM_BINLOG_DUMP: _REPLICATES,
    COM_BINLOG_DUMP_GTID: _REPLICATES,
}


def run(client: "ClientConnection", data: bytes) -> None:
    """Run one such command that is here whole."""
    command = data[4]
    if command == COM_PROCESS_KILL and len(data) >= 9 and _knows_process_kill(client):
        number = int.from_bytes(data[5:9], "little")
        if begin_kill(client, number, query_only=False):
            return
    client.run(data, _PLANS.get(command, OTHER), command)


def _knows_process_kill(client: "ClientConnection") -> bool:
    """MySQL 9 has the command no more; it says so itself."""
    greeting = client.gateway.routes.snapshot.greeting
    return greeting is not None and greeting.flavor is Flavor.MARIADB


def after(client: "ClientConnection", backend: "BackendConnection") -> None:
    """A command has ended well: learn what only its name tells."""
    if client.command == COM_RESET_CONNECTION:
        client.session.reset()
        client.session.begin(backend.reply.status)
        client.session.version += 1
        client.wish = Wish()
        client.follow_terms()
        client.statements.clear()
        client.cursors.clear()
        client.home = client.keeper = None
        client.last = backend
        client.user_variables.clear()
        client.insert_id_at = None
        client.was_reset = True
        for other in client.backends.values():
            other.forget()
            other.stale = other is not backend
    elif client.command == COM_SET_OPTION:
        # 0 is MYSQL_OPTION_MULTI_STATEMENTS_ON, 1 ..._OFF. Other connections follow when they are used next.
        several = not client.request[5]
        account = client.account
        capabilities = account.capabilities & ~CLIENT_MULTI_STATEMENTS
        client.account = account._replace(
            capabilities=capabilities | CLIENT_MULTI_STATEMENTS if several else capabilities
        )
        backend.several = several
        client.session.version += 1
        backend.version = client.session.version
