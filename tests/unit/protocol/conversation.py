"""Two machines of the connection phase that talk to each other, for the tests of both."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

from rwrouter.model import Flavor, Greeting
from rwrouter.protocol import flags, handshake
from rwrouter.protocol.auth import CACHING, RsaKey, Secret, Verifier
from rwrouter.protocol.handshake import (
    ClientHandshake,
    Event,
    Login,
    ServerHandshake,
    StartTls,
)

SCRAMBLE = bytes(range(1, 21))
KEY = RsaKey.generate(1024)
MYSQL = Greeting("8.4.3", 255, handshake.SUPPORTED | flags.CLIENT_SSL)
MARIADB = Greeting("10.11.19-MariaDB", 45, handshake.SUPPORTED & ~flags.CLIENT_MYSQL, Flavor.MARIADB)
WANTED = handshake.SUPPORTED & ~flags.CLIENT_INTERACTIVE

Link = Literal["tls", "rsa", "socket", "none"]
type_of_password = st.sampled_from(["", "secret", "x" * 80, "p\u00e4ss \u96ea\U0001f511"])


def server(
    link: Link = "none",
    verifier: Verifier | None = None,
    *,
    plugin: str = CACHING,
    greeting: Greeting = MYSQL,
    tls_required: bool = False,
) -> ServerHandshake:
    return ServerHandshake(
        greeting,
        42,
        SCRAMBLE,
        tls_available=link == "tls",
        tls_required=tls_required,
        verifier=lambda user: verifier if user == "app" else None,
        rsa=KEY if link == "rsa" else None,
        default_plugin=plugin,
        on_secure_transport=link == "socket",
        client_host="10.0.0.7",
    )


def client(
    secret: Secret, link: Link = "none", *, schema: str | None = "shop", capabilities: int = WANTED
) -> ClientHandshake:
    return ClientHandshake(
        user="app",
        secret=secret,
        capabilities=capabilities,
        collation=255,
        schema=schema,
        attributes={b"program_name": b"test"},
        max_packet=2**24,
        tls="preferred" if link == "tls" else "disabled",
        on_secure_transport=link == "socket",
    )


@dataclass
class Conversation:
    """Two machines and what came of them. TLS is taken as given: the bytes stay as they are."""

    server: ServerHandshake
    client: ClientHandshake
    login: Login | None = None
    outcome: Event | None = None

    def run(self, cuts: Iterator[int]) -> None:
        """Carry bytes both ways, cut by *cuts*, until nobody has anything to say."""
        down = up = b""
        while True:
            down += self._react(self.server)
            up += self._react(self.client)
            if not down and not up:
                return
            size = next(cuts)
            self.client.receive(down[:size])
            self.server.receive(up[:size])
            down, up = down[size:], up[size:]

    def _react(self, machine: ServerHandshake | ClientHandshake) -> bytes:
        """Do what the events of *machine* ask for, and return what it sends."""
        sent = b""
        while event := machine.next_event():
            if isinstance(event, StartTls):
                sent += machine.data_to_send()
                machine.tls_started()
                machine.receive(event.rest)
            elif isinstance(event, Login):
                self.login = event
                self.server.accept()
            else:
                self.outcome = event
        return sent + machine.data_to_send()


def converse(
    ours: ServerHandshake, theirs: ClientHandshake, cuts: Iterator[int] | None = None
) -> Conversation:
    talk = Conversation(ours, theirs)
    talk.run(cuts or iter(lambda: 2**20, 0))
    return talk


def endless(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(endless)
