"""What each server says of itself and of others: who follows whom, who is in a group with whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rwrouter.cluster.probes import Channel, Facts, Member, Receiver
from rwrouter.model import Address


@dataclass(frozen=True, slots=True)
class Observation:
    """What the last answered round of probes told of one server."""

    name: str
    address: Address
    facts: Facts
    channels: tuple[Channel, ...] = ()
    members: tuple[Member, ...] = ()  # of its replication group, as it sees it; empty where it may not look
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
    """A server of the configuration, whether or not it was ever seen."""

    name: str
    address: Address
    seen: Observation | None = None

    def is_source_of(self, channel: Channel) -> bool:
        """Tell whether *channel* fetches from this server: by its identity, else by its address."""
        if self.seen is not None:
            facts = self.seen.facts
            if channel.source_uuid and facts.uuid:
                return channel.source_uuid == facts.uuid
            if channel.source_id and facts.server_id:
                return channel.source_id == facts.server_id
        return (channel.source_host, channel.source_port) == (self.address.host, self.address.port)


def followed(one: Observation, seats: Iterable[Seat]) -> str | None:
    """Return the name of the server among *seats* that *one* replicates from; None if that was stopped."""
    known = [seat for seat in seats if seat.name != one.name]
    for channel in one.channels:
        if channel.receiver is Receiver.NO and not channel.is_applying:
            continue  # both threads stopped: how a replica is left that was made a primary by hand
        for seat in known:
            if seat.is_source_of(channel):
                return seat.name
    return None


def unlisted(observations: Sequence[Observation]) -> tuple[Address, ...]:
    """Return the addresses of sources and group members that no server in *observations* stands for."""
    uuids = {one.facts.uuid for one in observations if one.facts.uuid}
    ids = {one.facts.server_id for one in observations}
    listed = {one.address for one in observations}
    found: dict[Address, None] = {}
    for one in observations:
        for channel in one.channels:
            address = Address(channel.source_host, channel.source_port)
            known = channel.source_uuid in uuids if channel.source_uuid else channel.source_id in ids
            if channel.source_host and not known and address not in listed:
                found[address] = None
        for member in one.members:
            address = Address(member.host, member.port)
            if member.uuid not in uuids and address not in listed:
                found[address] = None
    return tuple(found)
