"""Control packets as values: greeting, handshake response, OK, ERR, EOF, auth switch.

`parse_*` takes a payload and raises Malformed; `build_*` gives a payload, without its header. Each value's
source is its page in MySQL's source documentation (page_protocol_connection_phase_packets_..., page_protocol_
basic_ok_packet, ..._err_packet, ..._eof_packet); where MariaDB differs, its knowledge base ("Connecting").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rwrouter.errors import MESSAGE_LIMIT, RouterError
from rwrouter.model import Flavor
from rwrouter.protocol import flags
from rwrouter.protocol.framing import frame
from rwrouter.protocol.wire import Cursor, Malformed, integer, lenenc, prefixed, terminated

# First byte of a payload -----------------------------------------------------------------------------------

OK: Final = 0x00
AUTH_MORE_DATA: Final = 0x01
AUTH_NEXT_FACTOR: Final = 0x02
EOF: Final = 0xFE  # also: AuthSwitchRequest, and OK where CLIENT_DEPRECATE_EOF is agreed
ERR: Final = 0xFF

SCRAMBLE_SIZE: Final = 20
PROTOCOL_VERSION: Final = 10
SSL_REQUEST_SIZE: Final = 32  # a handshake response cut before its user name
DEFAULT_COLLATION: Final = 45  # utf8mb4_general_ci: known to every server since 5.5, and of MariaDB
MARIADB_PREFIX: Final = "5.5.5-"  # put before a version above 5 by MariaDB < 11, for old replicas' sake
LATIN1_COLLATIONS: Final = frozenset({5, 8, 15, 31, 47, 48, 49, 94})
LOWER: Final = 2**32 - 1  # mask of the capabilities that both flavors have


def decode_text(text: bytes, collation: int) -> str:
    """Return a name from a handshake. What is no UTF-8 is read as latin1, which has no wrong bytes."""
    if collation not in LATIN1_COLLATIONS:
        try:
            return text.decode()
        except UnicodeDecodeError:
            pass
    return text.decode("latin-1")


def encode_text(text: str, collation: int) -> bytes:
    """Return a name as the receiver reads it under *collation*; UTF-8 where latin1 has no such letter."""
    if collation in LATIN1_COLLATIONS:
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            pass
    return text.encode("utf-8", "replace")


# Greeting --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HandshakeV10:
    """What a server says first (Protocol::HandshakeV10).

    *capabilities* holds MariaDB's extended ones in bits 32 to 63. *version* is without MariaDB's prefix.
    """

    version: str
    connection_id: int
    scramble: bytes
    capabilities: int
    collation: int = DEFAULT_COLLATION
    status: int = flags.SERVER_STATUS_AUTOCOMMIT
    plugin: str = "mysql_native_password"
    flavor: Flavor = Flavor.MYSQL


def parse_greeting(payload: bytes) -> HandshakeV10:
    """Read a greeting of MySQL 4.1 or later, or of MariaDB."""
    cursor = Cursor(payload)
    protocol = cursor.integer(1)
    if protocol != PROTOCOL_VERSION:
        raise Malformed(
            f"greeting of protocol version {protocol}; version 10 (MySQL 3.21 and later) is known"
        )
    version = cursor.terminated().decode("latin-1")
    connection_id = cursor.integer(4)
    scramble = cursor.take(8)
    cursor.take(1)  # filler
    capabilities = cursor.integer(2)
    collation, status, plugin, length = DEFAULT_COLLATION, 0, "mysql_native_password", 0
    if cursor.remaining:
        collation = cursor.integer(1)
        status = cursor.integer(2)
        capabilities |= cursor.integer(2) << 16
        length = cursor.integer(1)
        cursor.take(6)  # reserved
        extended = cursor.integer(4)
        if not capabilities & flags.CLIENT_MYSQL:
            capabilities |= extended << 32
        if capabilities & flags.CLIENT_SECURE_CONNECTION:
            # at least 13 bytes, the last of them a NUL; MySQL 5.5.7 to .9 leave it out
            scramble += cursor.take(min(max(13, length - 8), cursor.remaining)).rstrip(b"\0")
        if capabilities & flags.CLIENT_PLUGIN_AUTH:
            plugin = cursor.terminated_or_rest().decode("latin-1")
    is_mariadb = not capabilities & flags.CLIENT_MYSQL or "mariadb" in version.lower()
    if is_mariadb:
        version = version.removeprefix(MARIADB_PREFIX)
    flavor = Flavor.MARIADB if is_mariadb else Flavor.MYSQL
    return HandshakeV10(version, connection_id, scramble, capabilities, collation, status, plugin, flavor)


def build_greeting(greeting: HandshakeV10) -> bytes:
    """Return the payload of a greeting, as a server of its flavor and version would write it."""
    version, capabilities = greeting.version, greeting.capabilities
    extended = 0
    if greeting.flavor is Flavor.MARIADB:
        extended = capabilities >> 32
        if version.startswith("10."):
            version = MARIADB_PREFIX + version
    return b"".join(
        (
            integer(PROTOCOL_VERSION, 1),
            terminated(version.encode("latin-1", "replace")),
            integer(greeting.connection_id & LOWER, 4),
            greeting.scramble[:8],
            b"\0",
            integer(capabilities & 0xFFFF, 2),
            integer(greeting.collation & 0xFF, 1),
            integer(greeting.status, 2),
            integer(capabilities >> 16 & 0xFFFF, 2),
            integer(len(greeting.scramble) + 1, 1),
            bytes(6),
            integer(extended, 4),
            greeting.scramble[8:],
            b"\0",
            terminated(greeting.plugin.encode("latin-1")),
        )
    )


# The client's answer ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HandshakeResponse:
    """How a client logs in (Protocol::HandshakeResponse41), or changes its user (COM_CHANGE_USER)."""

    capabilities: int
    collation: int
    user: str
    proof: bytes = field(repr=False)
    schema: str | None = None
    plugin: str = ""  # "": not told
    attributes: Mapping[bytes, bytes] = field(default_factory=dict)
    max_packet: int = 2**24
    zstd_level: int = 0


@dataclass(frozen=True, slots=True)
class SslRequest:
    """The client wants TLS: from the next byte on it speaks it (Protocol::SSLRequest)."""

    capabilities: int
    max_packet: int
    collation: int


def parse_capabilities(payload: bytes) -> int:
    """Return the capabilities at the head of a response: enough to know which form it has."""
    lower = Cursor(payload).integer(2)
    if not lower & flags.CLIENT_PROTOCOL_41:
        return lower
    return Cursor(payload).integer(4)


def parse_ssl_request(payload: bytes) -> SslRequest:
    """Read the 32 bytes before TLS begins."""
    if len(payload) != SSL_REQUEST_SIZE:
        raise Malformed(f"a request for TLS has {SSL_REQUEST_SIZE} bytes, this one {len(payload)}")
    capabilities, max_packet, collation = _parse_head(Cursor(payload))
    return SslRequest(capabilities, max_packet, collation)


def _parse_head(cursor: Cursor) -> tuple[int, int, int]:
    """Return capabilities, longest packet and collation."""
    capabilities = cursor.integer(4)
    max_packet = cursor.integer(4)
    collation = cursor.integer(1)
    cursor.take(19)
    extended = cursor.integer(4)
    if not capabilities & flags.CLIENT_MYSQL:
        capabilities |= extended << 32
    return capabilities, max_packet, collation


def _build_head(capabilities: int, max_packet: int, collation: int) -> bytes:
    extended = 0 if capabilities & flags.CLIENT_MYSQL else capabilities >> 32
    return b"".join(
        (
            integer(capabilities & LOWER, 4),
            integer(max_packet, 4),
            integer(handshake_collation(collation), 1),
            bytes(19),
            integer(extended, 4),
        )
    )


def handshake_collation(collation: int) -> int:
    """Return what of *collation* fits the handshake's one byte.

    An id above 255 is never cut to its lower byte, which is another collation: utf8mb4_general_ci then, and
    whoever needs more says SET NAMES.
    """
    return collation if collation <= 0xFF else DEFAULT_COLLATION


def build_ssl_request(capabilities: int, max_packet: int, collation: int) -> bytes:
    """Return the payload that asks for TLS."""
    return _build_head(capabilities | flags.CLIENT_SSL, max_packet, collation)


def parse_response(payload: bytes) -> HandshakeResponse:
    """Read a HandshakeResponse41. The capabilities in it are the client's wish, not yet agreed."""
    cursor = Cursor(payload)
    capabilities, max_packet, collation = _parse_head(cursor)
    user = decode_text(cursor.terminated(), collation)
    if capabilities & flags.CLIENT_PLUGIN_AUTH_LENENC:
        proof = cursor.prefixed()
    elif capabilities & flags.CLIENT_SECURE_CONNECTION:
        proof = cursor.take(cursor.integer(1))
    else:
        proof = cursor.terminated()
    schema = cursor.terminated_or_rest() if capabilities & flags.CLIENT_CONNECT_WITH_DB else b""
    plugin = cursor.terminated_or_rest() if capabilities & flags.CLIENT_PLUGIN_AUTH else b""
    attributes = _parse_attributes(cursor, capabilities)
    level = cursor.integer(1) if capabilities & flags.CLIENT_ZSTD and cursor.remaining else 0
    return HandshakeResponse(
        capabilities,
        collation,
        user,
        proof,
        decode_text(schema, collation) or None,
        plugin.decode("latin-1"),
        attributes,
        max_packet,
        level,
    )


