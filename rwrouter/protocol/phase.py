"""The connection phase ("Connection Phase", page_protocol_connection_phase), as two machines over one table.

    server                                  client
    GREETING                        ->
                                    <-      SSL_REQUEST, then TLS     (if both want it)
                                    <-      RESPONSE: user, proof for the greeting's plugin
    AUTH_SWITCH                     ->                                (another plugin, at most once by us)
                                    <-      SWITCH_RESPONSE: proof for that plugin
    FULL_AUTH                       ->                                (caching_sha2_password: proof not known)
                                    <-      PASSWORD over TLS, or KEY_REQUEST
    PUBLIC_KEY                      ->
                                    <-      PASSWORD, encrypted for that key
    FAST_OK, OK | OK | ERR          ->

A state says whose turn it is; `TABLE` is the same for both sides, and what is not in it breaks the protocol.
COM_CHANGE_USER enters the same table at COMMAND. Outside of it: TLS itself (tls.py, put on by whoever gets
StartTls), and whether a login is accepted, which `accept` and `reject` tell. The machines:
server_handshake.py and client_handshake.py.

Their verbs: `receive`, `receive_eof`, `next_event`, `data_to_send`, `state`. Bad input raises nothing: the
state becomes FAILED, `error` holds what to answer, and the server's side has its ERR packet ready to send.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rwrouter.errors import HandshakeError, PacketTooLarge, RouterError
from rwrouter.model import Flavor
from rwrouter.protocol import flags
from rwrouter.protocol.auth import NATIVE, Secret
from rwrouter.protocol.framing import Packet, PacketReader, frame
from rwrouter.protocol.wire import Malformed

MAX_PACKET: Final = 2**17  # bytes of one packet: connection attributes may take 2^16 of them
MAX_REST: Final = 2**20  # bytes that a client may send ahead of our verdict

OWN: Final = (  # capabilities of the connection phase: the router's own, whatever the servers have
    flags.CLIENT_PROTOCOL_41
    | flags.CLIENT_SECURE_CONNECTION
    | flags.CLIENT_PLUGIN_AUTH
    | flags.CLIENT_PLUGIN_AUTH_LENENC
    | flags.CLIENT_CONNECT_WITH_DB
    | flags.CLIENT_CONNECT_ATTRS
)

FAST_AUTH_OK: Final = b"\x03"  # caching_sha2_password, in AuthMoreData: the proof was right
FULL_AUTH_DUE: Final = b"\x04"  # ... the password itself is needed
KEY_WANTED: Final = b"\x02"  # ... from the client: send the public key
SHA256_KEY_WANTED: Final = b"\x01"  # the same in sha256_password


class State(StrEnum):
    """How far the connection phase is."""

    START = "START"  # the server greets
    GREETED = "GREETED"  # the client answers
    TLS = "TLS"  # TLS begins; nothing else may come
    SECURED = "SECURED"  # the client answers, over TLS
    COMMAND = "COMMAND"  # logged in already: the client may send COM_CHANGE_USER
    VERDICT = "VERDICT"  # the server judges the client's proof or password
    SWITCHED = "SWITCHED"  # the client answers with another plugin's proof
    FULL_AUTH = "FULL_AUTH"  # the client gives its password, or asks for the key first
    KEY_REQUESTED = "KEY_REQUESTED"  # the server gives its public key
    KEY_SENT = "KEY_SENT"  # the client gives its password, encrypted
    FAST_OK = "FAST_OK"  # the proof was right: OK follows
    DONE = "DONE"  # logged in
    REFUSED = "REFUSED"  # the server said no, with an ERR packet
    FAILED = "FAILED"  # the protocol was broken, or one side can't go on; `error` says what


class Step(StrEnum):
    """What takes a state to the next: a packet, or TLS."""

    GREETING = "GREETING"
    SSL_REQUEST = "SSL_REQUEST"
    TLS_STARTED = "TLS_STARTED"
    RESPONSE = "RESPONSE"
    CHANGE_USER = "CHANGE_USER"
    AUTH_SWITCH = "AUTH_SWITCH"
    SWITCH_RESPONSE = "SWITCH_RESPONSE"
    FULL_AUTH = "FULL_AUTH"
    KEY_REQUEST = "KEY_REQUEST"
    PUBLIC_KEY = "PUBLIC_KEY"
    PASSWORD = "PASSWORD"  # noqa: S105 - a packet's name
    FAST_OK = "FAST_OK"
    OK = "OK"
    ERR = "ERR"


TABLE: Final[Mapping[tuple[State, Step], State]] = {
    (State.START, Step.GREETING): State.GREETED,
    (State.START, Step.ERR): State.REFUSED,
    (State.GREETED, Step.SSL_REQUEST): State.TLS,
    (State.GREETED, Step.RESPONSE): State.VERDICT,
    (State.TLS, Step.TLS_STARTED): State.SECURED,
    (State.SECURED, Step.RESPONSE): State.VERDICT,
    (State.COMMAND, Step.CHANGE_USER): State.VERDICT,
    (State.VERDICT, Step.AUTH_SWITCH): State.SWITCHED,
    (State.VERDICT, Step.FULL_AUTH): State.FULL_AUTH,
    (State.VERDICT, Step.PUBLIC_KEY): State.KEY_SENT,  # sha256_password: its proof is the request for the key
    (State.VERDICT, Step.FAST_OK): State.FAST_OK,
    (State.VERDICT, Step.OK): State.DONE,
    (State.VERDICT, Step.ERR): State.REFUSED,
    (State.SWITCHED, Step.SWITCH_RESPONSE): State.VERDICT,
    (State.FULL_AUTH, Step.PASSWORD): State.VERDICT,
    (State.FULL_AUTH, Step.KEY_REQUEST): State.KEY_REQUESTED,
    (State.KEY_REQUESTED, Step.PUBLIC_KEY): State.KEY_SENT,
    (State.KEY_REQUESTED, Step.ERR): State.REFUSED,
    (State.KEY_SENT, Step.PASSWORD): State.VERDICT,
    (State.FAST_OK, Step.OK): State.DONE,
    (State.FAST_OK, Step.ERR): State.REFUSED,
}
CLIENT_SPEAKS: Final = frozenset(
    {State.GREETED, State.SECURED, State.COMMAND, State.SWITCHED, State.FULL_AUTH, State.KEY_SENT}
)
SERVER_SPEAKS: Final = frozenset({State.START, State.VERDICT, State.KEY_REQUESTED, State.FAST_OK})
ENDED: Final = frozenset({State.DONE, State.REFUSED, State.FAILED})


# Events ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTls:
    """From here on the connection's bytes are TLS, those received beginning with *rest*.

    Send what `data_to_send` still has, put TLS on, then call `tls_started`.
    """

    rest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """A client has proved itself or given its password: `accept` or `reject` it."""

    user: str
    schema: str | None
    capabilities: int  # agreed: what both sides have
    collation: int
    attributes: Mapping[bytes, bytes]
    max_packet: int
    plugin: str
    secret: Secret
    password_known: bool  # False: proved against a verifier; the secret is only good for fast proofs
    zstd_level: int = 0


@dataclass(frozen=True, slots=True)
class Ready:
    """A server has let us in."""

    version: str
    connection_id: int
    capabilities: int  # agreed: what both sides have
    status: int
    flavor: Flavor
    session_state: bytes = b""  # blocks of session tracking in its OK: the schema, where one was asked for
    plugin: str = NATIVE  # of the greeting, for COM_CHANGE_USER
    scramble: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A server has refused us: its own words."""

    code: int
    sqlstate: str
    message: str


