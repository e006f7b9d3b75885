"""Servers that come and go: those that others name are probed, and taken in; those that nobody names are dropped.

named by one that is watched      a candidate: it is probed, and in no snapshot yet
it answers as who it was said to be   taken in
... as one that is watched already    it is that one's further address
... as somebody else, or not at all   stays a candidate, with an alarm; probed ever less often
no longer named                   a candidate is dropped at once, a server after `monitor.forget`
"""

from collections.abc import Callable, Iterator
from typing import Final

from rwrouter.cluster.addresses import AddressMap
from rwrouter.cluster.discovery import Seat, followed
from rwrouter.cluster.finding import Identity, Known, Sighting, identity, look_around
from rwrouter.cluster.watched import Watched
from rwrouter.config.addresses import parse_server
from rwrouter.model import Address

MAX_FOUND: Final = 100  # servers that were not listed: what servers say must not fill the memory
LOOK: Final = 1.0  # seconds between two looks around, where no server tells anything new
BACKOFF: Final = 60.0  # seconds, at most, between two probes of a candidate that does not answer
REMEMBERED: Final = 256  # names of servers that were forgotten


class Finder:
    """Keeps the dictionary of watched servers, by name, up to date with what they say of each other."""

    def __init__(
        self,
        make: Callable[[str, Address, Sighting], Watched],
        note: Callable[..., None],
    ) -> None:
        """*make* makes a candidate; *note* takes level, name and fields of an event."""
        self._make = make
        self._note = note
        self._aliases: dict[Address, Identity] = {}
        self._names: dict[Identity, str] = {}  # so that one who comes back is called as before
        self._looked_at = 0.0
        self.is_on = False
        self.forget = 0.0  # seconds
        self.addresses = AddressMap(())
        self.unlisted: tuple[Address, ...] = ()  # named, and not to be used

    def look(self, watched: dict[str, Watched], now: float, *, is_news: bool) -> None:
        """Add and remove, by what the *watched* tell. *is_news*: one of them told something new of others."""
        if not is_news and now < self._looked_at + LOOK:
            return
        self._looked_at = now
        self._join_twins(watched)
        admitted = [one for one in watched.values() if one.is_admitted and not one.twin]
        known = [Known(one.name, one.address, one.found is None, one.seen) for one in admitted]
        around = look_around(known, self.addresses, self._aliases)
        for one in admitted:
            one.said = frozenset(around.said.get(one.name, ()))
            one.is_attached = one.name in around.attached
            if one.is_attached:
                one.named_at = now
            elif now - one.named_at > self.forget:
                self._remove(one, watched)
                self._note(
                    "info", "server_forgotten", server=one.name, why="no other server names it any more"
                )
        candidates = {one.address: one for one in watched.values() if not one.is_admitted}
        for address, one in candidates.items():
            if address not in around.unknown:
                del watched[one.name]
        self.unlisted = () if self.is_on else tuple(around.unknown)
        if self.is_on:
            for address, sighting in around.unknown.items():
                if address not in candidates and _is_valid(address):
                    self._add(address, sighting, watched)

    def admit(self, one: Watched, watched: dict[str, Watched]) -> None:
        """Take in the candidate *one*, which has answered, if it is who it was said to be."""
        assert one.seen is not None  # noqa: S101  it has answered
        assert one.found is not None  # noqa: S101  else it is no candidate
        facts = one.seen.facts
        who = identity(facts)
        if who is not None and self._who_is(who, watched) is not None:
            self._call(one.address, who)
            del watched[one.name]
            return
        seats = [Seat(o.name, o.address, o.seen, o.said) for o in watched.values() if o.is_admitted]
        if not one.found.is_of(facts):
            one.trouble = "another server answers there"
        elif not one.found.is_named and not followed(one.seen, seats):
            one.trouble = "what answers there replicates from none of these servers"
        else:
            one.is_admitted, one.trouble = True, ""
            name = self._names.get(who, one.name) if who is not None else one.name
            if name not in watched:
                del watched[one.name]
                one.rename(name)
                watched[name] = one
            self._note("info", "server_found", server=one.name, address=str(one.address), how=one.found.how)

    def put_off(self, one: Watched, now: float) -> None:
        """Decide when the candidate *one*, which is none of us yet, is probed again."""
        one.due_at = now + min(BACKOFF, 2.0 ** min(one.health.failures, 10))

    def alarms(self, watched: dict[str, Watched]) -> Iterator[str]:
        """Yield a sentence for each server that is named and can't be used, always the same for the same."""
        for one in watched.values():
            if one.is_admitted or one.found is None or not (one.trouble or one.first_failure):
                continue
            at = "" if str(one.address) == str(one.found.said) else f" at {one.address}"
            yield (
                f"{one.found.said}, {one.found.how}, can't be used{at}: {one.trouble or one.first_failure}; "
                "tell how it is reached under [[addresses]], or set discovery = false"
            )
        if self.unlisted:
            names = ", ".join(map(str, self.unlisted))
            yield f"not among the configured servers: {names}; list them, or set discovery = true"

    def _add(self, address: Address, sighting: Sighting, watched: dict[str, Watched]) -> None:
        if sum(one.found is not None for one in watched.values()) >= MAX_FOUND:
            return
        for name in (str(sighting.said), str(address)):
            if name not in watched:
                watched[name] = self._make(name, address, sighting)
                return

    def _join_twins(self, watched: dict[str, Watched]) -> None:
        """Find servers that are watched at two addresses: one that was found gives way, one that is listed idles."""
        first: dict[Identity, Watched] = {}
        for one in list(watched.values()):
            who = identity(one.seen.facts) if one.is_admitted and one.seen is not None else None
            one.twin = ""
            if who is None or not one.health.is_up or first.setdefault(who, one) is one:
                continue
            if one.found is None:
                one.twin = first[who].name
            else:
                self._call(one.address, who)
                self._remove(one, watched)

    def _call(self, address: Address, who: Identity) -> None:
        self._aliases[address] = who
        while len(self._aliases) > REMEMBERED:
            del self._aliases[next(iter(self._aliases))]

    def _who_is(self, who: Identity, watched: dict[str, Watched]) -> Watched | None:
        for one in watched.values():
            if one.is_admitted and one.seen is not None and identity(one.seen.facts) == who:
                return one
        return None

    def _remove(self, one: Watched, watched: dict[str, Watched]) -> None:
        who = identity(one.seen.facts) if one.seen is not None else None
        if who is not None:
            self._names[who] = one.name
            while len(self._names) > REMEMBERED:
                del self._names[next(iter(self._names))]
        del watched[one.name]


def _is_valid(address: Address) -> bool:
    try:
        return parse_server(str(address)) == address
    except ValueError:
        return False