def build_response(response: HandshakeResponse) -> bytes:
    """Return the payload of a HandshakeResponse41; which fields it has follows from the capabilities."""
    capabilities, collation = response.capabilities, handshake_collation(response.collation)
    pieces = [_build_head(capabilities, response.max_packet, collation)]
    pieces.append(terminated(encode_text(response.user, collation)))
    if capabilities & flags.CLIENT_PLUGIN_AUTH_LENENC:
        pieces.append(prefixed(response.proof))
    elif len(response.proof) > 0xFF:
        raise Malformed("the proof is longer than the 255 bytes that the server takes")
    else:
        pieces.append(integer(len(response.proof), 1) + response.proof)
    if capabilities & flags.CLIENT_CONNECT_WITH_DB:
        pieces.append(terminated(encode_text(response.schema or "", collation)))
    if capabilities & flags.CLIENT_PLUGIN_AUTH:
        pieces.append(terminated(response.plugin.encode("latin-1")))
    if capabilities & flags.CLIENT_CONNECT_ATTRS:
        pieces.append(_build_attributes(response.attributes))
    if capabilities & flags.CLIENT_ZSTD:
        pieces.append(integer(response.zstd_level, 1))
    return b"".join(pieces)


def _parse_attributes(cursor: Cursor, capabilities: int) -> dict[bytes, bytes]:
    if not capabilities & flags.CLIENT_CONNECT_ATTRS or not cursor.remaining:
        return {}
    block = Cursor(cursor.prefixed())
    attributes = {}
    while block.remaining:
        name = block.prefixed()
        attributes[name] = block.prefixed()
    return attributes


