"""The monitor over time: a modelled cluster answers its probes, and the snapshots are looked at."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rwrouter.cluster.events import Event
from rwrouter.cluster.monitor import Monitor
from rwrouter.cluster.probes import NEEDED, Answer, Failure, Greeted, Refusal, Row, Topic
from rwrouter.config.model import MonitorSettings, ReadSettings, ServerSettings, Settings
from rwrouter.model import Flavor, Lag, Role, State

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
DENIED = Refusal(1142, "SELECT command denied")
REFUSED = Failure("connection refused", 2003)
WRONG_PASSWORD = Failure("Access denied for user 'm'@'h' (1045)", 1045)


def settings(servers: int = 3, **reads: float) -> Settings:
    return Settings(
        servers=tuple(ServerSettings(address=f"db{n}:3306", name=f"db{n}") for n in range(1, servers + 1)),
        monitor=MonitorSettings(user="monitor", password=SecretStr("secret")),
        reads=ReadSettings.model_validate(reads),
    )


@dataclass
class FakeServer:
    """A server as far as probes can see."""

    number: int
    read_only: bool = True
    source: int | None = 1
    receiver: str = "Yes"
    applier: str = "Yes"
    behind: int | None = 0
    executed: int = 5
    failure: Failure | None = None
    status: Refusal | None = None  # instead of SHOW REPLICA STATUS
    identity: str = ""  # its server_uuid, where it is another one than its number says
    version: str = "9.7.4"
    rights: tuple[str, ...] = ("SHOW_ROUTINE",)
    replicas: list[Row] | Refusal = field(default_factory=list)  # as SHOW REPLICAS tells
    dumping: tuple[str, ...] = ()

    def answer(self, topics: frozenset[Topic], now: float) -> Answer | Failure:
        """Answer *topics* as a real server would."""
        if self.failure is not None:
            return self.failure
        channel: dict[str, object] = {
            "Source_Host": f"db{self.source}", "Source_Port": 3306, "Source_UUID": f"u{self.source}",
            "Source_Server_Id": self.source, "Replica_IO_Running": self.receiver,
            "Replica_SQL_Running": self.applier, "Seconds_Behind_Source": self.behind,
        }  # fmt: skip
        facts: dict[str, object] = {
            "version": self.version, "uuid": self.identity or f"u{self.number}", "server_id": self.number,
            "read_only": int(self.read_only), "executed": f"{A}:1-{self.executed}", "now": now,
            "hostname": f"host{self.number}", "port": 3306,
        }  # fmt: skip
        routine: Row = {"home": "shop", "name": "Price", "access": "NO SQL"}
        rows: dict[Topic, list[Row] | Refusal] = {
            Topic.FACTS: [facts],
            Topic.REPLICATION: self.status or ([channel] if self.source else []),
            Topic.APPLIER: DENIED,
            Topic.GROUP: DENIED,
            Topic.ROUTINES: [routine],
            Topic.REPLICAS: self.replicas,
            Topic.DUMPS: [{"host": f"{host}:40000"} for host in self.dumping],
            Topic.RIGHTS: [{"name": right} for right in self.rights],
        }
        return Answer(Greeted(self.version, 3758096383, 255), {topic: rows[topic] for topic in topics})


@dataclass
class World:
    """A monitor and its servers under one clock."""

    monitor: Monitor
    servers: dict[str, FakeServer]
    now: float = 100.0
    events: list[Event] = field(default_factory=list)

    @classmethod
    def of(cls, size: int = 3, **reads: float) -> "World":
        """Return a healthy primary db1 with replicas, already looked at once."""
        servers = {f"db{n}": FakeServer(n) for n in range(1, size + 1)}
        servers["db1"].read_only, servers["db1"].source = False, None
        world = cls(Monitor(settings(size, **reads), lambda: 0.0), servers)
        world.run(0.0)
        return world

    def run(self, seconds: float) -> None:
        """Let time pass: each probe is answered the moment it is due."""
        end = self.now + seconds
        while True:
            for probe in self.monitor.due(self.now):
                answer = self.servers[probe.server].answer(probe.topics, self.now)
                self.monitor.answer(probe.server, self.now, answer)
            self.events += self.monitor.take_events()
            due = self.monitor.next_due()
            if due is None or due > end:
                self.now = end
                return
            self.now = max(due, self.now)

    def state(self, name: str) -> State:
        """Return the state of the server called *name* now."""
        return self.monitor.snapshot.server(name).state

    def lag(self, name: str) -> Lag:
        """Return its lag."""
        return self.monitor.snapshot.server(name).lag


def test_a_healthy_cluster_is_known_after_one_round() -> None:
    """Roles, lags, greeting, variables and routines are there; the only alarms are about rights."""
    snapshot = World.of().monitor.snapshot
    assert snapshot.primary == "db1"
    assert [server.role for server in snapshot.servers] == [Role.PRIMARY, Role.REPLICA, Role.REPLICA]
    assert {server.state for server in snapshot.servers} == {State.UP}
    assert snapshot.greeting is not None
    assert snapshot.greeting.version == "9.7.4"
    assert not snapshot.problem
    assert snapshot.reading_routines == {"shop.price"}
    assert "sql_mode" in snapshot.tracked_variables
    rights = "lag in milliseconds, and the members of Group Replication"
    assert snapshot.alarms == (
        f"the monitor's account lacks SELECT on performance_schema.*, to tell {rights}",
    )


@pytest.mark.parametrize("name", ["db2", "db3"])
def test_a_dead_replica_is_out_within_two_intervals_and_back_by_itself(name: str) -> None:
    """Failing probes are repeated soon, so that two of them fit."""
    world = World.of()
    world.servers[name].failure = REFUSED
    world.run(1.9)
    assert world.state(name) is State.DOWN
    assert world.monitor.snapshot.server(name).reason == "connection refused"
    assert world.monitor.snapshot.primary == "db1"
    world.servers[name].failure = None
    world.run(2.0)
    assert world.state(name) is State.UP


@pytest.mark.parametrize(
    ("case", "change", "reason"),
    [
        ("applier stopped", {"applier": "No", "behind": None}, "applier stopped: by hand"),
        ("receiver stopped", {"receiver": "No", "behind": None}, "receiver stopped: by hand"),
        ("far behind", {"behind": 11}, "is 11.0 s behind (limit 10 s; Seconds_Behind_Source)"),
        ("no replica any more", {"source": None}, "is not a replica"),
    ],
)
def test_a_replica_that_does_not_follow_gets_no_reads(
    case: str, change: dict[str, object], reason: str
) -> None:
    """Out with the next probe, back with the first good one."""
    world = World.of()
    good = {name: getattr(world.servers["db2"], name) for name in change}
    for name, value in change.items():
        setattr(world.servers["db2"], name, value)
    world.run(1.0)
    assert (world.state("db2"), world.monitor.snapshot.server("db2").reason) == (State.LAGGING, reason), case
    for name, value in good.items():
        setattr(world.servers["db2"], name, value)
    world.run(1.0)
    assert world.state("db2") is State.UP, case


def test_a_lagging_replica_comes_back_below_half_the_limit() -> None:
    """Between the two limits it stays where it is."""
    world = World.of(max_lag=10.0)
    states = []
    for behind in (9, 11, 9, 6, 5, 9):
        world.servers["db2"].behind = behind
        world.run(1.0)
        states.append(world.state("db2"))
    assert states == [State.UP, *[State.LAGGING] * 3, State.UP, State.UP]


def test_a_replica_that_claims_no_lag_is_seen_through() -> None:
    """What the primary has and the replica has not, for longer than the limit, is lag."""
    world = World.of(max_lag=3.0)
    world.servers["db1"].executed = world.servers["db3"].executed = 9
    world.run(6.0)
    assert world.lag("db2").why == "GTID positions"
    assert world.state("db2") is State.LAGGING
    assert world.state("db3") is State.UP


def test_reads_go_on_without_a_primary() -> None:
    """The primary dies, the replicas lose their source: they stay, and the problem says what is wrong."""
    world = World.of()
    world.servers["db1"].failure = REFUSED
    for name in ("db2", "db3"):
        world.servers[name].receiver, world.servers[name].behind = "Connecting", None
    for _ in range(30):
        world.run(1.0)
        assert world.state("db2") is world.state("db3") is State.UP
    snapshot = world.monitor.snapshot
    assert snapshot.primary is None
    assert snapshot.problem == (
        "no primary: no server that answers is writable: db2, db3 are read_only; db1 connection refused"
    )
    assert snapshot.greeting is not None


def test_a_switchover_takes_one_probe_each() -> None:
    """The old primary becomes read-only, a replica writable: each is believed with its next answer."""
    world = World.of()
    world.servers["db1"].read_only = True
    world.run(1.0)
    assert world.monitor.snapshot.primary is None
    world.servers["db2"].read_only, world.servers["db2"].source = False, None
    world.servers["db1"].source = world.servers["db3"].source = 2
    world.run(1.0)
    snapshot = world.monitor.snapshot
    assert snapshot.primary == "db2"
    assert snapshot.server("db1").role is Role.REPLICA
    assert world.state("db1") is world.state("db3") is State.UP
    changes = [dict(event.fields)["new"] for event in world.events if event.name == "primary_changed"]
    assert changes == ["db1", "none", "db2"]


def test_a_demoted_primary_brings_no_lag_of_its_own() -> None:
    """Its lag as a replica is measured before it is read from."""
    world = World.of()
    world.servers["db1"].read_only = True
    world.run(1.0)
    assert world.lag("db1") == Lag(None, "is not a replica")
    assert world.state("db1") is State.LAGGING


def test_two_writable_servers_raise_an_alarm_and_change_nothing() -> None:
    """The last primary stays; the other gets neither reads nor writes; the alarm ends with the cause."""
    world = World.of()
    world.servers["db3"].read_only, world.servers["db3"].source = False, None
    world.run(1.0)
    snapshot = world.monitor.snapshot
    assert snapshot.primary == "db1"
    assert "2 servers are writable at one time (db1, db3): db1 stays primary" in snapshot.alarms[0]
    assert (snapshot.server("db3").role, snapshot.server("db3").state) == (Role.UNKNOWN, State.LAGGING)
    world.servers["db3"].read_only, world.servers["db3"].source = True, 1
    world.run(1.0)
    assert not any("writable" in alarm for alarm in world.monitor.snapshot.alarms)
    assert [event.name for event in world.events].count("alarm_over") == 1


def test_a_refused_monitor_takes_no_living_server_out() -> None:
    """A changed password or a full server ends our looking, not its serving; an alarm says so."""
    world = World.of()
    for server in world.servers.values():
        server.failure = WRONG_PASSWORD
    world.run(5.0)
    snapshot = world.monitor.snapshot
    assert snapshot.primary == "db1"
    assert world.state("db1") is world.state("db2") is State.UP
    assert sum("RWROUTER_MONITOR_PASSWORD" in alarm for alarm in snapshot.alarms) == 3
    world.run(10.0)
    assert world.state("db1") is State.UP
    assert world.state("db2") is State.LAGGING


def test_a_wrong_password_from_the_start_says_what_to_set() -> None:
    """Nothing is known, so nobody can be served, and clients are told why, server by server."""
    world = World(Monitor(settings(2)), {f"db{n}": FakeServer(n, failure=WRONG_PASSWORD) for n in (1, 2)})
    world.run(3.0)
    problem = world.monitor.snapshot.problem
    assert problem.startswith("no primary: db1 refuses the monitor's account: Access denied for user 'm'@'h'")
    assert "RWROUTER_MONITOR_PASSWORD; db2 refuses" in problem
    assert len(problem.encode()) <= 512
    assert world.monitor.snapshot.greeting is None


def test_what_workers_see_is_looked_into_at_once() -> None:
    """Probed with the word of a worker, and out if that fails too: the worker's own trouble ends nothing."""
    world = World.of()
    world.monitor.passive_failure("db2", world.now)
    assert world.state("db2") is State.UP
    assert world.monitor.next_due() == world.now
    (probe,) = world.monitor.due(world.now)
    assert (probe.server, probe.anew) == ("db2", True)  # a connection from before says nothing of new ones
    world.monitor.answer("db2", world.now, world.servers["db2"].answer(probe.topics, world.now))
    world.run(0.0)
    assert world.state("db2") is State.UP
    world.servers["db2"].failure = REFUSED
    world.monitor.passive_failure("db2", world.now)
    world.run(0.0)
    assert world.state("db2") is State.DOWN
    world.monitor.nudge("db3", world.now)
    assert [probe.server for probe in world.monitor.due(world.now)] == ["db3"]
    world.monitor.nudge("nobody", world.now)
    world.monitor.passive_failure("nobody", world.now)


