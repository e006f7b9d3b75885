"""Control packets: what is built is read back, what servers send is understood, garbage is refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.errors import HandshakeError, RouterError
from rwrouter.model import Flavor
from rwrouter.protocol import flags, packets
from rwrouter.protocol.packets import AuthSwitch, Eof, Err, HandshakeResponse, HandshakeV10, Ok
from rwrouter.protocol.wire import Malformed

BASIC = flags.CLIENT_PROTOCOL_41 | flags.CLIENT_SECURE_CONNECTION | flags.CLIENT_LONG_PASSWORD
FULL = (
    BASIC
    | flags.CLIENT_PLUGIN_AUTH
    | flags.CLIENT_PLUGIN_AUTH_LENENC
    | flags.CLIENT_CONNECT_WITH_DB
    | flags.CLIENT_CONNECT_ATTRS
    | flags.CLIENT_ZSTD
)

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
blobs = st.binary(max_size=300)


@pytest.mark.parametrize(
    "greeting",
    [
        HandshakeV10("8.0.36", 7, b"s" * 20, FULL, 255, plugin="caching_sha2_password"),
        HandshakeV10(
            "10.11.19-MariaDB",
            2**32 - 1,
            b"m" * 20,
            (FULL & ~flags.CLIENT_MYSQL) | flags.MARIADB_CLIENT_STMT_BULK_OPERATIONS,
            flavor=Flavor.MARIADB,
        ),
        HandshakeV10("11.4.2-MariaDB", 1, b"m" * 20, FULL & ~flags.CLIENT_MYSQL, flavor=Flavor.MARIADB),
    ],
    ids=lambda greeting: greeting.version,
)
def test_a_greeting_is_read_as_it_was_built(greeting: HandshakeV10) -> None:
    """Both flavors' greetings survive the wire, with MariaDB's extended capabilities."""
    assert packets.parse_greeting(packets.build_greeting(greeting)) == greeting


@pytest.mark.parametrize(
    ("version", "on_the_wire"),
    [("10.6.1-MariaDB", b"5.5.5-10.6.1-MariaDB\0"), ("11.4.2-MariaDB", b"11.4.2-")],
)
def test_mariadb_before_11_puts_an_old_version_before_its_own(version: str, on_the_wire: bytes) -> None:
    """The prefix that MariaDB's own clients strip is there for those versions that send it."""
    greeting = HandshakeV10(version, 1, b"m" * 20, BASIC & ~1, flavor=Flavor.MARIADB)
    assert packets.build_greeting(greeting)[1:].startswith(on_the_wire)


@given(
    names,
    blobs.filter(lambda proof: len(proof) < 256),
    names,
    st.dictionaries(blobs, blobs, max_size=5),
    st.booleans(),
)
def test_a_response_is_read_as_it_was_built(
    user: str, proof: bytes, schema: str, attributes: dict[bytes, bytes], full: bool
) -> None:
    """Every field that the capabilities announce survives the wire."""
    capabilities = FULL if full else BASIC
    response = HandshakeResponse(capabilities, 255, user, proof, max_packet=2**24 - 1)
    if full:
        response = HandshakeResponse(
            capabilities, 45, user, proof, schema or None, "caching_sha2_password", attributes, 1024, 3
        )
    assert packets.parse_response(packets.build_response(response)) == response


@given(names, blobs.filter(lambda proof: len(proof) < 256), names, st.dictionaries(blobs, blobs, max_size=5))
def test_a_change_of_user_is_read_as_it_was_built(
    user: str, proof: bytes, schema: str, attributes: dict[bytes, bytes]
) -> None:
    """COM_CHANGE_USER carries the same fields, and the collation whole."""
    response = HandshakeResponse(FULL, 309, user, proof, schema or None, "mysql_native_password", attributes)
    assert packets.parse_change_user(packets.build_change_user(response), FULL) == response


def test_old_forms_of_the_response_are_read() -> None:
    """A schema without its NUL, and neither plugin nor attributes, is what some drivers send."""
    head = packets.build_ssl_request(BASIC | flags.CLIENT_CONNECT_WITH_DB, 2**24, 8)
    response = packets.parse_response(head + b"j\xf6rg\0" + b"\x02ab" + b"shop")
    assert (response.user, response.proof, response.schema) == ("j\u00f6rg", b"ab", "shop")
    assert packets.encode_text("j\u00f6rg", 8) == b"j\xf6rg"
    assert packets.encode_text("\u20ac", 8) == "\u20ac".encode()


def test_a_collation_above_255_is_not_cut() -> None:
    """utf8mb4_0900_as_cs (278) would become collation 22; it becomes utf8mb4_general_ci instead."""
    built = packets.build_response(HandshakeResponse(BASIC, 278, "u", b""))
    assert packets.parse_response(built).collation == packets.DEFAULT_COLLATION