def _build_attributes(attributes: Mapping[bytes, bytes]) -> bytes:
    return prefixed(b"".join(prefixed(name) + prefixed(value) for name, value in attributes.items()))


def parse_change_user(payload: bytes, capabilities: int) -> HandshakeResponse:
    """Read COM_CHANGE_USER, its command byte included, from a client with these agreed *capabilities*."""
    cursor = Cursor(payload, 1)
    user = cursor.terminated()
    if capabilities & flags.CLIENT_SECURE_CONNECTION:
        proof = cursor.take(cursor.integer(1))
    else:
        proof = cursor.terminated()
    schema = cursor.terminated_or_rest()
    collation = cursor.integer(2) if cursor.remaining >= 2 else DEFAULT_COLLATION
    plugin = b""
    if capabilities & flags.CLIENT_PLUGIN_AUTH and cursor.remaining:
        plugin = cursor.terminated_or_rest()
    attributes = _parse_attributes(cursor, capabilities)
    return HandshakeResponse(
        capabilities,
        collation,
        decode_text(user, collation),
        proof,
        decode_text(schema, collation) or None,
        plugin.decode("latin-1"),
        attributes,
    )


def build_change_user(response: HandshakeResponse) -> bytes:
    """Return the payload of COM_CHANGE_USER, its command byte included."""
    capabilities, collation = response.capabilities, response.collation
    if len(response.proof) > 0xFF:
        raise Malformed("the proof is longer than the 255 bytes that COM_CHANGE_USER holds")
    pieces = [
        integer(flags.COM_CHANGE_USER, 1),
        terminated(encode_text(response.user, collation)),
        integer(len(response.proof), 1) + response.proof,
        terminated(encode_text(response.schema or "", collation)),
        integer(collation, 2),
    ]
    if capabilities & flags.CLIENT_PLUGIN_AUTH:
        pieces.append(terminated(response.plugin.encode("latin-1")))
    if capabilities & flags.CLIENT_CONNECT_ATTRS:
        pieces.append(_build_attributes(response.attributes))
    return b"".join(pieces)