def test_one_probe_at_a_time_for_a_server() -> None:
    """While a probe is out no other follows, and the other servers' go on."""
    monitor = Monitor(settings(2))
    assert {probe.server for probe in monitor.due(0.0)} == {"db1", "db2"}
    assert monitor.due(50.0) == []
    assert monitor.next_due() is None
    monitor.answer("db1", 50.0, REFUSED)
    assert [probe.server for probe in monitor.due(51.0)] == ["db1"]


def test_rights_that_are_missing_are_asked_for_again_only_seldom() -> None:
    """A plain round asks two questions; what was refused is tried again after half a minute."""
    world = World.of()
    world.now += 1.0
    assert {probe.topics for probe in world.monitor.due(world.now)} == {NEEDED}
    for name in world.servers:
        world.monitor.answer(name, world.now, world.servers[name].answer(NEEDED, world.now))
    world.now += 30.0
    optional = {Topic.REPLICAS, Topic.DUMPS, Topic.HEARTBEAT}  # for discovery, and with a table
    everything = frozenset(Topic) - optional
    assert {probe.topics for probe in world.monitor.due(world.now)} == {everything}


def test_a_server_that_can_not_be_watched_is_down_and_says_why() -> None:
    """An answer without what is needed counts as none."""
    monitor = Monitor(settings(1))
    monitor.due(0.0)
    answers: dict[Topic, list[Row] | Refusal] = {Topic.FACTS: [{}], Topic.REPLICATION: []}
    monitor.answer("db1", 0.1, Answer(Greeted("9.7.4", 0, 255), answers))
    assert monitor.snapshot.server("db1").state is State.DOWN
    assert "is missing" in monitor.snapshot.server("db1").reason


