"""What the members of a replication group say of it: who has the majority, who the primary is, who may be read.

A member that has lost the majority goes on seeing itself ONLINE, its primary stays writable to its own eye (writes
only wait), and those it can't reach are UNREACHABLE in its view (seen on MySQL 9.7.4: after 5 s). So a member's word
counts only while it reaches more than half of those it names. An expelled one sees itself alone, in ERROR.

Sources: "Monitoring Group Replication", "Group Replication Server States", "Network Partitioning" in MySQL's manual.
"""

from collections.abc import Sequence

from rwrouter.cluster.discovery import Observation
from rwrouter.cluster.probes import Member

UNREACHABLE = "UNREACHABLE"
ONLINE = "ONLINE"


def reached(members: Sequence[Member]) -> int:
    """Return how many of *members*, as one of them sees them, it reaches, itself included."""
    return sum(member.state != UNREACHABLE for member in members)


def has_majority(one: Observation) -> bool:
    """Tell whether *one* is an ONLINE member that reaches more than half of the members it knows of."""
    member = one.member
    return member is not None and member.state == ONLINE and 2 * reached(one.members) > len(one.members)


def trouble(one: Observation) -> str:
    """Return why nobody may rely on what the member *one* has; "" for one that is well, or in no group."""
    member = one.member
    if member is None or has_majority(one):
        return ""
    if member.state == ONLINE:
        return f"has lost the majority of its group: it reaches {reached(one.members)} of {len(one.members)} members"
    return f"is {member.state} in its group"


def primaries(one: Observation) -> frozenset[str]:
    """Return the UUIDs of the primaries that *one* sees ONLINE: several in a group of many primaries."""
    return frozenset(m.uuid for m in one.members if m.is_primary and m.state == ONLINE)
