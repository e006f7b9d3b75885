"""Who is the primary: a pure function of what the servers say and of who it was before.

    a group with a majority     its ONLINE primary, if that is reachable and writable
    a group without             nobody; reads go on for a while
    the last primary writable   stays, whoever else is writable: an alarm names them
    one writable server         is the primary
    some of them follow others  the one that follows none
    several, or none            nobody; reads go on

A writable server that replicates from another one of the set is no primary while that one could be: a replica
whose read_only was forgotten must not take over when its source dies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rwrouter.cluster import group
from rwrouter.cluster.discovery import Observation, Seat, followed


@dataclass(frozen=True, slots=True)
class Election:
    """The outcome. *problem* says why nobody is primary; *alarms* what a person should look at."""

    primary: str | None
    problem: str = ""
    alarms: tuple[str, ...] = ()


def elect(previous: str | None, seats: Sequence[Seat]) -> Election:
    """Return who is the primary now, after *previous*."""
    seen = [seat.seen for seat in seats if seat.seen is not None]
    grouped = _by_group(previous, seen)
    if grouped is not None:
        return grouped
    writable = {one.name: one for one in seen if one.is_writable}
    if not writable:
        read_only = [one.name for one in seen if one.is_up]
        are = f"{', '.join(read_only)} {'is' if len(read_only) == 1 else 'are'} read_only"
        return Election(None, f"no server that answers is writable: {are}" if read_only else "")
    follows = {name: source for name, one in writable.items() if (source := followed(one, seats))}
    free = [name for name in writable if name not in follows or not _could_be_primary(follows[name], seats)]
    chosen = None
    if previous in writable and follows.get(previous) not in writable:
        chosen = previous
    elif len(free) == 1:
        chosen = free[0]
    strays = tuple(
        f"{name} replicates from {source} but is writable: set read_only (and super_read_only) there"
        for name, source in follows.items()
        if name != chosen and name not in free
    )
    rivals = sorted(name for name in free if name != chosen)
    if chosen is not None:
        split = (_conflict(sorted([chosen, *rivals]), f"{chosen} stays primary"),) if rivals else ()
        return Election(chosen, alarms=split + strays)
    if not rivals:
        return Election(None, "; ".join(strays), strays)
    problem = _conflict(rivals, "none is taken for the primary")
    return Election(None, problem, (problem, *strays))


def _conflict(names: Sequence[str], outcome: str) -> str:
    return (
        f"{len(names)} servers are writable at one time ({', '.join(names)}): {outcome}; "
        "set read_only on all but one"
    )


def _could_be_primary(name: str, seats: Sequence[Seat]) -> bool:
    """Tell whether the server called *name* is not known to be read-only now: down counts as could be."""
    seat = next(seat for seat in seats if seat.name == name)
    return seat.seen is None or not seat.seen.is_up or not seat.seen.facts.is_read_only


def _by_group(previous: str | None, seen: Sequence[Observation]) -> Election | None:
    """Return the outcome by Group Replication; None where no server that answers is in a group.

    Without a majority nobody is: what the primary of a minority is sent would wait, and perhaps be lost.
    """
    members = [one for one in seen if one.is_up and one.member is not None]
    for one in members:
        if group.has_majority(one):
            uuids = group.primaries(one)
            able = [other.name for other in seen if other.facts.uuid in uuids and other.is_writable]
            if able:  # several in a group of many primaries: one of them, always the same
                return Election(previous if previous in able else able[0])
            return Election(None, "the group's primary does not answer, or is not writable yet")
    if not members:
        return None
    return Election(None, "; ".join(f"{one.name} {group.trouble(one)}" for one in members))
