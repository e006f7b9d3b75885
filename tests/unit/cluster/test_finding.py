"""What servers tell of others, and who of those is known."""

from dataclasses import replace

import pytest

from rwrouter.cluster.addresses import AddressMap
from rwrouter.cluster.discovery import Observation
from rwrouter.cluster.finding import Known, Sighting, identity, look_around, sightings
from rwrouter.cluster.probes import Channel, Facts, Member, Receiver, Replica
from rwrouter.config.model import AddressSettings
from rwrouter.model import Address, Flavor

PLAIN = AddressMap(())


def facts(number: int, flavor: Flavor = Flavor.MYSQL) -> Facts:
    """Return what db*number* says of itself."""
    uuid = "" if flavor is Flavor.MARIADB else f"u{number}"
    return Facts(
        flavor, "9", uuid, number, is_read_only=True, executed="", now=0, hostname=f"h{number}", port=1
    )


def source(number: int, uuid: str | None = None) -> Channel:
    """Return a channel that fetches from db*number*."""
    uuid = f"u{number}" if uuid is None else uuid
    return Channel("", f"db{number}", 3306, uuid, number, Receiver.YES, is_applying=True, behind=0, error="")


def seen(number: int, **told: object) -> Observation:
    """Return what db*number* tells."""
    return replace(Observation(f"db{number}", Address(f"db{number}", 3306), facts(number)), **told)  # type: ignore[arg-type]


def known(one: Observation, *, is_listed: bool = True) -> Known:
    """Return *one* as a server that is watched."""
    return Known(one.name, one.address, is_listed, one)


def unknown(*servers: Known, addresses: AddressMap = PLAIN) -> list[str]:
    """Return where the servers are that *servers* tell of and that are none of them."""
    return [str(address) for address in look_around(servers, addresses, {}).unknown]


def test_a_replica_tells_of_its_source() -> None:
    """Unless both its threads are stopped: that is how one is left that was promoted by hand."""
    assert unknown(known(seen(2, channels=(source(1),)))) == ["db1:3306"]
    stopped = replace(source(1), receiver=Receiver.NO, is_applying=False)
    assert unknown(known(seen(2, channels=(stopped,)))) == []


def test_a_source_tells_of_its_replicas() -> None:
    """By what they report; where they report no host, by the hosts that fetch from it."""
    reporting, silent = Replica("db2", 3306, "u2", 2), Replica("", 3399, "u3", 3)
    assert unknown(known(seen(1, replicas=(reporting, silent)))) == ["db2:3306"]
    everything = seen(1, replicas=(reporting, silent), dumping=("10.0.0.3",))
    assert unknown(known(everything)) == ["db2:3306", "10.0.0.3:3399"]
    assert unknown(known(seen(1, dumping=("10.0.0.3",)))) == ["10.0.0.3:3306"]


def test_a_member_tells_of_the_others() -> None:
    """Not of itself, and not where its group was never started."""
    members = tuple(Member(f"u{n}", f"db{n}", 3306, "ONLINE", is_primary=n == 1) for n in (1, 2, 3))
    assert unknown(known(seen(1, members=members))) == ["db2:3306", "db3:3306"]
    offline = tuple(replace(member, state="OFFLINE") for member in members)
    assert unknown(known(seen(1, members=offline))) == []


@pytest.mark.parametrize(
    ("case", "one", "other", "expected"),
    [
        ("by uuid", seen(2, channels=(source(1),)), replace(seen(1), address=Address("x", 1)), []),
        ("by address, if never seen", seen(2, channels=(source(1),)), None, []),
        ("somebody else", seen(2, channels=(source(9),)), seen(1), ["db9:3306"]),
        (
            "MariaDB by server id",
            seen(2, channels=(source(1, uuid=""),)),
            replace(seen(1), facts=facts(1, Flavor.MARIADB), address=Address("x", 1)),
            [],
        ),
    ],
)  # fmt: skip
def test_who_is_known(case: str, one: Observation, other: Observation | None, expected: list[str]) -> None:
    """A server that is watched already is not found again."""
    second = Known("db1", Address("db1", 3306), is_listed=True) if other is None else known(other)
    assert unknown(known(one), second) == expected, case


def test_addresses_are_mapped() -> None:
    """What servers say is turned into what the router reaches, and then compared."""
    addresses = AddressMap([AddressSettings(says="db1", reach="127.0.0.1:33061")])
    one = known(seen(2, channels=(source(1),)))
    assert unknown(one, addresses=addresses) == ["127.0.0.1:33061"]
    listed = Known("first", Address("127.0.0.1", 33061), is_listed=True)
    around = look_around([one, listed], addresses, {})
    assert around.unknown == {}
    assert around.said == {"first": {Address("db1", 3306)}}


def test_a_further_address_of_a_known_server_is_known() -> None:
    """While that server is who it was."""
    one, who = seen(1, dumping=("10.0.0.2",)), identity(facts(2))
    assert who is not None
    aliases = {Address("10.0.0.2", 3306): who}
    assert look_around([known(one), known(seen(2))], PLAIN, aliases).unknown == {}
    assert list(look_around([known(one)], PLAIN, aliases).unknown) == [Address("10.0.0.2", 3306)]


def test_only_those_are_attached_to_whom_the_listed_lead() -> None:
    """Either way, over any number of steps; a found one that nobody names, and that follows nobody, is not."""
    chain = (
        known(seen(1)),
        known(seen(2, channels=(source(1),))),
        known(seen(3, channels=(source(2),)), is_listed=False),
    )
    alone = known(seen(4, channels=(source(9),)), is_listed=False)
    around = look_around([*chain, alone], PLAIN, {})
    assert around.attached == {"db1", "db2", "db3"}
    assert around.unknown == {}  # who is none of us tells nothing that counts


@pytest.mark.parametrize(
    ("sighting", "number", "flavor", "expected"),
    [
        (Sighting(Address("x", 1), "u1", 7, ""), 1, Flavor.MYSQL, True),
        (Sighting(Address("x", 1), "u1", 1, ""), 2, Flavor.MYSQL, False),
        (Sighting(Address("x", 1), "", 1, ""), 1, Flavor.MARIADB, True),
        (Sighting(Address("x", 1), "", 1, ""), 2, Flavor.MARIADB, False),
        (Sighting(Address("x", 1), "", 0, ""), 2, Flavor.MARIADB, True),
    ],
)
def test_who_answers_is_compared_with_who_was_told_of(
    sighting: Sighting, number: int, flavor: Flavor, *, expected: bool
) -> None:
    """By uuid where both have one, else by server id, else in doubt for it."""
    assert sighting.is_of(facts(number, flavor)) is expected


def test_sightings_say_how() -> None:
    """The words stand in alarms and in the log."""
    one = seen(2, channels=(source(1),), replicas=(Replica("db3", 3306, "u3", 3),))
    assert [sighting.how for sighting in sightings(one)] == ["the source of db2", "a replica of db2"]