Event = StartTls | Login | Ready | Refused


class Broken(Exception):
    """The handshake can't go on; becomes `error`."""

    def __init__(self, error: RouterError) -> None:
        self.error = error
        super().__init__()


class Handshake:
    """What both sides share: the table, packets with consecutive ids, events, and how things end."""

    _turn: frozenset[State]  # states in which the other side speaks
    _breach: type[RouterError]  # what the other side's breach of the protocol is called

    def __init__(self, state: State, max_packet: int, *, is_secure: bool) -> None:
        self.state = state
        self.error: RouterError | None = None  # set when FAILED
        self.rest = b""  # when DONE: bytes that came after the handshake
        self.is_secure = is_secure  # TLS, or a socket that no one else can listen to
        self._reader = PacketReader(max_packet)
        self._sequence_id = 0  # of the next packet, whoever sends it
        self._outgoing = bytearray()
        self._events: deque[Event] = deque()

    def receive(self, data: bytes) -> None:
        """Take bytes from the other side, cut anywhere."""
        if self.state in (State.FAILED, State.REFUSED):
            return
        self._reader.append(data)
        try:
            if self.state is State.TLS and data:
                raise Malformed("bytes beside TLS")  # noqa: TRY301 - all breaches end in one place
            while self.state in self._turn:
                packet = self._reader.next_packet(self._sequence_id)
                if packet is None:
                    break
                self._sequence_id = (packet.sequence_id + 1) & 0xFF
                self._on_packet(packet)
            if self._reader.buffered + len(self.rest) > MAX_REST:
                raise PacketTooLarge(f"more than {MAX_REST} bytes before the login was answered")  # noqa: TRY301
            if self.state is State.DONE:
                self.rest += self._reader.take_rest()
        except Broken as broken:
            self._fail(broken.error)
        except Malformed as exc:
            self._fail(self._breach(f"handshake broken by the {self._peer} in state {self.state}: {exc}"))
        except PacketTooLarge as exc:
            self._fail(exc if self._breach is HandshakeError else self._breach(str(exc)))

    def receive_eof(self) -> None:
        """Take note that the other side has ended the connection."""
        if self.state not in ENDED:
            self._fail(
                self._breach(f"the {self._peer} went away during the handshake, in state {self.state}")
            )
            self._outgoing.clear()

    def next_event(self) -> Event | None:
        """Return what has happened, oldest first; None: nothing more yet."""
        return self._events.popleft() if self._events else None

    def data_to_send(self) -> bytes:
        """Return what to send now, once."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    @property
    def _peer(self) -> str:
        return "client" if self._turn is CLIENT_SPEAKS else "server"

    def _on_packet(self, packet: Packet) -> None:
        raise NotImplementedError

    def _move(self, step: Step) -> None:
        """Take *step*, which either side has taken."""
        after = TABLE.get((self.state, step))
        if after is None:
            raise Malformed(f"{step} is not due here")
        self.state = after

    def _send(self, step: Step, payload: bytes) -> None:
        self._move(step)
        self._outgoing += frame(payload, self._sequence_id)
        self._sequence_id = (self._sequence_id + 1) & 0xFF

    def _fail(self, error: RouterError) -> None:
        self.state = State.FAILED
        self.error = error
        self._reader.take_rest()
