"""Whose word counts in a replication group."""

import pytest

from rwrouter.cluster import group
from rwrouter.cluster.discovery import Observation
from rwrouter.cluster.probes import Facts, Member
from rwrouter.model import Address, Flavor

FACTS = Facts(Flavor.MYSQL, "9.7.4", "u1", 1, is_read_only=True, executed="", now=0.0)


def observed(*states: str) -> Observation:
    """Return what db1, the first of the members with *states*, says."""
    members = tuple(
        Member(f"u{number}", f"db{number}", 3306, state, is_primary=number == 2)
        for number, state in enumerate(states, 1)
    )
    return Observation("db1", Address("db1", 3306), FACTS, members=members)


@pytest.mark.parametrize(
    ("states", "trouble"),
    [
        ((), ""),
        (("OFFLINE",), ""),
        (("ONLINE",), ""),
        (("ONLINE", "ONLINE", "UNREACHABLE"), ""),
        (("ONLINE", "RECOVERING", "UNREACHABLE"), ""),
        (
            ("ONLINE", "UNREACHABLE", "UNREACHABLE"),
            "has lost the majority of its group: it reaches 1 of 3 members",
        ),
        (("ONLINE", "UNREACHABLE"), "has lost the majority of its group: it reaches 1 of 2 members"),
        (("RECOVERING", "ONLINE", "ONLINE"), "is RECOVERING in its group"),
        (("ERROR",), "is ERROR in its group"),
    ],
)
def test_trouble(states: tuple[str, ...], trouble: str) -> None:
    """A member is relied on while it is ONLINE and reaches more than half of those it knows of."""
    one = observed(*states)
    assert group.trouble(one) == trouble
    assert group.has_majority(one) == (not trouble and one.member is not None)


def test_only_an_online_primary_is_one() -> None:
    """A primary that can't be reached is going to be replaced."""
    assert group.primaries(observed("ONLINE", "ONLINE")) == {"u2"}
    assert group.primaries(observed("ONLINE", "UNREACHABLE", "ONLINE")) == frozenset()