# Between the two: the plugins' packets ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AuthSwitch:
    """The server wants another plugin (Protocol::AuthSwitchRequest)."""

    plugin: str
    data: bytes  # a scramble without its last NUL, for the plugins that take one


def parse_auth_switch(payload: bytes) -> AuthSwitch:
    """Read an AuthSwitchRequest. The form without a plugin asks for a password hash from before MySQL 4.1."""
    cursor = Cursor(payload)
    if cursor.integer(1) != EOF:
        raise Malformed("no request to switch the authentication plugin")
    if not cursor.remaining:
        return AuthSwitch("mysql_old_password", b"")
    plugin = cursor.terminated_or_rest().decode("latin-1")
    data = cursor.rest()
    if len(data) == SCRAMBLE_SIZE + 1 and data[-1] == 0:
        data = data[:-1]
    return AuthSwitch(plugin, data)


def build_auth_switch(switch: AuthSwitch) -> bytes:
    """Return the payload of an AuthSwitchRequest with a scramble."""
    return integer(EOF, 1) + terminated(switch.plugin.encode("latin-1")) + switch.data + b"\0"


def parse_auth_more_data(payload: bytes) -> bytes:
    """Return what a plugin's server side has to say (Protocol::AuthMoreData)."""
    cursor = Cursor(payload)
    if cursor.integer(1) != AUTH_MORE_DATA:
        raise Malformed("no data for the authentication plugin")
    return cursor.rest()


def build_auth_more_data(data: bytes) -> bytes:
    """Return the payload that carries *data* to the client's side of the plugin."""
    return integer(AUTH_MORE_DATA, 1) + data


def parse_auth_next_factor(payload: bytes) -> str:
    """Return the plugin of the further factor that the server asks for (Protocol::AuthNextFactor)."""
    cursor = Cursor(payload)
    if cursor.integer(1) != AUTH_NEXT_FACTOR:
        raise Malformed("no request for another factor")
    return cursor.terminated_or_rest().decode("latin-1")


# Replies ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ok:
    """Done (OK_Packet). *session_state* holds the blocks of session tracking, not taken apart."""

    affected_rows: int = 0
    last_insert_id: int = 0
    status: int = flags.SERVER_STATUS_AUTOCOMMIT
    warnings: int = 0
    info: bytes = b""
    session_state: bytes = b""


