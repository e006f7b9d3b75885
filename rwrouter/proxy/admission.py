"""Lets a client in that has proved who it is: a server has the last word, and is then its first connection."""

import logging
from typing import TYPE_CHECKING, Final

from rwrouter.errors import AccessDenied, NoServer, RouterError
from rwrouter.protocol.auth import Secret
from rwrouter.protocol.flags import (
    CLIENT_COMPRESS,
    CLIENT_CONNECT_WITH_DB,
    CLIENT_SESSION_TRACK,
    CLIENT_SSL,
    CLIENT_ZSTD,
    SESSION_STATUS,
)
from rwrouter.protocol.handshake import Login, ServerHandshake
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.dial import Account, Refusal
from rwrouter.proxy.holding import ENDING_ERRORS
from rwrouter.proxy.opening import FULL, LeftAlone, open_connection, reason

if TYPE_CHECKING:
    from rwrouter.proxy.gateway import Gateway
    from rwrouter.proxy.servers import Endpoint

log = logging.getLogger("rwrouter.client")

WAITING_SHARE: Final = 0.8
"""Of the time for a login, at most so much is spent waiting for a server: the error must be told in time."""

_NOT_FOR_SERVERS: Final = CLIENT_SSL | CLIENT_CONNECT_WITH_DB | CLIENT_COMPRESS | CLIENT_ZSTD
_COMPRESSION: Final = {"none": 0, "zlib": CLIENT_COMPRESS, "zstd": CLIENT_ZSTD}


async def admit(
    gateway: "Gateway", machine: ServerHandshake, login: Login, peer: str, address: tuple[str, int] | None
) -> tuple[Account, BackendConnection] | None:
    """Log in to a server as the client of *login*; None: *machine* has rejected it, with the server's words."""
    try:
        account = account_of(gateway, login, peer, address)
        schema = (login.schema or "").encode("utf-8", "surrogateescape")
        backend = await first_connection(gateway, account, schema)
    except Refusal as refusal:
        if refusal.number not in FULL:
            gateway.forget(login.user)
        gateway.counters.logins_failed += 1
        log.warning('event=refused client=%s user=%s reason="%s"', peer, login.user, refusal)
        machine.reject(refusal.number, refusal.state, str(refusal))
        return None
    except (RouterError, OSError) as exc:
        error = exc if isinstance(exc, RouterError) else NoServer(str(exc) or "no server answers")
        log.warning('event=refused client=%s user=%s reason="%s"', peer, login.user, error)
        machine.reject(error.code, error.sqlstate, str(error))
        return None
    gateway.learn(login.user, account.secret)
    gateway.first_status = backend.reply.status & SESSION_STATUS
    return account, backend


def account_of(
    gateway: "Gateway", login: Login, peer: str, address: tuple[str, int] | None = None
) -> Account:
    """Return how to log in to servers for the client of *login*. Raises AccessDenied."""
    user, secret = login.user, login.secret
    configured = gateway.configured.get(user)
    if configured is not None:
        known, settings = configured
        if login.password_known and (secret.password or b"") != (known.password or b""):
            raise AccessDenied(f"Access denied for user '{user}'@'{peer}' (using password: YES)")
        user = settings.backend_user or user
        own = settings.backend_password
        secret = Secret.of(own.get_secret_value().encode()) if own is not None else known
    elif not login.password_known and user in gateway.secrets:
        secret = gateway.secrets[user][0]  # a server may ask for the whole password
    return Account(
        user=user,
        secret=secret,
        capabilities=(login.capabilities & ~_NOT_FOR_SERVERS)
        | CLIENT_SESSION_TRACK
        | _COMPRESSION[gateway.settings.compression.servers],
        collation=login.collation,
        attributes={**login.attributes, b"rwrouter_client": peer.encode()},
        client_tracks=bool(login.capabilities & CLIENT_SESSION_TRACK),
        address=address,
    )


async def first_connection(gateway: "Gateway", account: Account, schema: bytes) -> BackendConnection:
    """Return a connection to the primary, or to another server while there is none, or to the first that is back.

    Raises Refusal, NoServer, PrimaryTimeout, TooManyHeld.
    """
    limits = gateway.settings.limits
    until = gateway.loop.time() + min(limits.primary_wait, limits.handshake_timeout * WAITING_SHARE)
    while True:
        tried: list[str] = []
        full: Refusal | None = None
        candidates = _candidates(gateway)
        for endpoint in candidates:
            has_others = endpoint is not candidates[-1]
            try:
                return await open_connection(gateway, endpoint, account, schema, has_others=has_others)
            except Refusal as refusal:
                if refusal.number not in FULL | ENDING_ERRORS:
                    raise
                full = refusal if refusal.number in FULL else full
                tried.append(f"{endpoint.server.name}: {refusal}")
            except LeftAlone as exc:
                tried.append(f"{endpoint.server.name}: {exc}")
            except (RouterError, OSError) as exc:
                tried.append(f"{endpoint.server.name}: {reason(gateway, endpoint, exc)}")
        if full is not None:
            raise full  # the servers' own word: the next try of the client may find room
        if gateway.loop.time() >= until:
            raise NoServer("; ".join(tried) or gateway.routes.why_nobody())
        await gateway.holding.for_login(until)


def _candidates(gateway: "Gateway") -> "list[Endpoint]":
    routes = gateway.routes
    found = [routes.primary] if routes.primary is not None else []
    return found + [endpoint for endpoint, _ in routes.readers.laid_out if endpoint not in found]
