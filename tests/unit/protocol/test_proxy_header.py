"""PROXY headers: real ones, cut ones and hostile ones."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.proxy_header import V2, ProxyHeader, begins, build, parse
from rwrouter.protocol.wire import Malformed

GOOD = {
    "v1 over IPv4": (b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 3306\r\n", ("192.0.2.1", 56324)),
    "v1 over IPv6": (b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 3306\r\n", ("2001:db8::1", 56324)),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1 unknown with words": (b"PROXY UNKNOWN ff:ff ff:ff 1 1\r\n", None),
    "v2 over IPv4": (
        V2 + b"\x21\x11\x00\x0c" + bytes((192, 0, 2, 1, 198, 51, 100, 2)) + b"\xdc\x04\x0c\xea",
        ("192.0.2.1", 56324),
    ),
    "v2 with TLVs": (
        V2 + b"\x21\x11\x00\x11" + bytes((192, 0, 2, 1, 198, 51, 100, 2)) + b"\xdc\x04\x0c\xea\x04\0\x02ab",
        ("192.0.2.1", 56324),
    ),
    "v2 local": (V2 + b"\x20\x00\x00\x00", None),
    "v2 of a unix socket": (V2 + b"\x21\x31\x00\xd8" + bytes(216), None),
}
BAD = {
    "v1 of nothing": b"PROXY \r\n",
    "v1 of UDP": b"PROXY UDP4 192.0.2.1 198.51.100.2 56324 3306\r\n",
    "v1 without ports": b"PROXY TCP4 192.0.2.1 198.51.100.2\r\n",
    "v1 with a name": b"PROXY TCP4 localhost 198.51.100.2 56324 3306\r\n",
    "v1 with the other family": b"PROXY TCP4 ::1 ::2 56324 3306\r\n",
    "v1 with a port too big": b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 3306\r\n",
    "v1 with a signed port": b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 3306\r\n",
    "v1 with two blanks": b"PROXY TCP4  192.0.2.1 198.51.100.2 56324 3306\r\n",
    "v1 with other letters": b"PROXY TCP4 192.0.2.\xb2 198.51.100.2 56324 3306\r\n",
    "v1 without an end": b"PROXY TCP4 " + b"1" * 200,
    "v2 of version 3": V2 + b"\x31\x11\x00\x0c" + bytes(12),
    "v2 of an unknown command": V2 + b"\x22\x11\x00\x0c" + bytes(12),
    "v2 too short for its addresses": V2 + b"\x21\x21\x00\x0c" + bytes(12),
    "v2 too long": V2 + b"\x21\x11\xff\xff",
}


@pytest.mark.parametrize("name", GOOD)
def test_headers_as_balancers_send_them(name: str) -> None:
    """The client's address is told; what follows is not touched; a header that is cut anywhere is waited for."""
    header, client = GOOD[name]
    assert parse(header + b"rest") == ProxyHeader(client, len(header))
    for size in range(1, len(header)):
        assert begins(header[:size])
        assert parse(header[:size]) is None


@pytest.mark.parametrize("name", BAD)
def test_hostile_headers(name: str) -> None:
    """What is no header is an error, and nothing is waited for without end."""
    with pytest.raises(Malformed):
        parse(BAD[name])


def test_a_clients_packet_is_no_header() -> None:
    """Whatever its length: its sequence id is 1."""
    assert not begins(b"PRO\x01" + bytes(20))
    assert not begins(b"\r\n\r\x01" + bytes(20))
    assert not begins(b"")


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """Any bytes behind any start give a header, a wait or Malformed."""
    for start in (b"", b"PROXY ", V2, V2 + b"\x21\x11"):
        try:
            parse(start + data)
        except Malformed:
            continue


addresses = st.ip_addresses(v=4) | st.ip_addresses(v=6)


@given(addresses, addresses, st.integers(1, 65535))
def test_what_is_built_is_read(
    client: IPv4Address | IPv6Address, server: IPv4Address | IPv6Address, port: int
) -> None:
    """Also where the two are of different families."""
    header = build((str(client), port), (str(server), 3306))
    read = parse(header)
    assert read is not None
    assert read.client is not None
    seen = ip_address(read.client[0])
    mapped = seen.ipv4_mapped if isinstance(seen, IPv6Address) else None
    assert client in {seen, mapped}
    assert (read.client[1], read.size) == (port, len(header))


def test_for_the_router_itself() -> None:
    """A connection for nobody is LOCAL."""
    assert build(None, None) == V2 + b"\x20\x00\x00\x00"
