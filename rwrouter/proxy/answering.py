"""Answers the statements that speak to the router, not to a server."""

from typing import TYPE_CHECKING

from rwrouter.errors import Denied
from rwrouter.protocol.resultset import build_text_result
from rwrouter.proxy import asking
from rwrouter.proxy.killing import answer_kill
from rwrouter.sql import plans
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection


def answer(client: "ClientConnection", sql: bytes, plan: Plan) -> bool:
    """Answer a statement that speaks to the router, if it can be answered; else it goes to the primary.

    What the primary answers with ids of its own is told with the router's: numbering.py.
    """
    if plan.effects & plans.ASKS_ROUTER:
        asking.answer(client, sql)
        return True
    if plan.effects & plans.DENIED:
        client.fail(Denied(plan.reason))
        return True
    status = asking.status_of(client)
    if plan.effects & plans.CONNECTION_ID:
        if client.gateway.routes.writable is not None:
            return False  # the server's answer, with our number: its metadata are the statement's own
        client.reply_with(
            build_text_result(
                ["CONNECTION_ID()"],
                [[client.number]],
                client.login.capabilities,
                status=status,
            )
        )
        return True
    if plan.effects & plans.KILLS:
        return answer_kill(client, sql)
    return False
