"""Servers that come and go, by what a modelled cluster tells over time."""

from typing import Any

import pytest

from rwrouter.cluster.monitor import Monitor
from rwrouter.cluster.probes import Refusal, Row
from rwrouter.config.model import AddressSettings, ServerSettings, Settings
from rwrouter.model import Role, State
from tests.unit.cluster.test_monitor import REFUSED, FakeServer, World, settings

DENIED = Refusal(1227, "Access denied")


def registered(*numbers: int) -> list[Row]:
    """Return what SHOW REPLICAS tells of db*numbers*."""
    return [
        {"Server_Id": n, "Host": f"db{n}", "Port": 3306, "Source_Id": 1, "Replica_UUID": f"u{n}"}
        for n in numbers
    ]


class Net(World):
    """A world in which servers are reached by their addresses, as they really are."""

    def run(self, seconds: float) -> None:
        """Let time pass; a probe to an address where nobody is, is refused."""
        end = self.now + seconds
        while True:
            for probe in self.monitor.due(self.now):
                host = probe.address.host
                there = self.servers.get(host)
                result = there.answer(probe.topics, self.now) if there is not None else REFUSED
                self.monitor.answer(probe.server, self.now, result)
            self.events += self.monitor.take_events()
            due = self.monitor.next_due()
            if due is None or due > end:
                self.now = end
                return
            self.now = max(due, self.now)

    def names(self) -> list[str]:
        """Return the servers of the snapshot."""
        return [server.name for server in self.monitor.snapshot.servers]

    def happened(self) -> list[str]:
        """Return the names of what happened, without what is of no interest here."""
        return [event.name for event in self.events if event.name.startswith(("server_found", "server_forg"))]


def net(listed: int = 1, size: int = 3, **values: Any) -> Net:
    """Return a primary db1 with its replicas, of which the first *listed* are configured."""
    servers = {f"db{n}": FakeServer(n) for n in range(1, size + 1)}
    servers["db1"].read_only, servers["db1"].source = False, None
    servers["db1"].replicas = registered(*range(2, size + 1))
    made = Net(Monitor(settings(listed).model_copy(update=values), lambda: 0.0), servers)
    made.run(3.0)
    return made


def test_all_are_found_from_the_primary() -> None:
    """The name is what servers call it."""
    world = net()
    assert world.names() == ["db1", "db2:3306", "db3:3306"]
    assert [server.role for server in world.monitor.snapshot.servers] == [
        Role.PRIMARY,
        Role.REPLICA,
        Role.REPLICA,
    ]
    assert {server.state for server in world.monitor.snapshot.servers} == {State.UP}
    assert world.happened() == ["server_found"] * 2


def test_all_are_found_from_a_replica() -> None:
    """By way of its source."""
    world = net(size=3)
    listed = Settings.model_validate(
        settings(1).model_dump() | {"servers": [{"address": "db3", "name": "three"}]}
    )
    other = Net(Monitor(listed, lambda: 0.0), world.servers)
    other.run(5.0)
    assert other.names() == ["three", "db1:3306", "db2:3306"]
    assert other.monitor.snapshot.primary == "db1:3306"


def test_a_list_of_several_is_the_whole_unless_said_otherwise() -> None:
    """Then the others are named in an alarm that says what to do."""
    world = net(listed=2)
    assert world.names() == ["db1", "db2"]
    world.servers["db2"].source = 3
    world.run(3.0)
    wanted = "not among the configured servers: db3:3306; list them, or set discovery = true"
    assert wanted in world.monitor.snapshot.alarms
    assert net(listed=2, discovery=True).names() == ["db1", "db2", "db3:3306"]
    assert net(discovery=False).names() == ["db1"]


def test_one_that_appears_is_found_and_one_that_leaves_is_forgotten() -> None:
    """After monitor.forget, and under the same name when it comes back."""
    world = net(size=2)
    world.servers["db3"] = FakeServer(3)
    world.servers["db1"].replicas = registered(2, 3)
    world.run(6.0)
    assert world.names() == ["db1", "db2:3306", "db3:3306"]
    gone = world.servers.pop("db3")
    world.servers["db1"].replicas = registered(2)
    world.run(60.0)
    assert world.state("db3:3306") is State.DOWN
    world.run(300.0)
    assert world.names() == ["db1", "db2:3306"]
    assert world.happened() == ["server_found", "server_found", "server_forgotten"]
    world.servers["db3"] = gone
    world.servers["db1"].replicas = registered(2, 3)
    world.run(6.0)
    assert world.names() == ["db1", "db2:3306", "db3:3306"]


