"""Addresses."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.config.addresses import (
    UnixPath,
    clash,
    is_in,
    is_loopback,
    parse_admin,
    parse_listener,
    parse_network,
    parse_server,
)
from rwrouter.model import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("db1", Address("db1", 3306)),
        ("db1:3307", Address("db1", 3307)),
        ("unix:3306", Address("unix", 3306)),
        ("10.0.0.1", Address("10.0.0.1", 3306)),
        ("[::1]", Address("::1", 3306)),
        ("[2001:DB8::1]:3307", Address("2001:db8::1", 3307)),
        ("db_1.example-host.net:1", Address("db_1.example-host.net", 1)),
    ],
)
def test_servers(text: str, address: Address) -> None:
    """A server is a host and a port; 3306 goes without saying."""
    assert parse_server(text) == address


@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::]:6450", Address("::", 6450)),
        ("unix:/run/rwrouter.sock", UnixPath("/run/rwrouter.sock")),
    ],
)
def test_listeners(text: str, listener: object) -> None:
    """Clients connect over TCP, IPv6 included, or a unix socket; a listener prints as it is written."""
    assert parse_listener(text) == listener
    assert str(parse_listener(text)) == text


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_server, "", "is empty: write HOST:PORT"),
        (
            parse_server,
            "mysql://db1:3306",
            '"mysql://db1:3306" is a URL: write HOST:PORT, without "mysql://"',
        ),
        (parse_server, "db1:0", '"db1:0": "0" is no port; write a number from 1 to 65535'),
        (parse_server, "db1:99999", '"db1:99999": "99999" is no port; write a number from 1 to 65535'),
        (parse_server, "db1:mysql", '"db1:mysql": "mysql" is no port; write a number from 1 to 65535'),
        (parse_server, "db1:", '"db1:": "" is no port; write a number from 1 to 65535'),
        (
            parse_server,
            "::1",
            '"::1" has more than one colon: write an IPv6 address as "[::1]:3306"',
        ),
        (
            parse_server,
            "db1:3306:3307",
            '"db1:3306:3307" has more than one colon: write an IPv6 address as "[::1]:3306"',
        ),
        (parse_server, "[db1]:3306", '"[db1]:3306": "db1" is no IPv6 address'),
        (parse_server, "[::1", '"[::1" is no address: write an IPv6 address as "[::1]:3306"'),
        (parse_server, "10.0.0.300", '"10.0.0.300": "10.0.0.300" is no IPv4 address'),
        (parse_server, "db 1:3306", '"db 1:3306": "db 1" is no host name'),
        (parse_server, "unix:/tmp/s", '"unix:/tmp/s": servers are reached over TCP; write HOST:PORT'),
        (parse_listener, "localhost", '"localhost" has no port: write "localhost:6450"'),
        (
            parse_listener,
            "6450",
            '"6450": "6450" is no IPv4 address; write HOST:PORT, such as "127.0.0.1:6450"',
        ),
        (
            parse_listener,
            ":6450",
            '":6450" has no host: write "127.0.0.1:6450", or "0.0.0.0:6450" for every address',
        ),
        (
            parse_listener,
            "0.0.0.0:65536",
            '"0.0.0.0:65536": "65536" is no port; write a number from 0 to 65535',
        ),
        (parse_listener, "unix:", '"unix:" has no path: write "unix:/run/rwrouter.sock"'),
        (parse_admin, "unix:/x", '"unix:/x": the admin side listens on TCP; write HOST:PORT'),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(
    parse: Callable[[str], object], text: str, message: str
) -> None:
    """Each mistake has a message that quotes what was written and says how to mend it."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert str(caught.value) == message


def test_a_unix_path_fits_in_a_socket_name() -> None:
    """The kernel cuts no path: one that is too long is refused before."""
    assert parse_listener("unix:/" + "a" * 106)
    with pytest.raises(ValueError, match="has 108 bytes, more than the 107 of a socket"):
        parse_listener("unix:/" + "a" * 107)


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    """No text makes the parsers fail in another way, and what they take, they print and take again."""
    try:
        address = parse_server(text)
    except ValueError:
        return
    assert parse_server(str(address)) == address


@pytest.mark.parametrize(
    ("one", "other", "is_clash"),
    [
        ("127.0.0.1:6450", "127.0.0.1:6450", True),
        ("0.0.0.0:6450", "127.0.0.1:6450", True),
        ("localhost:6450", "127.0.0.1:6450", True),
        ("127.0.0.1:6450", "127.0.0.2:6450", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "127.0.0.1:6450", False),
    ],
)
def test_clashes(one: str, other: str, is_clash: bool) -> None:
    """Two listeners clash if one machine can't have both, whichever comes first."""
    assert clash(parse_listener(one), parse_listener(other)) is is_clash
    assert clash(parse_listener(other), parse_listener(one)) is is_clash


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)],
)
def test_loopback(host: str, is_own: bool) -> None:
    """Loopback is what other machines can't reach; a wildcard is not."""
    assert is_loopback(Address(host, 1)) is is_own
    assert not is_loopback(Address("router.example.net", 1))


def test_networks() -> None:
    """Networks, single addresses, and whoever comes over a unix socket."""
    networks = [parse_network(text) for text in ("10.0.0.0/8", "fd00::/8", "192.0.2.7", "unix")]
    for host in ("10.255.0.1", "fd12::1", "fe80::1%eth0", "192.0.2.7", "::ffff:10.0.0.1", ""):
        assert is_in(host, networks) is not host.startswith("fe80")
    assert not is_in("192.0.2.8", networks)
    assert not is_in("", networks[:2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.1/8", 'write "10.0.0.0/8"'),
        ("balancer", "is no network"),
        ("", "is no network"),
        ("*", "is no network"),
    ],
)
def test_networks_that_are_none(text: str, message: str) -> None:
    """The message says what to write."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_network(text)