def test_a_right_that_is_taken_away_takes_no_server_out() -> None:
    """Roles are known by other words, lag by GTIDs: an alarm names the right, and clients go on."""
    world = World.of()
    for one in world.servers.values():
        one.status = Refusal(1227, "Access denied; you need REPLICATION CLIENT")
    world.run(5.0)
    snapshot = world.monitor.snapshot
    assert snapshot.primary == "db1"
    assert {server.state for server in snapshot.servers} == {State.UP}
    assert world.lag("db2") == Lag(0.0, "GTID positions")
    said = "does not tell its replication: Access denied; you need REPLICATION CLIENT (1227): grant"
    assert sum(said in alarm for alarm in snapshot.alarms) == 3
    world.servers["db1"].executed = world.servers["db3"].executed = 9  # and db2 stands still
    world.run(14.0)
    assert world.state("db2") is State.LAGGING
    assert world.state("db3") is State.UP
    for one in world.servers.values():
        one.status = None
    world.servers["db2"].executed = 9
    world.run(3.0)
    assert not any("does not tell" in alarm for alarm in world.monitor.snapshot.alarms)
    assert world.state("db2") is State.UP


def test_another_server_at_a_known_address_is_told() -> None:
    """What was known of the one before counts for nothing; the log has both identities."""
    world = World.of()
    world.events.clear()
    world.servers["db2"].identity, world.servers["db2"].source = "u7", None
    world.run(2.0)
    assert world.state("db2") is State.LAGGING
    assert world.monitor.snapshot.server("db2").reason == "is not a replica"
    (event,) = [event for event in world.events if event.name == "server_changed"]
    assert str(event) == "event=server_changed server=db2 address=db2:3306 was=u2 now=u7"