def test_one_that_is_down_is_not_forgotten_while_it_is_named() -> None:
    """A crashed primary is the source of its replicas, however long."""
    world = net(size=3)
    world.servers["db2"].failure = REFUSED
    world.run(1000.0)
    assert world.state("db2:3306") is State.DOWN


def test_one_that_cannot_be_reached_is_named_once() -> None:
    """In an alarm that stays the same, and says what to do; it is in no snapshot."""
    world = net(size=3)
    del world.servers["db3"]
    world = Net(Monitor(settings(1), lambda: 0.0), world.servers)
    world.run(100.0)
    assert world.names() == ["db1", "db2:3306"]
    alarm = (
        "db3:3306, a replica of db1, can't be used: connection refused; "
        "tell how it is reached under [[addresses]], or set discovery = false"
    )
    assert alarm in world.monitor.snapshot.alarms
    assert sum(event.name == "alarm" and alarm in str(event.fields) for event in world.events) == 1


def test_one_that_cannot_be_reached_is_asked_ever_less_often() -> None:
    """It must not cost what the others cost."""
    world = net(size=2)
    world.servers["db1"].replicas = registered(2, 9)
    asked = []
    for _ in range(120):
        world.run(1.0)
        asked.append(
            world.monitor._watched["db9:3306"].health.failures if "db9:3306" in world.monitor.watching else 0
        )
    assert 3 <= asked[-1] <= 8


def test_addresses_are_mapped() -> None:
    """What servers say leads where the settings say; the name stays what servers say."""
    world = net(size=2, addresses=(AddressSettings(says="db2:3306", reach="nat:33062"),))
    assert world.names() == ["db1"]
    world.servers["nat"] = world.servers.pop("db2")
    world.run(5.0)
    assert world.names() == ["db1", "db2:3306"]
    assert str(world.monitor.snapshot.server("db2:3306").address) == "nat:33062"


def test_a_stranger_is_not_taken_for_who_was_named() -> None:
    """Another server at that address: its uuid tells."""
    world = net(size=2)
    world.servers["db3"] = FakeServer(9)
    world.servers["db1"].replicas = registered(2, 3)
    world.run(10.0)
    assert world.names() == ["db1", "db2:3306"]
    assert any("another server answers there" in alarm for alarm in world.monitor.snapshot.alarms)


def test_a_host_that_fetches_must_replicate_from_us() -> None:
    """Of a dump thread only the host is known: what is found there proves itself by its source."""
    world = net(size=2)
    world.servers["db1"].replicas = DENIED
    world.servers["db1"].dumping = ("db2", "db7")
    world.servers["db7"] = FakeServer(7, source=None)
    world = Net(Monitor(settings(1), lambda: 0.0), world.servers)
    world.run(10.0)
    assert world.names() == ["db1", "db2:3306"]
    assert any("replicates from none of these servers" in alarm for alarm in world.monitor.snapshot.alarms)


def test_a_right_that_is_missing_is_named() -> None:
    """With PROCESS the hosts are known, and nothing is missing."""
    world = net(size=1)
    world.servers["db1"].replicas = DENIED
    world.run(60.0)
    assert any("lacks PROCESS on *.*" in alarm for alarm in world.monitor.snapshot.alarms)
    world.servers["db1"].rights = ("SHOW_ROUTINE", "PROCESS")
    world.run(60.0)
    assert not any("lacks PROCESS" in alarm for alarm in world.monitor.snapshot.alarms)


