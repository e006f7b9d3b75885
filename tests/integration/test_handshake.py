"""The connection phase, TLS and compression against real servers, over the smallest socket there can be."""

import contextlib
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import pytest

from rwrouter.model import Flavor
from rwrouter.protocol import flags, handshake, packets
from rwrouter.protocol.auth import CACHING, NATIVE, SHA256, Secret
from rwrouter.protocol.compression import Algorithm, CompressionLayer
from rwrouter.protocol.framing import Packet, PacketReader, frame
from rwrouter.protocol.handshake import ClientHandshake, Ready, Refused, StartTls, State
from rwrouter.protocol.tls import TlsLayer, context_towards_servers
from rwrouter.sandbox import Sandbox

PASSWORD = "s\u00e9cret"
ENDED = (State.DONE, State.REFUSED, State.FAILED)
WANTED = handshake.SUPPORTED & ~flags.CLIENT_QUERY_ATTRIBUTES

Tls = Literal["disabled", "preferred", "required"]


@dataclass
class Link:
    """A connection to a server, with the layers that were put on."""

    socket: socket.socket
    layers: list[TlsLayer | CompressionLayer] = field(default_factory=list)  # outermost first

    def send(self, data: bytes) -> None:
        """Send *data* through all layers."""
        for layer in reversed(self.layers):
            layer.send(data)
            data = layer.data_to_send()
        self.socket.sendall(data)

    def receive(self) -> bytes:
        """Wait for bytes, and return what is in them."""
        data = self.socket.recv(2**16)
        for layer in self.layers:
            plain = layer.receive(data)
            while isinstance(layer, CompressionLayer) and layer.has_more:
                plain += layer.receive(b"")
            assert layer.error is None
            if isinstance(layer, TlsLayer):
                self.socket.sendall(layer.data_to_send())
            data = plain
        return data

    def ask(self, payload: bytes) -> list[Packet]:
        """Send a command; return its reply up to an OK, EOF or ERR."""
        for layer in self.layers:
            if isinstance(layer, CompressionLayer):
                layer.begin_command()
        self.send(frame(payload, 0))
        reader = PacketReader(2**25)
        reply: list[Packet] = []
        while not reply or not (reply[-1].payload[0] in (0, 0xFE, 0xFF) and len(reply[-1].payload) < 64):
            reply += reader.feed(self.receive())
        return reply


def run(machine: ClientHandshake, link: Link) -> Ready | Refused | None:
    """Carry bytes until *machine* has come to an end; return its last event."""
    outcome = None
    while True:
        while event := machine.next_event():
            if isinstance(event, StartTls):
                link.send(machine.data_to_send())
                context = context_towards_servers("REQUIRED")
                assert context is not None
                link.layers.append(TlsLayer(context, server_side=False))
                machine.tls_started()
            elif isinstance(event, Ready | Refused):
                outcome = event
        link.send(machine.data_to_send())
        if machine.state in ENDED:
            return outcome
        machine.receive(link.receive())


@pytest.fixture
def account(cluster: Sandbox) -> Iterator["MakeAccount"]:
    """Make users on the primary; dropped at the end."""
    maker = MakeAccount(cluster)
    yield maker
    for name in maker.made:
        cluster.primary.query(f"DROP USER {name}@'%'")


Connect = Callable[..., Link]


class MakeAccount:
    """Makes users, and remembers them."""

    def __init__(self, cluster: Sandbox) -> None:
        self._primary = cluster.primary
        self.made: list[str] = []

    def __call__(self, plugin: str, password: str = PASSWORD) -> str:
        """Make a user with *plugin* and *password*; return its name."""
        name = f"u_{secrets.token_hex(4)}"
        if self._primary.flavor is Flavor.MARIADB:
            using = f"USING PASSWORD('{password}')" if password else "USING ''"
            self._primary.query(f"CREATE USER {name}@'%' IDENTIFIED VIA {plugin} {using}")
        else:
            self._primary.query(f"CREATE USER {name}@'%' IDENTIFIED WITH {plugin} BY '{password}'")
        self.made.append(name)
        return name


def client(user: str, secret: Secret, tls: Tls = "preferred", **options: int) -> ClientHandshake:
    return ClientHandshake(
        user=user,
        secret=secret,
        capabilities=options.get("capabilities", WANTED),
        collation=255,
        schema=None,
        attributes={b"program_name": b"rwrouter"},
        max_packet=2**24,
        tls=tls,
        on_secure_transport=bool(options.get("on_socket")),
    )


@pytest.fixture
def connect(cluster: Sandbox) -> Iterator[Connect]:
    """Connect to the primary, by TCP or its unix socket; closed at the end."""
    with contextlib.ExitStack() as open_sockets:

        def connect(*, on_socket: bool = False) -> Link:
            if on_socket:
                link = open_sockets.enter_context(socket.socket(socket.AF_UNIX))
                link.connect(cluster.primary.socket)
            else:
                address = (cluster.primary.host, cluster.primary.port)
                link = open_sockets.enter_context(socket.create_connection(address, timeout=30))
            return Link(link)

        yield connect


