"""A stage for the edge: real connections of the proxy on transports that record, and servers that follow a script."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from rwrouter.config.model import Settings
from rwrouter.model import Address, Greeting, Lag, Role, Server, Snapshot, State
from rwrouter.protocol.auth import Secret
from rwrouter.protocol.flags import CLIENT_DEPRECATE_EOF, CLIENT_PROTOCOL_41, CLIENT_SESSION_TRACK
from rwrouter.protocol.handshake import Login
from rwrouter.protocol.resultset import build_text_result
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.client import ClientConnection
from rwrouter.proxy.dial import Account
from rwrouter.proxy.gateway import FIRST_NUMBER, Gateway
from rwrouter.proxy.servers import Endpoint

CAPABILITIES = CLIENT_PROTOCOL_41 | CLIENT_DEPRECATE_EOF | CLIENT_SESSION_TRACK


BASE = "00000000-0000-0000-0000-000000000001:1-9"
"""What every server has applied: they speak GTIDs."""


class Transport(asyncio.Transport):
    """Records what is written; *on_write* may answer."""

    def __init__(self, on_write: Callable[[bytes], None] | None = None) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self.closed = False
        self.aborted = False
        self.protocol: asyncio.BaseProtocol | None = None  # whoever was set last
        self._on_write = on_write

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Record, and let the script answer."""
        self.written += data
        if self._on_write is not None:
            self._on_write(bytes(data))

    def close(self) -> None:
        """Record."""
        self.closed = True

    def abort(self) -> None:
        """Record."""
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        """Tell."""
        return self.closed

    def pause_reading(self) -> None:
        """Record."""
        self.reading = False

    def resume_reading(self) -> None:
        """Record."""
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing waits here."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give a peer's name."""
        return ("192.0.2.1", 4711) if name == "peername" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Record who reads from now on."""
        self.protocol = protocol

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = bytes(self.written)
        self.written.clear()
        return data


def packet(payload: bytes, sequence_id: int = 0) -> bytes:
    """Frame one payload."""
    return len(payload).to_bytes(3, "little") + bytes((sequence_id,)) + payload


def query(sql: str) -> bytes:
    """Build a COM_QUERY."""
    return packet(b"\x03" + sql.encode())


def ok(status: int = 2, state: bytes = b"") -> bytes:
    """Build an OK packet."""
    body = b"\x00\x00\x00" + (status | (0x4000 if state else 0)).to_bytes(2, "little") + b"\x00\x00"
    if state:
        body += b"\x00" + bytes((len(state),)) + state
    return packet(body, 1)


def error(code: int, text: str = "no") -> bytes:
    """Build an ERR packet."""
    return packet(b"\xff" + code.to_bytes(2, "little") + b"#HY000" + text.encode(), 1)


def row(value: str) -> bytes:
    """Build a result set with one value."""
    return build_text_result(["x"], [[value]], CAPABILITIES)


Script = Callable[[str, bytes], bytes | None]
"""(server name, command packet) -> reply; None: none comes."""


def by_name(name: str, command: bytes) -> bytes | None:
    """Answer a SELECT with the server's name, everything else with OK."""
    return row(name) if b"SELECT" in command.upper() else ok()


def server(name: str, role: Role = Role.REPLICA, state: State = State.UP, executed: str = BASE) -> Server:
    """Build a server that is well."""
    return Server(name, Address(name, 3306), role, state, "", Lag(0.0), executed=executed)


class Stage:
    """One worker with a primary db1 and replicas db2, db3, and one client that is logged in."""

    def __init__(self, script: Script = by_name, **settings: Any) -> None:
        self.script = script
        self.log: list[tuple[str, bytes]] = []  # what the servers were sent
        self.opened: dict[str, BackendConnection] = {}
        self.refuse: dict[str, Exception] = {}
        self.gateway = Gateway(Settings.model_validate({"reads": {"primary_weight": 0}} | settings))
        self.show()
        self.gateway.dialer.open = self.open  # type: ignore[method-assign]
        login = Login("app", None, CAPABILITIES, 255, {}, 1 << 24, "caching_sha2_password", Secret(), True)
        account = Account("app", Secret(), CAPABILITIES, 255, {}, True)
        self.transport = Transport()
        first = self._backend(self.gateway.routes.endpoints["db1"], account)
        self.client = ClientConnection(
            self.gateway,
            self.transport,
            FIRST_NUMBER,
            login,
            account,
            first,
            peer="192.0.2.1:4711",
            secure=False,
        )
        self.gateway.clients[FIRST_NUMBER] = self.client

    def show(self, *servers: Server, primary: str | None = "db1", generation: int = 1) -> None:
        """Let the monitor see *servers*."""
        seen = servers or (server("db1", Role.PRIMARY), server("db2"), server("db3"))
        self.gateway.update(Snapshot(generation, seen, primary, Greeting("9.7.4", 255, 0), ""))

    def _backend(self, endpoint: Endpoint, account: Account) -> BackendConnection:
        backend = BackendConnection(endpoint, 100, account.capabilities, client_tracks=True, schema=b"")
        name = endpoint.server.name

        def on_write(data: bytes) -> None:
            self.log.append((name, data))
            reply = self.script(name, data)
            if reply is not None:
                asyncio.get_running_loop().call_soon(backend.data_received, reply)

        backend.connection_made(Transport(on_write))
        self.opened[name] = backend
        return backend

    async def open(self, endpoint: Endpoint, account: Account, schema: bytes) -> BackendConnection:
        """Stand in for Dialer.open."""
        refusal = self.refuse.get(endpoint.server.name)
        if refusal is not None:
            raise refusal
        backend = self._backend(endpoint, account)
        backend.schema = schema
        return backend

    async def send(self, data: bytes) -> bytes:
        """Let the client send *data*; return what it gets until all is quiet."""
        self.client.data_received(data)
        await self.settle()
        return self.transport.take()

    async def settle(self) -> None:
        """Let everything happen that can."""
        for _ in range(60):
            await asyncio.sleep(0)

    def sent(self, marker: bytes) -> list[str]:
        """Return the servers that were sent a command with *marker* in it, in order."""
        return [name for name, data in self.log if marker in data]


def on_stage(
    play: Callable[[Stage], Coroutine[Any, Any, None]], script: Script = by_name, **settings: Any
) -> None:
    """Run *play* on a fresh stage."""

    async def run() -> None:
        await play(Stage(script, **settings))

    asyncio.run(run())