def test_what_the_primary_lacks_is_an_alarm() -> None:
    """A replica that was written to past the primary, once the primary has had the time to get it."""
    world = World.of()
    world.servers["db2"].executed = 7
    world.run(2.0)
    assert not any("has transactions" in alarm for alarm in world.monitor.snapshot.alarms)
    world.run(6.0)
    (alarm,) = [alarm for alarm in world.monitor.snapshot.alarms if "has transactions" in alarm]
    assert alarm.startswith(f"db2 has transactions that the primary db1 lacks ({A}:1-7)")


def test_session_variables_are_tried_once_a_version() -> None:
    """MySQL servers are tried, MariaDB tracks by a star."""
    world = World.of()
    trial = world.monitor.untried()
    assert trial is not None
    assert trial.server == "db1"
    world.monitor.settable("9.7.4", ["sql_mode", "time_zone"], world.now)
    assert world.monitor.untried() is None  # tried once, for all servers of that version
    assert world.monitor.snapshot.tracked_variables == ("sql_mode", "time_zone")
    world.servers["db1"].version = "10.11.19-MariaDB"
    world.run(1.0)
    assert list(world.monitor.snapshot.tracked_variables) == ["*"]
    assert world.monitor.snapshot.server("db1").flavor is Flavor.MARIADB
    assert world.monitor.untried() is None


