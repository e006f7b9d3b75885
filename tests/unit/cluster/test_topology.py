"""Who is the primary: a table of situations."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.cluster.discovery import Observation, Seat
from rwrouter.cluster.probes import Channel, Facts, Member, Receiver
from rwrouter.cluster.topology import elect
from rwrouter.model import Address, Flavor


def server(number: int, marks: str) -> Seat:
    """Return db*number*: w writable, r read-only, - down, ? never seen, 1-9 replicates from, s stopped."""
    address = Address(f"db{number}", 3306)
    if "?" in marks:
        return Seat(f"db{number}", address)
    facts = Facts(
        Flavor.MYSQL, "9.7.0", f"u{number}", number, is_read_only="w" not in marks, executed="", now=0.0
    )
    runs = "s" not in marks
    channels = tuple(
        Channel(
            "",
            f"db{source}",
            3306,
            f"u{source}",
            int(source),
            Receiver.YES if runs else Receiver.NO,
            is_applying=runs,
            behind=0.0,
            error="",
        )
        for source in marks
        if source.isdecimal()
    )
    seen = Observation(f"db{number}", address, facts, channels, is_up="-" not in marks)
    return Seat(f"db{number}", address, seen)


@pytest.mark.parametrize(
    ("case", "previous", "servers", "primary", "alarms"),
    [
        ("a primary and its replicas", None, ["w", "r1", "r1"], "db1", 0),
        ("nobody reached yet", None, ["?", "?"], None, 0),
        ("replicas alone", "db1", ["w-", "r1", "r1"], None, 0),
        ("promoted after a crash", "db1", ["w-", "w", "r2"], "db2", 0),
        ("promoted, its threads only stopped", "db1", ["w-", "w1s", "r1"], "db2", 0),
        ("switched over", "db1", ["r2", "w", "r2"], "db2", 0),
        ("in between nobody", "db1", ["r", "r1", "r1"], None, 0),
        ("the old primary comes back writable: the new one stays", "db2", ["w", "w", "r2"], "db2", 1),
        ("two writable: the last one stays", "db1", ["w", "w", "r1"], "db1", 1),
        ("two writable, no last one", None, ["w", "w", "r1"], None, 1),
        ("three writable", None, ["w", "w", "w"], None, 1),
        ("a replica without read_only is no primary", None, ["w", "w1", "r1"], "db1", 1),
        ("not even when its source dies", "db1", ["w-", "w1", "r1"], None, 1),
        ("nor when its source was never seen", None, ["?", "w1"], None, 1),
        ("a primary that replicates from a read-only one", None, ["w2", "r1"], "db1", 0),
        ("a ring whose other half dies: the primary stays", "db1", ["w2", "r1-"], "db1", 0),
        ("the old primary follows the new one, still writable", "db1", ["w2", "w", "r2"], "db2", 1),
        ("a primary fed from outside", None, ["w9", "r1"], "db1", 0),
        ("standing alone", None, ["w"], "db1", 0),
    ],
)
def test_elections(
    case: str, previous: str | None, servers: list[str], primary: str | None, alarms: int
) -> None:
    """Exactly one writable server is the primary; in doubt the last one, else nobody."""
    election = elect(previous, [server(number, marks) for number, marks in enumerate(servers, 1)])
    assert election.primary == primary, case
    assert len(election.alarms) == alarms, case


marks = st.builds(
    lambda kind, source, state: kind + source + state,
    st.sampled_from("wr?"),
    st.sampled_from(["", "1", "2", "3"]),
    st.sampled_from(["", "-", "s"]),
)


@pytest.mark.slow
@given(st.lists(marks, min_size=1, max_size=4), st.sampled_from([None, "db1", "db2"]))
def test_only_a_writable_server_is_ever_primary(servers: list[str], previous: str | None) -> None:
    """Whatever they say, the elected one answers and is writable, and stays on the next look."""
    seats = [server(number, marks) for number, marks in enumerate(servers, 1)]
    election = elect(previous, seats)
    if election.primary is not None:
        seen = next(seat.seen for seat in seats if seat.name == election.primary)
        assert seen is not None
        assert seen.is_writable
        assert elect(election.primary, seats).primary == election.primary


def group(view: str, *, writable: str = "1", seer: str = "123") -> list[Seat]:
    """Return three group members; *view* has a letter each: P primary, o online, u unreachable, e error."""
    states = {"P": "ONLINE", "o": "ONLINE", "u": "UNREACHABLE", "e": "ERROR"}
    members = tuple(
        Member(f"u{number}", f"db{number}", 3306, states[letter], is_primary=letter == "P")
        for number, letter in enumerate(view, 1)
    )
    seats = []
    for number in (1, 2, 3):
        seat = server(number, "w" if str(number) in writable else "r")
        assert seat.seen is not None
        seen = replace(seat.seen, members=members if str(number) in seer else ())
        seats.append(replace(seat, seen=seen))
    return seats


def half(seats: list[Seat]) -> list[Seat]:
    """Return *seats* in a group of four, of which the last is UNREACHABLE too."""
    fourth = Member("u4", "db4", 3306, "UNREACHABLE", is_primary=False)
    return [
        replace(seat, seen=replace(seat.seen, members=(*seat.seen.members, fourth)))
        for seat in seats
        if seat.seen is not None and seat.seen.members
    ]


@pytest.mark.parametrize(
    ("case", "seats", "primary"),
    [
        ("the group says who", group("Poo"), "db1"),
        ("it has moved", group("eoP", writable="3"), "db3"),
        ("elected but not writable yet", group("oPo", writable=""), None),
        ("a minority's primary is none, though it is writable", group("Puu", writable="1", seer="1"), None),
        ("half is no majority", half(group("Pou", seer="12")), None),
        ("who was expelled is none", group("eoo", writable="1", seer="1"), None),
        ("a majority that has no primary yet", group("uoo", writable="1", seer="23"), None),
        ("a majority's does", group("uPo", writable="12", seer="23"), "db2"),
    ],
)
def test_a_group_elects_its_own_primary(case: str, seats: list[Seat], primary: str | None) -> None:
    """Where Group Replication can be seen, its ONLINE primary is taken if it is writable too."""
    assert elect(None, seats).primary == primary, case


def test_who_has_lost_the_majority_is_said() -> None:
    """The problem names the member, and how many it reaches."""
    problem = elect("db1", group("Puu", writable="1", seer="1")).problem
    assert problem == "db1 has lost the majority of its group: it reaches 1 of 3 members"


def test_a_server_whose_group_was_not_started_is_taken_as_it_is() -> None:
    """The plugin alone makes no member."""
    seat = server(1, "w")
    assert seat.seen is not None
    offline = Member("u1", "db1", 3306, "OFFLINE", is_primary=False)
    assert elect(None, [replace(seat, seen=replace(seat.seen, members=(offline,)))]).primary == "db1"


def test_read_only_servers_are_named() -> None:
    """The sentence says who answers, and why none of them is the primary."""
    assert elect("db1", [server(1, "r"), server(2, "r1"), server(3, "r1-")]).problem == (
        "no server that answers is writable: db1, db2 are read_only"
    )
