"""Addresses as people write them: "db1:3306", "[::1]:6450", "unix:/run/rwrouter.sock"."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rwrouter.model import Address

MYSQL_PORT: Final = 3306
UNIX_PATH_LIMIT: Final = 107  # bytes: sun_path in unix(7) has 108, with its final NUL

_HOST: Final = re.compile(r"[\w.-]+")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+]*)://")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_WILDCARDS: Final = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class UnixPath:
    """A unix socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


Listener = Address | UnixPath

UNIX: Final = "unix"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network | str
"""A network of addresses, or UNIX: whoever connects over a unix socket."""


def parse_server(text: str) -> Address:
    """Return where a MySQL server is; the port is 3306 where it is left out. Raises ValueError."""
    kind, _, rest = text.partition(":")
    if kind == UNIX and rest and not _PORT.fullmatch(rest):  # with a port it is a host of that name
        raise ValueError(f'"{text}": servers are reached over TCP; write HOST:PORT')
    return _parse(text, MYSQL_PORT, lowest=1)


def parse_listener(text: str) -> Listener:
    """Return where to listen for clients: HOST:PORT or unix:PATH; port 0: any free one. Raises ValueError."""
    if not text.startswith("unix:"):
        return _parse(text, None, lowest=0)
    path = text.removeprefix("unix:")
    if not path:
        raise ValueError('"unix:" has no path: write "unix:/run/rwrouter.sock"')
    if "\0" in path:
        raise ValueError('"unix:" with a NUL byte is no path: write "unix:/run/rwrouter.sock"')
    if len(path.encode()) > UNIX_PATH_LIMIT:
        raise ValueError(
            f'"{text}": the path has {len(path.encode())} bytes, more than the {UNIX_PATH_LIMIT} of a socket'
        )
    return UnixPath(path)


def parse_network(text: str) -> Network:
    """Return a network such as 10.0.0.0/8, a single address, or UNIX for "unix". Raises ValueError."""
    if text == UNIX:
        return UNIX
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f'"{text}" is no network: write one such as "10.0.0.0/8" or "fd00::/8", an address, or "unix"'
        ) from None
    raise ValueError(f'"{text}" has bits behind its prefix: write "{meant}"')


def is_in(host: str, networks: Iterable[Network]) -> bool:
    """Tell whether *host*, an address ("" for a unix socket), is in one of *networks*."""
    if not host:
        return UNIX in networks
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    return any(not isinstance(network, str) and address in network for network in networks)


def parse_admin(text: str) -> Address:
    """Return where the HTTP side listens; port 0 is any free one. Raises ValueError."""
    if text.startswith("unix:"):
        raise ValueError(f'"{text}": the admin side listens on TCP; write HOST:PORT')
    return _parse(text, None, lowest=0)


def is_loopback(address: Address) -> bool:
    """Whether only this machine can reach *address*."""
    if address.host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return False  # a name may lead anywhere


def clash(one: Listener, other: Listener) -> bool:
    """Whether one machine can't listen on both."""
    if isinstance(one, UnixPath) or isinstance(other, UnixPath):
        return one == other
    if one.port != other.port or one.port == 0:
        return False
    if one.host == other.host or one.host in _WILDCARDS or other.host in _WILDCARDS:
        return True
    return {one.host, other.host} == {"localhost", "127.0.0.1"}


def _parse(text: str, default_port: int | None, lowest: int) -> Address:
    if not text.strip():
        raise ValueError("is empty: write HOST:PORT")
    if scheme := _SCHEME.match(text):
        raise ValueError(f'"{text}" is a URL: write HOST:PORT, without "{scheme[0]}"')
    host, port_text = _split(text, default_port)
    if port_text is None:
        if default_port is None:
            raise ValueError(f'"{text}" has no port: write "{text}:6450"')
        return Address(host, default_port)
    port = int(port_text) if _PORT.fullmatch(port_text) else -1
    if not lowest <= port <= 65535:
        raise ValueError(f'"{text}": "{port_text}" is no port; write a number from {lowest} to 65535')
    return Address(host, port)


def _split(text: str, default_port: int | None) -> tuple[str, str | None]:
    """Cut *text* into host and port (None where there is none), the host checked. Raises ValueError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f'"{text}" is no address: write an IPv6 address as "[::1]:3306"')
        if not _is_ip(host, 6):
            raise ValueError(f'"{text}": "{host}" is no IPv6 address')
        return str(ipaddress.IPv6Address(host)), rest[1:] if rest else None
    if text.count(":") > 1:
        example = f"[{text}]:{default_port or 6450}" if _is_ip(text, 6) else "[::1]:3306"
        raise ValueError(f'"{text}" has more than one colon: write an IPv6 address as "{example}"')
    host, colon, port = text.partition(":")
    if not host:
        raise ValueError(
            f'"{text}" has no host: write "127.0.0.1{text}", or "0.0.0.0{text}" for every address'
        )
    if not _HOST.fullmatch(host):
        raise ValueError(f'"{text}": "{host}" is no host name')
    if host.replace(".", "").isdigit() and not _is_ip(host, 4):
        hint = f'; write HOST:PORT, such as "127.0.0.1:{host}"' if host.isdigit() and not colon else ""
        raise ValueError(f'"{text}": "{host}" is no IPv4 address{hint}')
    return host, port if colon else None


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False
