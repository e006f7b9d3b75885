"""What servers say of others, and who of those is known: how servers are found that nobody listed.

    a replica's channel        where it fetches from: host, port, server_uuid (MySQL) and server_id of its source
    SHOW REPLICAS              who fetches from it: server_id, uuid (MySQL), and host and port as `report_host` says
    dump threads               the hosts of those who fetch from it, where they report none
    group members              host, port and uuid of each (report_host, else the host's name)

Servers say each other's addresses as *they* see them: `addresses.py` turns these into what the router reaches.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rwrouter.cluster.addresses import AddressMap
from rwrouter.cluster.discovery import Observation
from rwrouter.cluster.probes import Facts, Receiver
from rwrouter.model import Address, Flavor

Identity = tuple[
    str, int, str, int
]  # server_uuid, server_id, host name, port: what one server alone can have


@dataclass(frozen=True, slots=True)
class Sighting:
    """A server, as another one tells of it."""

    said: Address
    uuid: str  # "" where it is not told
    server_id: int  # 0 where it is not told
    how: str  # "the source of db2"

    def is_of(self, facts: Facts) -> bool:
        """Tell whether who says *facts* of itself can be the one that was told of."""
        if self.uuid and facts.uuid:
            return self.uuid == facts.uuid
        return not self.server_id or self.server_id == facts.server_id

    @property
    def is_named(self) -> bool:
        """Whether more than a host was told."""
        return bool(self.uuid or self.server_id)


@dataclass(frozen=True, slots=True)
class Known:
    """A server that is watched already."""

    name: str
    address: Address
    is_listed: bool  # in the configuration
    seen: Observation | None = None


@dataclass(slots=True)
class Around:
    """What the known servers tell of each other and of others."""

    attached: set[str] = field(default_factory=set)  # names of those that the listed ones lead to
    unknown: dict[Address, Sighting] = field(default_factory=dict)  # by the address where it is reached
    said: dict[str, set[Address]] = field(default_factory=dict)  # name -> how others call it


def identity(facts: Facts) -> Identity | None:
    """Return what tells the server that says *facts* from all others; None where it does not say enough."""
    return (facts.uuid, facts.server_id, facts.hostname, facts.port) if facts.hostname else None


def sightings(one: Observation) -> Iterable[Sighting]:
    """Yield whom *one* tells of."""
    for channel in one.channels:
        stopped = channel.receiver is Receiver.NO and not channel.is_applying
        if channel.source_host and not stopped:
            said = Address(channel.source_host, channel.source_port)
            yield Sighting(said, channel.source_uuid, channel.source_id, f"the source of {one.name}")
    for member in one.members:
        if member.uuid != one.facts.uuid and member.host and one.member is not None:
            how = f"in the group of {one.name}"
            yield Sighting(Address(member.host, member.port), member.uuid, 0, how)
    how = f"a replica of {one.name}"
    for replica in one.replicas:
        for host in [replica.host] if replica.host else one.dumping:
            yield Sighting(Address(host, replica.port), replica.uuid, replica.server_id, how)
    if not one.replicas:
        for host in one.dumping:
            yield Sighting(Address(host, one.address.port), "", 0, how)


def look_around(known: Sequence[Known], addresses: AddressMap, aliases: Mapping[Address, Identity]) -> Around:
    """Return what the *known* servers tell. *aliases* are further addresses of servers that are known."""
    index = _Index(known, aliases)
    around = Around()
    edges: dict[str, set[str]] = {one.name: set() for one in known}
    strangers: dict[str, list[tuple[Address, Sighting]]] = {}
    for one in known:
        for sighting in sightings(one.seen) if one.seen is not None else ():
            address = addresses.reach(sighting.said, sighting.uuid)
            name = index.find(sighting, address)
            if name is None:
                strangers.setdefault(one.name, []).append((address, sighting))
            elif name != one.name:
                edges[one.name].add(name)
                if (
                    one.seen is not None and one.seen.is_up
                ):  # what a dead one said last binds others, not itself
                    edges[name].add(one.name)
                around.said.setdefault(name, set()).add(sighting.said)
    waiting = [one.name for one in known if one.is_listed]
    while waiting:
        name = waiting.pop()
        if name not in around.attached:
            around.attached.add(name)
            waiting += edges[name]
    for one in known:
        if one.name in around.attached:
            for address, sighting in strangers.get(one.name, ()):
                around.unknown.setdefault(address, sighting)
    return around


class _Index:
    """The known servers, by all that another one could tell of them."""

    def __init__(self, known: Sequence[Known], aliases: Mapping[Address, Identity]) -> None:
        self._by_uuid: dict[str, str] = {}
        self._by_id: dict[int, str] = {}
        self._by_address: dict[Address, str] = {}
        by_identity: dict[Identity, str] = {}
        for one in known:
            self._by_address.setdefault(one.address, one.name)
            if one.seen is not None:
                facts = one.seen.facts
                if facts.uuid:
                    self._by_uuid.setdefault(facts.uuid, one.name)
                if facts.flavor is Flavor.MARIADB:  # unique among those that replicate from each other
                    self._by_id.setdefault(facts.server_id, one.name)
                who = identity(facts)
                if who is not None:
                    by_identity.setdefault(who, one.name)
        for address, who in aliases.items():
            if who in by_identity:
                self._by_address.setdefault(address, by_identity[who])

    def find(self, sighting: Sighting, address: Address) -> str | None:
        """Return the name of whom *sighting* is of, reached at *address*; None if it is nobody's."""
        found = self._by_uuid.get(sighting.uuid) if sighting.uuid else self._by_id.get(sighting.server_id)
        return found or self._by_address.get(address)