def parse_ok(payload: bytes, capabilities: int) -> Ok:
    """Read an OK packet, with the header 0x00 or, where CLIENT_DEPRECATE_EOF is agreed, 0xFE."""
    cursor = Cursor(payload)
    if cursor.integer(1) not in (OK, EOF):
        raise Malformed("no OK packet")
    affected_rows, last_insert_id = cursor.lenenc(), cursor.lenenc()
    status, warnings = cursor.integer(2), cursor.integer(2)
    info = session_state = b""
    if not capabilities & flags.CLIENT_SESSION_TRACK:
        info = cursor.rest()
    elif cursor.remaining:
        info = cursor.prefixed()
        if status & flags.SERVER_SESSION_STATE_CHANGED and cursor.remaining:
            session_state = cursor.prefixed()
    return Ok(affected_rows, last_insert_id, status, warnings, info, session_state)


def build_ok(ok: Ok, capabilities: int, header: int = OK) -> bytes:
    """Return the payload of an OK packet, as a server sends it to a client with these *capabilities*."""
    status = ok.status & ~flags.SERVER_SESSION_STATE_CHANGED
    if not capabilities & flags.CLIENT_SESSION_TRACK:
        tail = ok.info
    elif ok.session_state:
        status |= flags.SERVER_SESSION_STATE_CHANGED
        tail = prefixed(ok.info) + prefixed(ok.session_state)
    else:
        tail = prefixed(ok.info) if ok.info else b""
    return b"".join(
        (
            integer(header, 1),
            lenenc(ok.affected_rows),
            lenenc(ok.last_insert_id),
            integer(status, 2),
            integer(ok.warnings, 2),
            tail,
        )
    )


@dataclass(frozen=True, slots=True)
class Err:
    """Refused (ERR_Packet). *sqlstate* is "" where the server sent none."""

    code: int
    sqlstate: str
    message: str


def parse_err(payload: bytes) -> Err:
    """Read an ERR packet: before the handshake it has no SQLSTATE."""
    cursor = Cursor(payload)
    if cursor.integer(1) != ERR:
        raise Malformed("no ERR packet")
    code = cursor.integer(2)
    rest, sqlstate = cursor.rest(), ""
    if rest[:1] == b"#" and len(rest) >= 6:
        sqlstate, rest = rest[1:6].decode("latin-1"), rest[6:]
    return Err(code, sqlstate, decode_text(rest, DEFAULT_COLLATION))


def build_err(err: Err) -> bytes:
    """Return the payload of an ERR packet, its message cut to 512 bytes between two letters."""
    message = err.message.encode("utf-8", "replace")[:MESSAGE_LIMIT].decode("utf-8", "ignore").encode()
    state = b"#" + err.sqlstate.encode("latin-1", "replace")[:5].ljust(5, b"0") if err.sqlstate else b""
    return integer(ERR, 1) + integer(err.code & 0xFFFF, 2) + state + message


def message_of(error: bytes) -> str:
    """Return the text of an ERR packet that has an SQLSTATE, as all have after the login."""
    return error[9:].decode("utf-8", "replace")


def build_error(
    error: RouterError | tuple[int, str, str], sequence_id: int, *, with_sqlstate: bool = True
) -> bytes:
    """Return a whole ERR packet, header included, for an error or (code, sqlstate, message).

    Without SQLSTATE where no greeting has been sent: a client reads it as part of the message there.
    """
    if isinstance(error, RouterError):
        code, sqlstate, message = error.code, error.sqlstate, str(error)
    else:
        code, sqlstate, message = error
    return frame(build_err(Err(code, sqlstate if with_sqlstate else "", message)), sequence_id)


@dataclass(frozen=True, slots=True)
class Eof:
    """The end of columns or rows for clients without CLIENT_DEPRECATE_EOF (EOF_Packet)."""

    warnings: int = 0
    status: int = flags.SERVER_STATUS_AUTOCOMMIT


def parse_eof(payload: bytes) -> Eof:
    """Read an EOF packet: five bytes, where a row that begins with 0xFE has at least nine."""
    cursor = Cursor(payload)
    if cursor.integer(1) != EOF or len(payload) != 5:
        raise Malformed("no EOF packet")
    return Eof(cursor.integer(2), cursor.integer(2))


def build_eof(eof: Eof) -> bytes:
    """Return the payload of an EOF packet."""
    return integer(EOF, 1) + integer(eof.warnings, 2) + integer(eof.status, 2)
