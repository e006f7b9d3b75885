"""KILL: its number is the router's, its rights are the server's to check.

The client that kills logs in to the servers of its target with its own account, so that a server answers as it would
without a router: 1095 where the right is missing.
"""

import logging
import re
from typing import TYPE_CHECKING, Final

from rwrouter.errors import RouterError
from rwrouter.protocol.packets import build_error, message_of
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.dial import Account, Refusal
from rwrouter.proxy.holding import interrupt

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection
    from rwrouter.proxy.gateway import Gateway

log = logging.getLogger("rwrouter.client")

_KILL: Final = re.compile(
    rb"\s*kill\s+(?:(?:hard|soft)\s+)?(?:(?P<what>connection|query)\s+)?(?P<number>\d+)\s*;?\s*",
    re.IGNORECASE,
)

_OK: Final = b"\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"


def read_kill(sql: bytes) -> tuple[int, bool] | None:
    """Return the number in a KILL statement, and whether only the query is meant; None for other forms."""
    match = _KILL.fullmatch(sql)
    if match is None:
        return None
    return int(match["number"]), (match["what"] or b"").lower() == b"query"


def answer_kill(client: "ClientConnection", sql: bytes) -> bool:
    """Carry out a KILL of a client of the router; False where it is of another form, or has a server's number.

    Those the primary answers: a person who reads its process list means its numbers.
    """
    asked = read_kill(sql)
    return asked is not None and begin_kill(client, asked[0], query_only=asked[1])


def begin_kill(client: "ClientConnection", number: int, *, query_only: bool) -> bool:
    """Carry out what *client* asks for; False where *number* is a server's own."""
    if number < client.gateway.first_number:
        return False
    client.begin_local(_killed(client, number, query_only))
    return True


async def _killed(client: "ClientConnection", number: int, query_only: bool) -> None:
    gateway = client.gateway
    target = gateway.clients.get(number)
    if target is None:
        if gateway.is_elsewhere(number):
            gateway.kill_elsewhere(number, client.account, query_only=query_only)
            client.reply_with(_OK)
        else:
            client.reply_with(build_error((1094, "HY000", f"Unknown thread id: {number}"), 1))
        return
    error = await kill(gateway, target, client.account, query_only=query_only)
    if target is not client or query_only:
        client.reply_with(_OK if error is None else build_error(error, 1))


async def kill(
    gateway: "Gateway", target: "ClientConnection", account: Account, *, query_only: bool
) -> tuple[int, str, str] | None:
    """End what *target* runs, or all of it, with *account*'s rights; return the server's error, if any."""
    if query_only and account.user == target.account.user and interrupt(target):
        return None  # everybody may end what is their own
    backends = (
        [target.current] if query_only and target.current is not None else list(target.backends.values())
    )
    for backend in backends:
        error = await _kill_on(gateway, backend, account, query_only=query_only)
        if error is not None:
            return error
    if not query_only:
        target.close()
    return None


async def kill_abandoned(gateway: "Gateway", backend: BackendConnection, account: Account) -> None:
    """End a statement whose client has gone, and its transaction with it."""
    error = await _kill(gateway, backend, account, query_only=False)
    if error is not None:
        log.warning('event=not_killed server=%s reason="%s"', backend.endpoint.server.name, error[2])


async def _kill_on(
    gateway: "Gateway", backend: BackendConnection, account: Account, *, query_only: bool
) -> tuple[int, str, str] | None:
    return None if backend.closed else await _kill(gateway, backend, account, query_only=query_only)


async def _kill(
    gateway: "Gateway", backend: BackendConnection, account: Account, *, query_only: bool
) -> tuple[int, str, str] | None:
    try:
        killer = await gateway.dialer.open(backend.endpoint, account, b"")
    except Refusal as refusal:
        return refusal.number, refusal.state, str(refusal)
    except (RouterError, OSError) as exc:
        return 9602, "HY000", f"{backend.endpoint.server.name} can't be reached to kill there: {exc}"
    try:
        verb = b"KILL QUERY " if query_only else b"KILL CONNECTION "
        await killer.query(verb + str(backend.connection_id).encode())
        error = killer.reply.error
        if error is None or int.from_bytes(error[1:3], "little") == 1094:  # it ended by itself
            return None
        return int.from_bytes(error[1:3], "little"), error[4:9].decode(), message_of(error)
    except RouterError as exc:
        return exc.code, exc.sqlstate, str(exc)
    finally:
        killer.close()
