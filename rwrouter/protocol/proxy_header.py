r"""The PROXY header: the address of the client on whose behalf a connection was made, before its first byte.

"The PROXY protocol, versions 1 & 2" (haproxy.org, proxy-protocol.txt).

    v1   "PROXY TCP4 192.0.2.1 198.51.100.2 56324 3306\r\n" (TCP6; "PROXY UNKNOWN ...\r\n"), at most 107 bytes
    v2   12 bytes signature, int<1> version (2) and command (0 LOCAL, 1 PROXY), int<1> family and transport,
         int<2> big-endian length of the rest: addresses, ports, then TLVs that are passed over

Neither can be taken for a packet of a client: that has the sequence id 1 in its fourth byte.
"""

from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from rwrouter.protocol.wire import Malformed

V1: Final = b"PROXY "
V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
V1_LONGEST: Final = 107
V2_LONGEST: Final = 2048  # bytes after the head: addresses need 216 at most, and TLVs of balancers are short
LOCAL: Final = 0x20
PROXY: Final = 0x21
TCP4: Final = 0x11
TCP6: Final = 0x21

Endpoint = tuple[str, int]
"""Address and port."""


class ProxyHeader(NamedTuple):
    """*client*: for whom the connection was made; None: for the balancer itself (a health check), or untold."""

    client: Endpoint | None
    size: int  # bytes that the header takes


def begins(data: bytes) -> bool:
    """Tell whether *data*, the first bytes of a connection, may be the start of a PROXY header."""
    return bool(data) and (V1.startswith(data[:6]) or V2.startswith(data[:12]))


def parse(data: bytes) -> ProxyHeader | None:
    """Read the header that *data* begins with; None: it is not whole yet. Raises Malformed."""
    if data.startswith(V2):
        return _parse_v2(data)
    if V2.startswith(data[:12]) or (len(data) < len(V1) and V1.startswith(data)):
        return None
    end = data.find(b"\r\n", 0, V1_LONGEST)
    if end < 0:
        if len(data) >= V1_LONGEST:
            raise Malformed(f"a PROXY header without an end within {V1_LONGEST} bytes")
        return None
    return _parse_v1(data[:end], end + 2)


def _parse_v1(line: bytes, size: int) -> ProxyHeader:
    words = line.split(b" ")
    if words[:2] == [b"PROXY", b"UNKNOWN"]:
        return ProxyHeader(None, size)
    if len(words) != 6 or words[0] != b"PROXY" or words[1] not in {b"TCP4", b"TCP6"}:
        raise Malformed(
            "a PROXY header of version 1 that names neither TCP4, TCP6 nor UNKNOWN and two endpoints"
        )
    kind = IPv4Address if words[1] == b"TCP4" else IPv6Address
    try:
        source, _target = (kind(word.decode("ascii")) for word in words[2:4])
    except (AddressValueError, UnicodeDecodeError) as exc:
        raise Malformed(f"a PROXY header of {words[1].decode()} with an address that is none") from exc
    for word in words[4:]:
        if not word.isdigit() or len(word) > 5 or int(word) > 0xFFFF:
            raise Malformed("a PROXY header with a port that is none")
    return ProxyHeader((str(source), int(words[4])), size)


def _parse_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    command, family = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    if command not in {LOCAL, PROXY}:
        raise Malformed(f"a PROXY header of version {command >> 4}, command {command & 15}: neither is known")
    if length > V2_LONGEST:
        raise Malformed(f"a PROXY header of {length} bytes, at most {V2_LONGEST} are taken")
    if len(data) < 16 + length:
        return None
    size = 16 + length
    width = {TCP4: 4, TCP6: 16}.get(family)
    if command == LOCAL or width is None:  # what is not TCP has no address that we could use
        return ProxyHeader(None, size)
    if length < 2 * width + 4:
        raise Malformed("a PROXY header that is too short for its addresses")
    source = ip_address(data[16 : 16 + width])
    port = int.from_bytes(data[16 + 2 * width : 18 + 2 * width], "big")
    return ProxyHeader((str(source), port), size)


def build(client: Endpoint | None, server: Endpoint | None) -> bytes:
    """Return a header of version 2: of a connection to *server* for *client*; LOCAL where there is none."""
    if client is None or server is None:
        return V2 + bytes((LOCAL, 0, 0, 0))
    source, target = ip_address(client[0].split("%")[0]), ip_address(server[0].split("%")[0])
    if source.version != target.version:  # both as IPv6
        source, target = (
            IPv6Address(b"\0" * 10 + b"\xff\xff" + one.packed) if one.version == 4 else one
            for one in (source, target)
        )
    ports = client[1].to_bytes(2, "big") + server[1].to_bytes(2, "big")
    body = source.packed + target.packed + ports
    family = TCP4 if source.version == 4 else TCP6
    return V2 + bytes((PROXY, family)) + len(body).to_bytes(2, "big") + body
