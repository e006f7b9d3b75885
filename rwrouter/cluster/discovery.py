"""What each server says of itself and of others: who follows whom."""

from collections.abc import Iterable
from dataclasses import dataclass

from rwrouter.cluster.probes import Channel, Facts, Member, Replica
from rwrouter.model import Address


@dataclass(frozen=True, slots=True)
class Observation:
    """What the last answered round of probes told of one server."""

    name: str
    address: Address
    facts: Facts
    channels: tuple[Channel, ...] = ()
    members: tuple[Member, ...] = ()  # of its replication group, as it sees it; empty where it may not look
    replicas: tuple[Replica, ...] = ()  # who has registered with it; empty where it was not asked
    dumping: tuple[str, ...] = ()  # hosts that fetch its binary log
    is_up: bool = True  # by its health now; the rest is as it was when it last answered

    @property
    def is_writable(self) -> bool:
        """Whether it takes writes, by its own word."""
        return self.is_up and not self.facts.is_read_only

    @property
    def member(self) -> Member | None:
        """Return itself as a member of its group; None if it is in none, or nothing is known of one.

        OFFLINE is a server on which the group's plugin is loaded, and has not been started.
        """
        own = next((member for member in self.members if member.uuid == self.facts.uuid), None)
        return own if own is not None and own.state != "OFFLINE" else None


@dataclass(frozen=True, slots=True)
class Seat:
    """A server that is watched, whether or not it was ever seen."""

    name: str
    address: Address
    seen: Observation | None = None
    said: frozenset[Address] = frozenset()  # how other servers call it

    def is_source_of(self, channel: Channel) -> bool:
        """Tell whether *channel* fetches from this server: by its identity, else by its address."""
        if self.seen is not None:
            facts = self.seen.facts
            if channel.source_uuid and facts.uuid:
                return channel.source_uuid == facts.uuid
            if channel.source_id and facts.server_id:
                return channel.source_id == facts.server_id
        source = Address(channel.source_host, channel.source_port)
        return source == self.address or source in self.said


def followed(one: Observation, seats: Iterable[Seat]) -> str | None:
    """Return the name of the server among *seats* that *one* replicates from; None if that was stopped."""
    known = [seat for seat in seats if seat.name != one.name]
    for channel in one.channels:
        if channel.is_stopped:
            continue
        for seat in known:
            if seat.is_source_of(channel):
                return seat.name
    return None


def stray_source(one: Observation, seats: Iterable[Seat]) -> str:
    """Return from whom *one* replicates, as HOST:PORT, if that is none of *seats*; "" if it is, or there is nobody."""
    running = [channel for channel in one.channels if not channel.is_stopped]
    if one.member is not None or not running or followed(one, seats) is not None:
        return ""
    return str(Address(running[0].source_host, running[0].source_port))
