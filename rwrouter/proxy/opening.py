"""Opens a connection to a server for a client, by the state of the server's circuit, and tells that the outcome.

What a server refuses to one account says nothing of the server: only that client is concerned. One that is full
(1040) has fewer connections opened, and goes on with those it has. One that ends, or has blocked this host, fails.
"""

from errno import EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import TYPE_CHECKING, Final

from rwrouter.errors import BackendProtocolError
from rwrouter.model import State
from rwrouter.proxy.dial import Account, Refusal

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.gateway import Gateway
    from rwrouter.proxy.servers import Endpoint

FULL: Final = frozenset({1040})  # ER_CON_COUNT_ERROR
UNWELL: Final = frozenset({1053, 1129, 1130, 3032})
"""ER_SERVER_SHUTDOWN, ER_HOST_IS_BLOCKED, ER_HOST_NOT_PRIVILEGED, ER_SERVER_OFFLINE_MODE: whoever comes."""

OUR_OWN: Final = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL})
"""The router, or its machine, has no descriptors, memory or ports left: that says nothing of the server."""


class LeftAlone(Exception):
    """The server's circuit is open, or it was full: another one is asked."""


async def open_connection(
    gateway: "Gateway", endpoint: "Endpoint", account: Account, schema: bytes, *, has_others: bool
) -> "BackendConnection":
    """Return a logged-in connection to *endpoint*. Raises LeftAlone, Refusal, RouterError, OSError.

    *has_others*: another server will do as well, so that one which failed a moment ago need not be tried.
    """
    circuit = endpoint.circuit
    if has_others and (why := circuit.ask(gateway.loop.time(), endpoint.counters.connections)):
        raise LeftAlone(why)
    try:
        backend = await gateway.dialer.open(endpoint, account, schema)
    except Refusal as refusal:
        if refusal.number in FULL:
            gateway.full(endpoint, str(refusal))
        elif refusal.number in UNWELL:
            gateway.refused(endpoint, str(refusal))
        else:
            circuit.succeeded()
        raise
    except (BackendProtocolError, OSError) as exc:
        if isinstance(exc, OSError) and exc.errno in OUR_OWN:
            circuit.abandoned()
            gateway.exhausted(str(exc))
        else:
            gateway.refused(endpoint, reason(gateway, endpoint, exc))
        raise
    except BaseException:
        circuit.abandoned()
        raise
    circuit.succeeded()
    return backend


def reason(gateway: "Gateway", endpoint: "Endpoint", exc: Exception) -> str:
    """Return *exc* as a sentence: a time-out has no words of its own."""
    if not str(exc) and endpoint.server.state is State.DOWN:
        return f"it is down: {endpoint.server.reason}"
    return str(exc) or f"no answer within {gateway.settings.limits.connect_timeout:g} s"
