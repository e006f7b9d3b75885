"""Who follows whom."""

from dataclasses import replace

import pytest

from rwrouter.cluster.discovery import Observation, Seat, followed, stray_source
from rwrouter.cluster.probes import Channel, Facts, Member, Receiver
from rwrouter.model import Address, Flavor

FACTS = Facts(Flavor.MYSQL, "9.7.0", "u1", 1, is_read_only=False, executed="", now=0.0)
CHANNEL = Channel("", "10.0.0.1", 3306, "u1", 1, Receiver.YES, is_applying=True, behind=0.0, error="")
ONE = Observation("db1", Address("db1", 3306), FACTS)
TWO = Observation("db2", Address("db2", 3306), replace(FACTS, uuid="u2", server_id=2, is_read_only=True))


@pytest.mark.parametrize(
    ("case", "seat", "channel", "is_followed"),
    [
        ("by uuid, whatever the address", Seat("db1", ONE.address, ONE), CHANNEL, True),
        ("another uuid", Seat("db1", ONE.address, ONE), replace(CHANNEL, source_uuid="u9"), False),
        ("MariaDB by server id", Seat("db1", ONE.address, ONE), replace(CHANNEL, source_uuid=""), True),
        ("never seen: by address", Seat("db1", Address("10.0.0.1", 3306)), CHANNEL, True),
        (
            "never seen: by the address that others call it",
            Seat("db1", Address("127.0.0.1", 33061), said=frozenset({Address("10.0.0.1", 3306)})),
            CHANNEL,
            True,
        ),
        ("never seen, elsewhere", Seat("db1", Address("10.0.0.1", 3307)), CHANNEL, False),
        (
            "stopped by hand",
            Seat("db1", ONE.address, ONE),
            replace(CHANNEL, receiver=Receiver.NO, is_applying=False),
            False,
        ),
        (
            "the receiver alone stopped",
            Seat("db1", ONE.address, ONE),
            replace(CHANNEL, receiver=Receiver.NO),
            True,
        ),
    ],
)
def test_followed(case: str, seat: Seat, channel: Channel, is_followed: bool) -> None:
    """A server follows the one that its channel fetches from, until both threads are stopped."""
    two = replace(TWO, channels=(channel,))
    assert followed(two, [seat, Seat("db2", TWO.address, two)]) == ("db1" if is_followed else None), case


def test_a_source_that_is_none_of_ours_is_told() -> None:
    """By its address; not where nothing is fetched, nor by a member of a group."""
    one, two = Seat("db1", ONE.address, ONE), replace(TWO, channels=(CHANNEL,))
    stray = replace(two, channels=(replace(CHANNEL, source_uuid="u9"),))
    stopped = replace(CHANNEL, source_uuid="u9", receiver=Receiver.NO, is_applying=False)
    assert stray_source(two, [one]) == ""
    assert stray_source(stray, [one]) == "10.0.0.1:3306"
    assert stray_source(replace(two, channels=(stopped,)), [one]) == ""
    member = Member("u2", "db2", 3306, "ONLINE", is_primary=False)
    assert stray_source(replace(stray, members=(member,)), [one]) == ""


def test_a_member_knows_itself() -> None:
    """A server's own line in the group's view is found by its uuid; writable means up and not read-only."""
    member = Member("u1", "db1", 3306, "ONLINE", is_primary=True)
    assert replace(ONE, members=(member,)).member is member
    assert ONE.member is None
    assert ONE.is_writable
    assert not replace(ONE, is_up=False).is_writable
    assert not TWO.is_writable