def test_a_request_for_tls_is_the_head_of_a_response() -> None:
    """32 bytes, with CLIENT_SSL set; more or less is refused."""
    built = packets.build_ssl_request(BASIC, 2**24, 45)
    assert packets.parse_ssl_request(built) == packets.SslRequest(BASIC | flags.CLIENT_SSL, 2**24, 45)
    with pytest.raises(Malformed):
        packets.parse_ssl_request(built + b"\0")


@given(blobs)
def test_plugin_data_is_read_as_it_was_built(data: bytes) -> None:
    """AuthMoreData and AuthSwitchRequest carry their data whole."""
    assert packets.parse_auth_more_data(packets.build_auth_more_data(data)) == data
    switch = AuthSwitch("mysql_native_password", bytes(20))
    assert packets.parse_auth_switch(packets.build_auth_switch(switch)) == switch


def test_a_switch_without_plugin_means_the_oldest() -> None:
    """One byte 0xFE alone asks for the password hash of MySQL 3.23."""
    assert packets.parse_auth_switch(b"\xfe").plugin == "mysql_old_password"


def test_a_further_factor_is_recognised() -> None:
    """AuthNextFactor names its plugin."""
    assert (
        packets.parse_auth_next_factor(b"\x02authentication_webauthn_client\0abc")
        == "authentication_webauthn_client"
    )


@given(
    st.builds(
        Ok,
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**64 - 1),
        st.sampled_from([0, 2, 3]),
        st.integers(0, 2**16 - 1),
        blobs,
        blobs,
    ),
    st.booleans(),
)
def test_an_ok_is_read_as_it_was_built(ok: Ok, tracked: bool) -> None:
    """OK survives the wire; its session state goes to those who asked for it alone."""
    capabilities = flags.CLIENT_SESSION_TRACK if tracked else 0
    read = packets.parse_ok(packets.build_ok(ok, capabilities), capabilities)
    assert (read.affected_rows, read.last_insert_id, read.warnings, read.info) == (
        ok.affected_rows,
        ok.last_insert_id,
        ok.warnings,
        ok.info,
    )
    assert read.session_state == (ok.session_state if tracked else b"")
    assert bool(read.status & flags.SERVER_SESSION_STATE_CHANGED) == bool(read.session_state)


@given(
    st.integers(0, 2**16 - 1),
    st.sampled_from(["", "HY000", "28000"]),
    st.text(max_size=100).filter(lambda t: t[:1] != "#"),
)
def test_an_error_is_read_as_it_was_built(code: int, sqlstate: str, message: str) -> None:
    """ERR survives the wire with and without SQLSTATE."""
    message = message.encode("utf-8", "replace").decode()
    assert packets.parse_err(packets.build_err(Err(code, sqlstate, message))) == Err(code, sqlstate, message)


@pytest.mark.parametrize(
    ("error", "packet"),
    [
        (HandshakeError("no"), b"\x0b\0\0\x02\xff\x13\x04#08S01no"),
        ((1040, "08004", "Too many"), b"\x11\0\0\x02\xff\x10\x04#08004Too many"),
    ],
)
def test_an_error_becomes_a_packet(error: RouterError | tuple[int, str, str], packet: bytes) -> None:
    """The router's errors and a server's are sent the same way."""
    assert packets.build_error(error, 2) == packet


def test_a_long_message_is_cut_between_letters() -> None:
    """At most 512 bytes, and never half a letter."""
    payload = packets.build_error(HandshakeError("x" + "\u00e9" * 600), 0, with_sqlstate=False)[4:]
    message = packets.parse_err(payload).message
    assert message == "x" + "\u00e9" * 255


def test_an_eof_is_read_as_it_was_built() -> None:
    """EOF survives the wire; a row that begins with 0xFE is none."""
    assert packets.parse_eof(packets.build_eof(Eof(3, 10))) == Eof(3, 10)
    with pytest.raises(Malformed):
        packets.parse_eof(b"\xfe" + bytes(8))


PARSERS: list[Callable[[bytes], object]] = [
    packets.parse_greeting,
    packets.parse_ssl_request,
    packets.parse_response,
    packets.parse_capabilities,
    packets.parse_auth_switch,
    packets.parse_auth_more_data,
    packets.parse_auth_next_factor,
    packets.parse_err,
    packets.parse_eof,
    lambda data: packets.parse_ok(data, 0),
    lambda data: packets.parse_ok(data, flags.CLIENT_SESSION_TRACK),
    lambda data: packets.parse_change_user(data, FULL),
]


@given(
    st.binary(max_size=120),
    st.sampled_from(
        [b"", b"\0", b"\x01", b"\x02", b"\x0a8.0\0", b"\xfe", b"\xff", packets.build_ssl_request(FULL, 1, 1)]
    ),
)
def test_garbage_raises_one_kind_of_error(data: bytes, head: bytes) -> None:
    """Whatever the bytes, a parser gives a value or raises Malformed."""
    for parse in PARSERS:
        try:
            parse(head + data)
        except Malformed:
            continue
