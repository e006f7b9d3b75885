"""From the addresses that servers say to those that the router reaches: for containers, NAT and private networks."""

from collections.abc import Iterable

from rwrouter.config.addresses import parse_server
from rwrouter.config.model import AddressSettings
from rwrouter.model import Address


class AddressMap:
    """The settings' table of addresses. The most precise entry wins: a server_uuid, HOST:PORT, then HOST."""

    def __init__(self, entries: Iterable[AddressSettings]) -> None:
        self._reached = {entry.says.lower(): entry.reach for entry in entries}

    def reach(self, said: Address, uuid: str = "") -> Address:
        """Return where the server is reached that others call *said*; *uuid* is its own, if it is known."""
        for says in (uuid.lower(), str(said).lower(), said.host.lower()):
            reach = self._reached.get(says) if says else None
            if reach is not None:
                return parse_server(reach if has_port(reach) else str(Address(reach.strip("[]"), said.port)))
        return said


def has_port(text: str) -> bool:
    """Tell whether the address *text* names a port."""
    return text.rpartition("]")[2].count(":") == 1
