"""What the outcome of opening a connection says of the server."""

import asyncio
import errno
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rwrouter.errors import AuthNotSupported
from rwrouter.proxy.dial import Refusal
from rwrouter.proxy.opening import LeftAlone, open_connection
from rwrouter.proxy.servers import Endpoint
from tests.unit.proxy.stage import server


class Told:
    """A gateway that remembers what it is told, and whose dialer does as it is bid."""

    def __init__(self, outcome: Exception | None) -> None:
        self.told: list[str] = []
        self.dialer = SimpleNamespace(open=self._open)
        self.loop = SimpleNamespace(time=lambda: 100.0)
        self.settings = SimpleNamespace(limits=SimpleNamespace(connect_timeout=5.0))
        self._outcome = outcome

    async def _open(self, *_: object) -> str:
        if self._outcome is not None:
            raise self._outcome
        return "a connection"

    def refused(self, endpoint: Endpoint, why: str) -> None:
        """The server failed."""
        endpoint.circuit.failed(100.0)
        self.told.append(f"failed: {why}")

    def exhausted(self, why: str) -> None:
        """The router itself failed."""
        self.told.append(f"exhausted: {why}")

    def full(self, _: Endpoint, why: str) -> None:
        """The server is full."""
        self.told.append(f"full: {why}")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (None, []),
        (Refusal(1045, "28000", "Access denied"), []),
        (Refusal(1049, "42000", "Unknown database"), []),
        (Refusal(1203, "42000", "User has more than max_user_connections"), []),
        (Refusal(1040, "08004", "Too many connections"), ["full: Too many connections"]),
        (Refusal(1129, "HY000", "Host is blocked"), ["failed: Host is blocked"]),
        (Refusal(1053, "08S01", "Server shutdown"), ["failed: Server shutdown"]),
        (AuthNotSupported("ed25519"), []),
        (ConnectionRefusedError("refused"), ["failed: refused"]),
        (TimeoutError(), ["failed: no answer within 5 s"]),
        (OSError(errno.EMFILE, "Too many open files"), ["exhausted: [Errno 24] Too many open files"]),
    ],
)
def test_only_what_concerns_the_server_is_held_against_it(outcome: Exception | None, told: list[str]) -> None:
    """An account that is refused is that client's trouble; the error comes out as it went in."""
    gateway, endpoint = Told(outcome), Endpoint(server("db2"))
    work = open_connection(cast("Any", gateway), endpoint, cast("Any", None), b"", has_others=True)
    if outcome is None:
        assert cast("Any", asyncio.run(work)) == "a connection"
    else:
        with pytest.raises(type(outcome)) as caught:
            asyncio.run(work)
        assert caught.value is outcome
    assert gateway.told == told
    assert endpoint.circuit.is_closed is not any(word.startswith("failed") for word in told)


def test_one_that_failed_is_left_alone_where_there_are_others() -> None:
    """Where there are none it is tried all the same."""
    gateway, endpoint = Told(None), Endpoint(server("db2"))
    endpoint.circuit.failed(100.0)
    for has_others in (True, False):
        work = open_connection(cast("Any", gateway), endpoint, cast("Any", None), b"", has_others=has_others)
        if has_others:
            with pytest.raises(LeftAlone, match="a moment ago"):
                asyncio.run(work)
        else:
            asyncio.run(work)
    assert endpoint.circuit.is_closed