def plugins(cluster: Sandbox) -> list[str]:
    return [NATIVE] if cluster.flavor is Flavor.MARIADB else [CACHING, SHA256]


@pytest.mark.parametrize("tls", ["disabled", "preferred"])
@pytest.mark.parametrize("password", [PASSWORD, "", "x" * 200])
def test_every_plugin_lets_us_in(
    cluster: Sandbox, account: MakeAccount, connect: Connect, tls: Tls, password: str
) -> None:
    """With the right password, at the first login (full path) and at the second (fast path)."""
    for plugin in plugins(cluster):
        user = account(plugin, password)
        for _ in range(2):
            link = connect()
            machine = client(user, Secret.of(password.encode()), tls)
            outcome = run(machine, link)
            assert isinstance(outcome, Ready), (plugin, machine.error, outcome)
            assert outcome.flavor is cluster.flavor
            assert link.ask(b"\x0e")[0].payload[0] == 0  # COM_PING
            row = link.ask(b"\x03SELECT CONNECTION_ID()")[2].payload
            assert row[1:] == str(outcome.connection_id).encode()


def test_a_wrong_password_is_refused_in_the_servers_words(
    cluster: Sandbox, account: MakeAccount, connect: Connect
) -> None:
    """Refused holds the server's own number, SQLSTATE and text."""
    for plugin in plugins(cluster):
        user = account(plugin)
        outcome = run(client(user, Secret.of(b"wrong")), connect())
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.sqlstate) == (1045, "28000")
        assert outcome.message.startswith(f"Access denied for user '{user}'@")


def test_a_hash_is_enough_after_the_first_login(
    cluster: Sandbox, account: MakeAccount, connect: Connect
) -> None:
    """What a client's fast proof shows logs the router in; the wrong kind of hash says what to do."""
    whole = Secret.of(PASSWORD.encode())
    fitting, other = Secret(sha256=whole.sha256), Secret(sha1=whole.sha1)
    if cluster.flavor is Flavor.MARIADB:
        fitting, other = other, fitting
    user = account(plugins(cluster)[0])
    assert isinstance(run(client(user, whole), connect()), Ready)
    assert isinstance(run(client(user, fitting), connect()), Ready)
    machine = client(user, other)
    assert run(machine, connect()) is None
    assert "knows only a hash" in str(machine.error)


def test_a_unix_socket_is_safe_for_a_password(
    cluster: Sandbox, account: MakeAccount, connect: Connect
) -> None:
    """There the password goes out as it is, without TLS or RSA."""
    user = account(plugins(cluster)[0])
    machine = client(user, Secret.of(PASSWORD.encode()), "disabled", on_socket=True)
    assert isinstance(run(machine, connect(on_socket=True)), Ready)


@pytest.mark.parametrize("tls", ["disabled", "preferred"])
def test_the_user_can_be_changed(cluster: Sandbox, account: MakeAccount, connect: Connect, tls: Tls) -> None:
    """COM_CHANGE_USER works from each plugin's user to each other's, in both directions."""
    secret = Secret.of(PASSWORD.encode())
    users = [account(plugin) for plugin in plugins(cluster)]
    users.append(account(plugins(cluster)[0], ""))
    link = connect()
    ready = run(client(users[0], secret, tls), link)
    for user in [*users, *reversed(users)]:
        assert isinstance(ready, Ready)
        machine = ClientHandshake.for_change_user(
            ready,
            user=user,
            secret=Secret.of(b"") if user == users[-1] else secret,
            collation=255,
            schema=None,
            attributes={},
            is_secure=bool(link.layers),
        )
        assert isinstance(run(machine, link), Ready), (user, machine.error)
        assert link.ask(b"\x03SELECT CURRENT_USER()")[2].payload[1:] == f"{user}@%".encode()


@pytest.mark.parametrize(
    ("algorithm", "capability"), [("zlib", flags.CLIENT_COMPRESS), ("zstd", flags.CLIENT_ZSTD)]
)
@pytest.mark.parametrize("tls", ["disabled", "preferred"])
def test_compressed_replies_are_understood(
    cluster: Sandbox, account: MakeAccount, connect: Connect, algorithm: Algorithm, capability: int, tls: Tls
) -> None:
    """Questions and answers of any size come through compression, in TLS and without."""
    if cluster.flavor is Flavor.MARIADB and algorithm == "zstd":
        pytest.skip("MariaDB has no zstd")
    link = connect()
    user = account(plugins(cluster)[0])
    machine = client(user, Secret.of(PASSWORD.encode()), tls, capabilities=WANTED | capability)
    ready = run(machine, link)
    assert isinstance(ready, Ready)
    assert ready.capabilities & capability
    link.layers.append(CompressionLayer(algorithm))
    for size in (1, 49, 50, 70_000, 3_000_000):
        text = b"a" * size
        reply = link.ask(b"\x03SELECT '" + text + b"'")
        assert reply[2].payload.endswith(text)
        assert packets.parse_ok(reply[-1].payload, ready.capabilities).status & flags.SERVER_STATUS_AUTOCOMMIT
