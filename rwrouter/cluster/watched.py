"""One server as the monitor knows it: what was asked of it, what its answers said, and how it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from rwrouter.cluster import probes
from rwrouter.cluster.clock import Clock
from rwrouter.cluster.discovery import Observation
from rwrouter.cluster.finding import Sighting
from rwrouter.cluster.gtid import GtidSet
from rwrouter.cluster.health import Health
from rwrouter.cluster.lag import LagMeter
from rwrouter.cluster.probes import Answer, Failure, Refusal, Row, Topic
from rwrouter.config.model import ServerSettings
from rwrouter.model import Address, Flavor, Lag, State

UNMEASURED: Final = Lag(None, "not probed yet")
SLOW_TOPICS: Final = 30.0  # seconds between two looks at what seldom changes: routines, rights, group
FIND: Final = 5.0  # seconds between two questions to a server, who replicates from it
FULL: Final = frozenset({1040, 1203})  # ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS
REFUSED: Final = frozenset({1044, 1045, 1698, 1820, 1862, 3118})  # wrong, expired or locked account


@dataclass(slots=True)
class Watched:
    """What is known of one server, and what its answers teach. The times are the monitor's."""

    name: str
    address: Address
    settings: ServerSettings
    health: Health
    meter: LagMeter = field(default_factory=LagMeter)
    lag: Lag = UNMEASURED
    is_near: bool = True  # below the lag limit; in doubt for the server, until it has answered
    seen: Observation | None = None  # by its last answer
    greeted: probes.Greeted | None = None
    answered_at: float = 0.0
    clock: Clock = field(default_factory=Clock)
    heartbeats: Mapping[int, float] = field(default_factory=dict)
    no_heartbeat: str = ""  # why the table could not be read
    executed: GtidSet = field(default_factory=GtidSet)
    applier: tuple[probes.Applier, ...] = ()
    refused: frozenset[Topic] = frozenset()  # topics that its rights do not allow
    missing: frozenset[str] = frozenset()  # rights that would tell more
    routines: frozenset[str] = frozenset()  # stored functions that only read: "schema.function"
    trouble: str = ""  # answers a login with an error, but lives: full, or the monitor is refused
    due_at: float = 0.0
    slow_at: float = 0.0  # when the slow topics are due again
    asked_at: float | None = None  # when the probe in flight was sent
    nudged_at: float | None = None  # when somebody saw a sign of a change that no probe has looked into yet
    decreed: State | None = None  # by a person: draining or disabled
    weight: int | None = None  # by a person
    found: Sighting | None = None  # how it was found; None for one that is listed
    is_admitted: bool = True  # else a candidate, see finder.py: probed, and in no snapshot
    first_failure: str = ""  # of a candidate
    told: tuple[Sighting, ...] = ()  # of others, by its last answer
    said: frozenset[Address] = frozenset()  # how others call it
    is_attached: bool = True  # the listed servers lead to it, by what servers tell
    named_at: float = 0.0  # when that was so last
    twin: str = ""  # the name under which it is watched already
    returned_at: float | None = None  # when it came back after it was down
    find_at: float = 0.0  # when it is asked again who replicates from it

    def rename(self, name: str) -> None:
        """Call it *name*; who keeps it by its name does so anew."""
        self.name = name
        if self.seen is not None:
            self.seen = replace(self.seen, name=name)

    def topics(self, now: float, *, discovers: bool, has_heartbeat: bool) -> frozenset[Topic]:
        """Return what it is to be asked at *now*; that counts as asked.

        *discovers*: who replicates from it matters. *has_heartbeat*: there is a table of that.
        """
        topics = set(probes.NEEDED)
        seen = self.seen
        if seen is not None and (seen.channels or seen.member):
            topics.add(Topic.APPLIER)
        if seen is not None and seen.members:
            topics.add(Topic.GROUP)
        if discovers and self.find_at <= now:
            self.find_at = now + FIND
            topics |= {Topic.REPLICAS, Topic.DUMPS}
        if has_heartbeat:
            topics.add(Topic.HEARTBEAT)
        topics -= self.refused
        if self.slow_at <= now:
            topics |= {Topic.GROUP, Topic.ROUTINES, Topic.RIGHTS, Topic.APPLIER}
            if has_heartbeat:
                topics.add(Topic.HEARTBEAT)
            if discovers:
                topics |= {Topic.REPLICAS, Topic.DUMPS}
        return frozenset(topics)

    def take(self, now: float, answer: Answer) -> None:
        """Take in what it answered. Raises ValueError: that is no answer of a server that can be used."""
        refused = _refused(answer, Topic.REPLICATION)
        needed = _refused(answer, Topic.FACTS) or ("" if self.seen is not None else refused)
        if needed:
            raise ValueError(needed)
        facts = probes.read_facts(_rows(answer, Topic.FACTS), answer.greeted)
        if self.seen is not None and not facts.is_of_same_server(self.seen.facts):
            self._forget()
        before = self.seen
        members = before.members if before is not None else ()
        if Topic.GROUP in answer.answers:
            members = probes.read_group(_rows(answer, Topic.GROUP))
        executed = GtidSet.parse(facts.executed)
        channels = probes.read_channels(_rows(answer, Topic.REPLICATION))
        if refused and before is not None:  # it lives, and GTIDs tell its lag: who follows whom is as it was
            channels = tuple(replace(channel, behind=None) for channel in before.channels)
        applier = probes.read_applier(_rows(answer, Topic.APPLIER), executed)
        self._take_slow(now, answer, facts.flavor)
        self.greeted, self.executed, self.applier = answer.greeted, executed, applier
        self.clock.note(now, facts.now)
        beats = answer.answers.get(Topic.HEARTBEAT)
        if beats is not None:
            self.no_heartbeat = f"{beats.message} ({beats.code})" if isinstance(beats, Refusal) else ""
            self.heartbeats = probes.read_heartbeats(_rows(answer, Topic.HEARTBEAT))
        replicas, dumping = (before.replicas, before.dumping) if before is not None else ((), ())
        if Topic.REPLICAS in answer.answers:
            replicas = probes.read_replicas(_rows(answer, Topic.REPLICAS))
        if Topic.DUMPS in answer.answers:
            dumping = probes.read_dumps(_rows(answer, Topic.DUMPS))
        self.seen = Observation(self.name, self.address, facts, channels, members, replicas, dumping)
        self.answered_at, self.trouble = now, refused
        was_seen = self.health.is_seen
        if self.health.on_answer() and was_seen:
            self.returned_at = now

    def _forget(self) -> None:
        """Know nothing any more: another server answers at the address."""
        self.seen, self.meter, self.clock = None, LagMeter(), Clock()
        self.lag, self.is_near = UNMEASURED, True

    def _take_slow(self, now: float, answer: Answer, flavor: Flavor) -> None:
        if Topic.RIGHTS not in answer.answers:
            return
        self.slow_at = now + SLOW_TOPICS
        self.refused = frozenset(
            topic
            for topic, given in answer.answers.items()
            if isinstance(given, Refusal) and topic not in probes.NEEDED
        )
        rights = probes.read_rights(_rows(answer, Topic.RIGHTS))
        missing = set()
        if Topic.REPLICAS in self.refused and not rights & {"PROCESS"}:
            missing.add("PROCESS on *.*")  # the lesser of the two rights that tell
        if self.refused & {Topic.APPLIER, Topic.GROUP} and flavor is Flavor.MYSQL:
            missing.add("SELECT on performance_schema.*")
        if flavor is Flavor.MYSQL and not rights & {"SHOW_ROUTINE", "SELECT"}:
            missing.add("SHOW_ROUTINE on *.*")
        if flavor is Flavor.MARIADB and not rights & {
            "SELECT",
            "SELECT ON MYSQL.PROC",
            "SHOW CREATE ROUTINE",
        }:
            missing.add("SELECT on mysql.proc")
        self.missing = frozenset(missing)
        self.routines = probes.read_routines(_rows(answer, Topic.ROUTINES))

    def fail(self, now: float, failure: Failure) -> None:
        """Take in that it did not answer, or not as it should."""
        why = failure.why
        if failure.code in REFUSED:
            why = f"refuses the monitor's account: {why}; check monitor.user and RWROUTER_MONITOR_PASSWORD"
        if failure.code in FULL | REFUSED and self.health.is_up:
            self.trouble = why  # it lives and serves others: our not looking in must not end that
        else:
            self.trouble = ""
            self.health.on_failure(why)
        self.lag = self.meter.grown(now, why)


def _refused(answer: Answer, topic: Topic) -> str:
    """Return why the server does not tell *topic*, "" where it does."""
    refusal = answer.answers.get(topic)
    if not isinstance(refusal, Refusal):
        return ""
    flavor = probes.flavor_of(answer.greeted.version)
    right = "SLAVE MONITOR" if flavor is Flavor.MARIADB else "REPLICATION CLIENT"
    hint = f": grant {right} to the monitor" if refusal.is_missing_right else ""
    return f"does not tell its {topic}: {refusal.message} ({refusal.code}){hint}"


def _rows(answer: Answer, topic: Topic) -> Sequence[Row]:
    given = answer.answers.get(topic, ())
    return () if isinstance(given, Refusal) else given