def test_a_server_at_two_addresses_is_one() -> None:
    """A listed one idles, with an alarm; a further address of a listed one is no other server."""
    world = net(size=2)
    two = Settings.model_validate(
        settings(1).model_dump()
        | {"servers": [{"address": "db1", "name": "a"}, {"address": "also", "name": "b"}], "discovery": True}
    )
    world.servers["also"] = world.servers["db1"]
    other = Net(Monitor(two, lambda: 0.0), world.servers)
    other.run(5.0)
    assert other.names() == ["a", "b", "db2:3306"]
    assert other.monitor.snapshot.primary == "a"
    assert other.monitor.snapshot.server("b").reason == (
        "is the same server as a, at another address: list it once"
    )
    assert "b is the same server as a: list it once" in other.monitor.snapshot.alarms


def test_a_listed_name_that_moves_to_another_server_is_followed() -> None:
    """A virtual address before the primary: what was found at the server's own address gives way, and back."""
    servers = {f"db{n}": FakeServer(n) for n in (1, 2)}
    servers["db1"].read_only, servers["db1"].source = False, None
    servers["db1"].replicas = registered(2)
    servers["vip"] = servers["db1"]
    listed = Settings.model_validate(
        settings(1).model_dump() | {"servers": [{"address": "vip", "name": "vip"}]}
    )
    world = Net(Monitor(listed, lambda: 0.0), servers)
    world.run(5.0)
    assert world.names() == ["vip", "db2:3306"]
    servers["db2"].read_only, servers["db2"].source = False, None
    servers["db1"].read_only, servers["db1"].source = True, 2
    servers["db1"].replicas, servers["db2"].replicas = [], registered(1)
    servers["vip"] = servers["db2"]
    world.run(10.0)
    assert world.names() == ["vip", "db1:3306"]
    assert world.monitor.snapshot.primary == "vip"


def test_a_found_one_that_became_a_set_of_its_own_is_no_rival() -> None:
    """A replica that was cut off and made writable is told of, and dropped; it is never chosen."""
    world = net(size=2)
    two = world.servers["db2"]
    two.source, two.read_only = None, False
    world.servers["db1"].replicas = []
    world.run(30.0)
    assert world.monitor.snapshot.primary == "db1"
    assert world.state("db2:3306") is State.LAGGING
    (alarm,) = [alarm for alarm in world.monitor.snapshot.alarms if "writable" in alarm]
    assert alarm.startswith("db2:3306 is writable, and neither follows db1 nor any other of these servers")
    world.run(400.0)
    assert world.names() == ["db1"]
    assert not any("writable" in alarm for alarm in world.monitor.snapshot.alarms)


def test_a_found_one_that_follows_another_set_gets_no_reads() -> None:
    """At once, though the lag that it tells is that to its new source; its way back is the way it came."""
    world = net(size=3)
    world.servers["db3"].source = 9
    world.servers["db1"].replicas = registered(2)
    world.run(2.0)
    assert world.state("db2:3306") is State.UP
    assert world.state("db3:3306") is State.LAGGING
    assert world.monitor.snapshot.server("db3:3306").reason == (
        "replicates from db9:3306, which is none of these servers"
    )
    world.servers["db3"].source = 1
    world.servers["db1"].replicas = registered(2, 3)
    world.run(2.0)
    assert world.state("db3:3306") is State.UP


def test_a_reload_keeps_what_was_found() -> None:
    """Unless discovery is switched off, or the server is listed now."""
    world = net(size=3)
    world.monitor.reconfigure(settings(1), world.now)
    assert world.names() == ["db1", "db2:3306", "db3:3306"]
    listed = settings(1).model_copy(
        update={
            "discovery": True,
            "servers": (*settings(1).servers, ServerSettings(address="db2:3306", name="two")),
        }
    )
    world.monitor.reconfigure(listed, world.now)
    assert world.names() == ["db1", "two", "db3:3306"]
    world.monitor.reconfigure(settings(1).model_copy(update={"discovery": False}), world.now)
    assert world.names() == ["db1"]


@pytest.mark.parametrize("host", ["bad host", "", "-" * 300 + "/"])
def test_what_is_no_address_is_left_alone(host: str) -> None:
    """A server may report anything for its host."""
    world = net(size=1)
    world.servers["db1"].replicas = [{"Server_Id": 5, "Host": host, "Port": 3306, "Replica_UUID": "u5"}]
    world.run(10.0)
    assert world.names() == ["db1"]