def test_a_person_decides_over_health() -> None:
    """Draining, weights, and back; the rest goes on being measured."""
    world = World.of()
    world.monitor.decree("db2", world.now, state=State.DRAINING, weight=7)
    assert (world.state("db2"), world.monitor.snapshot.server("db2").weight) == (State.DRAINING, 7)
    world.monitor.decree("db2", world.now, state=None)
    assert (world.state("db2"), world.monitor.snapshot.server("db2").weight) == (State.UP, 100)
    with pytest.raises(KeyError):
        world.monitor.decree("nobody", world.now, state=None)


def test_a_reload_keeps_what_is_known() -> None:
    """Servers that stay keep their state; one that goes is gone; one that comes is probed."""
    world = World.of()
    world.monitor.reconfigure(settings(2), world.now)
    assert [server.state for server in world.monitor.snapshot.servers] == [State.UP, State.UP]
    world.monitor.answer("db3", world.now, REFUSED)
    world.monitor.reconfigure(settings(3), world.now)
    assert [probe.server for probe in world.monitor.due(world.now)] == ["db3"]


@pytest.mark.parametrize(
    ("case", "change", "problem"),
    [
        ("no account", {"monitor": MonitorSettings()}, "set monitor.user"),
        ("no servers", {"servers": ()}, "no server is configured"),
    ],
)
def test_what_is_not_configured_is_said(case: str, change: dict[str, object], problem: str) -> None:
    """Nobody is probed, and the sentence names the setting."""
    monitor = Monitor(settings().model_copy(update=change))
    assert monitor.due(0.0) == [], case
    assert monitor.next_due() is None
    assert problem in monitor.snapshot.problem
    assert [event.name for event in monitor.take_events()] == ["cannot_serve"]


faults = st.sampled_from(
    [None, REFUSED, WRONG_PASSWORD, Failure("no answer within 1 s", 2013, is_timeout=True)]
)
turns = st.tuples(
    st.sampled_from(["db1", "db2", "db3"]),
    st.fixed_dictionaries(
        {
            "failure": faults,
            "read_only": st.booleans(),
            "source": st.sampled_from([None, 1, 2]),
            "receiver": st.sampled_from(["Yes", "No", "Connecting"]),
            "applier": st.sampled_from(["Yes", "No"]),
            "behind": st.sampled_from([None, 0, 3, 100]),
            "executed": st.integers(1, 9),
        }
    ),
    st.floats(0.0, 5.0),
)


@pytest.mark.slow
@given(st.lists(turns, max_size=12))
def test_whatever_happens_the_promises_hold(history: list[tuple[str, dict[str, object], float]]) -> None:
    """Only who answers and is writable is primary; no replica with unknown or too long a lag is read from."""
    world = World.of()
    generation = world.monitor.snapshot.generation
    for name, change, seconds in history:
        for field_name, value in change.items():
            setattr(world.servers[name], field_name, value)
        world.run(seconds)
        snapshot = world.monitor.snapshot
        assert snapshot.generation >= generation
        generation = snapshot.generation
        assert bool(snapshot.problem) == (snapshot.primary is None)
        for server in snapshot.servers:
            assert (server.role is Role.PRIMARY) == (server.name == snapshot.primary)
            if server.state is State.UP and server.role is not Role.PRIMARY:
                assert server.lag.seconds is not None
                assert server.lag.seconds <= 10.0
            if server.state is not State.UP:
                assert server.reason


def test_a_server_that_is_down_may_take_longer_to_answer() -> None:
    """Its first answer has a login and more questions; a busy server would else never come back."""
    world = World.of()
    world.servers["db2"].failure = REFUSED
    world.run(3.0)
    world.now += 2.0
    patience = {probe.server: probe.timeout for probe in world.monitor.due(world.now)}
    assert patience == {"db1": 1.0, "db2": 5.0, "db3": 1.0}


def test_a_server_that_comes_back_starts_slowly_and_one_that_is_new_does_not() -> None:
    """Its caches are cold; at the router's own start nobody has been away."""
    world = World.of(slow_start=4.0)
    assert {server.ramp for server in world.monitor.snapshot.servers} == {1.0}
    world.servers["db2"].failure = REFUSED
    world.run(3.0)
    world.servers["db2"].failure = None
    seen = []
    for _ in range(8):
        world.run(1.0)
        seen.append(world.monitor.snapshot.server("db2").ramp)
    assert seen == sorted(seen)
    assert seen[0] < 0.5
    assert seen[-1] == 1.0
