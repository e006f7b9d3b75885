"""Which probes are due at time t; answers in, a new topology out.

The carrier (`process/monitoring.py`, or a simulator) asks `due` for probes, runs each on its own, and hands
every outcome to `answer`. What workers see comes in by `passive_failure`. After each of these `snapshot` is
what holds now, and `take_events` what happened. Times are seconds of one clock that never goes back.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rwrouter.cluster import probes, trial
from rwrouter.cluster.addresses import AddressMap
from rwrouter.cluster.alarms import NO_ACCOUNT, alarms_of, missing_rights, problem_of, rivals
from rwrouter.cluster.discovery import Seat
from rwrouter.cluster.divergence import Divergence
from rwrouter.cluster.events import Event, changes
from rwrouter.cluster.finder import Finder
from rwrouter.cluster.finding import Sighting, sightings
from rwrouter.cluster.health import Health
from rwrouter.cluster.judging import View, judge
from rwrouter.cluster.lag import Positions
from rwrouter.cluster.probes import Answer, Failure, Topic
from rwrouter.cluster.topology import Election, elect
from rwrouter.cluster.watched import Watched
from rwrouter.config.addresses import parse_server
from rwrouter.config.model import ServerSettings, Settings
from rwrouter.model import Address, Flavor, Greeting, Server, Snapshot, State

RETRY: Final = 0.25  # of the interval: a failed probe of a server that is up is repeated soon
PATIENCE: Final = (
    5  # times monitor.timeout, for a server that is down: it has a login to do, and caches to fill
)
JITTER: Final = 0.1  # of the interval: at most so much earlier, so that routers do not probe in step


@dataclass(frozen=True, slots=True)
class Probe:
    """One round of questions to one server, to be answered within *timeout* seconds."""

    server: str
    address: Address
    topics: frozenset[Topic]
    timeout: float
    anew: bool = (
        False  # over a new connection, where one can be made: a worker could not, or met another server
    )


class Monitor:
    """The state of the cluster as the answers tell it. Owns nothing but values; not thread-safe."""

    def __init__(self, settings: Settings, jitter: Callable[[], float] = lambda: 0.5) -> None:
        """*jitter* returns numbers from 0 to 1, e.g. `random.Random().random`."""
        self._jitter = jitter
        self._watched: dict[str, Watched] = {}
        self._positions = Positions()
        self._divergence = Divergence()
        self._primary: str | None = None
        self._last_primary: str | None = None  # who was primary last, if nobody is
        self._primary_seen = 0.0  # when the primary answered last, as a primary
        self._confirmed = 0
        self._routines: frozenset[str] = frozenset()
        self._variables: dict[str, tuple[str, ...]] = {}  # version -> settable session variables
        self._events: list[Event] = []
        self._finder = Finder(self._candidate, self._note)
        self._settings = settings
        self.snapshot = Snapshot()
        self.reconfigure(settings, 0.0)

    def reconfigure(self, settings: Settings, now: float) -> None:
        """Take new *settings*: servers that stay keep what is known of them."""
        self._settings = settings
        self._finder.is_on, self._finder.forget = settings.discovers, settings.monitor.forget
        self._finder.addresses = AddressMap(settings.addresses)
        watched: dict[str, Watched] = {}
        for server in settings.servers:
            address = parse_server(server.address)
            name = server.name or str(address)
            known = self._watched.get(name)
            if known is None or known.address != address or known.found is not None:
                known = Watched(name, address, server, Health(0, 0), due_at=now)
            known.settings = server
            watched[name] = known
        if settings.discovers:
            listed = {one.address for one in watched.values()}
            for name, one in self._watched.items():
                if one.found is not None and name not in watched and one.address not in listed:
                    watched[name] = one
        for one in watched.values():
            one.health.rise, one.health.fall = settings.monitor.rise, settings.monitor.fall
        self._watched = watched
        self._finder.look(watched, now, is_news=True)
        self._refresh(now)

    def _candidate(self, name: str, address: Address, sighting: Sighting) -> Watched:
        server = ServerSettings(address=str(address), name="found")  # the name is whatever servers say
        monitor = self._settings.monitor
        return Watched(
            name,
            address,
            server,
            Health(monitor.rise, monitor.fall),
            found=sighting,
            is_admitted=False,
        )

    @property
    def watching(self) -> Collection[str]:
        """The names of all that are probed, with those that are in no snapshot yet."""
        return self._watched.keys()

    # what to ask -------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Probe]:
        """Return the probes to send at *now*. Each must come back by `answer`; till then none follows."""
        if not self._settings.monitor.user:
            return []
        found = []
        for one in self._watched.values():
            if one.asked_at is None and one.due_at <= now:
                one.asked_at = now
                timeout = self._settings.monitor.timeout * (1 if one.health.is_up else PATIENCE)
                topics = one.topics(
                    now,
                    discovers=self._settings.discovers,
                    has_heartbeat=bool(self._settings.monitor.heartbeat),
                )
                found.append(Probe(one.name, one.address, topics, timeout, anew=one.health.is_doubted))
        return found

    def next_due(self) -> float | None:
        """Return when `due` will have something; None while every server is being asked, or none may be."""
        if not self._settings.monitor.user:
            return None
        return min((one.due_at for one in self._watched.values() if one.asked_at is None), default=None)

    def nudge(self, server: str, now: float) -> None:
        """Have *server* probed at once: somebody saw a sign that its role or health has changed."""
        one = self._watched.get(server)
        if one is not None:
            one.due_at = min(one.due_at, now)
            one.nudged_at = now

    def untried(self) -> Probe | None:
        """Return a server on which to try which variables a client can set, if that is not known yet."""
        one = self._speaker()
        if one is None or one.greeted is None or not one.health.is_up or one.seen is None:
            return None
        if one.seen.facts.flavor is Flavor.MARIADB or one.greeted.version in self._variables:
            return None
        return Probe(one.name, one.address, frozenset(), self._settings.monitor.timeout)

    # what comes back ---------------------------------------------------------------------------------------

    def answer(self, server: str, now: float, result: Answer | Failure) -> None:
        """Take in the outcome of a probe of *server*."""
        one = self._watched.get(server)
        if one is None:  # no longer watched
            return
        asked, one.asked_at = one.asked_at if one.asked_at is not None else now, None
        interval = self._settings.monitor.interval
        one.due_at = max(now, asked + interval * (1 - JITTER * self._jitter()))
        if isinstance(result, Answer):
            known = one.seen.facts if one.seen is not None else None
            try:
                one.take(now, result)
            except ValueError as exc:
                result = Failure(str(exc))
            else:
                self._compare(one, known)
                if Topic.RIGHTS in result.answers and self._primary in {None, server}:
                    self._routines = one.routines
        if isinstance(result, Failure):
            one.due_at = max(one.due_at, now + RETRY * interval)
            if one.health.is_up:
                one.due_at = now + RETRY * interval
            one.fail(now, result)
        if one.nudged_at is not None and one.nudged_at > asked:
            one.due_at = now  # asked before the sign was seen: what it says may be older
        elif one.nudged_at is not None:
            one.nudged_at = None
            if isinstance(result, Answer) and server == self._primary:
                self._confirmed += 1  # if it still is: else the snapshot says so
        self._find(one, now, answered=isinstance(result, Answer))
        self._refresh(now)

    def _compare(self, one: Watched, known: probes.Facts | None) -> None:
        """Tell where another server answers at the address of *one* than the one which said what is *known*."""
        assert one.seen is not None  # noqa: S101  it has answered
        facts = one.seen.facts
        if known is None or known.is_of_same_server(facts):
            return
        was, is_now = known.uuid or str(known.server_id), facts.uuid or str(facts.server_id)
        self._note(
            "warning", "server_changed", server=one.name, address=str(one.address), was=was, now=is_now
        )
        if one.name == self._primary:
            self._positions.forget()

    def _find(self, one: Watched, now: float, *, answered: bool) -> None:
        """Have the servers found that *one* tells of, after its answer, or the lack of one."""
        if not one.is_admitted:
            if answered:
                self._finder.admit(one, self._watched)
            elif not one.first_failure:
                one.first_failure = one.health.why
            if not one.is_admitted:
                self._finder.put_off(one, now)
        told = tuple(sightings(one.seen)) if answered and one.seen is not None else one.told
        is_news, one.told = told != one.told, told
        self._finder.look(self._watched, now, is_news=is_news)

    def passive_failure(self, server: str, now: float) -> None:
        """Have *server* probed at once, because a worker could not connect to it: if that fails too, it is down."""
        one = self._watched.get(server)
        if one is not None:
            one.health.on_passive_failure()
            self.nudge(server, now)

    def settable(self, version: str, names: Sequence[str], now: float) -> None:
        """Servers that greet with *version* let a client set the session variables *names*."""
        self._variables[version] = tuple(names)
        self._refresh(now)

    def decree(self, server: str, now: float, *, state: State | None, weight: int | None = None) -> None:
        """Drain or disable *server* for a person (None: neither); *weight* is theirs too (None: configured).

        Raises KeyError.
        """
        one = self._watched[server]
        if not one.is_admitted:
            raise KeyError(server)
        one.decreed, one.weight = state, weight
        self._refresh(now)

    def take_events(self) -> list[Event]:
        """Return what happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    # within ------------------------------------------------------------------------------------------------

    def _speaker(self) -> Watched | None:
        """Return the server whose word counts for the cluster: the primary, else the last, else any seen."""
        for name in (self._primary, self._last_primary):
            if name is not None and name in self._watched and self._watched[name].greeted is not None:
                return self._watched[name]
        return next((o for o in self._watched.values() if o.greeted is not None and o.is_admitted), None)

    def _refresh(self, now: float) -> None:
        seats = []
        admitted = [one for one in self._watched.values() if one.is_admitted]
        for one in admitted:
            is_up = one.health.is_up and one.decreed is not State.DISABLED
            if one.seen is not None and one.seen.is_up is not is_up:
                one.seen = replace(one.seen, is_up=is_up)
            if not one.twin and (one.found is None or one.is_attached or one.name == self._primary):
                seats.append(Seat(one.name, one.address, one.seen, one.said))
        election = elect(self._primary or self._last_primary, seats)
        if election.primary != self._primary:
            self._primary = election.primary
            if election.primary is not None and election.primary != self._last_primary:
                self._last_primary = election.primary
                self._positions.forget()
        if self._primary is not None:
            one = self._watched[self._primary]
            if one.answered_at == now:
                self._primary_seen = now
                self._positions.note(now, one.executed)
                others = {o.name: o.executed for o in admitted if o is not one and o.seen is not None}
                self._divergence.look(now, one.executed, others)
        view = View(
            primary=self._primary,
            source=self._watched.get(self._primary or self._last_primary or ""),
            source_lost=self._source_lost(),
            seats=seats,
            ours=[
                Seat(one.name, one.address, one.seen, one.said)
                for one in admitted
                if one.found is None or one.is_attached or not one.health.is_up
            ],
            positions=self._positions,
            reads=self._settings.reads,
        )
        self._publish(tuple(judge(one, now, view) for one in admitted), election)

    def _source_lost(self) -> float | None:
        """Return when the primary was last seen, if it does not answer now."""
        if self._last_primary is None or self._last_primary not in self._watched:
            return None
        one = self._watched[self._last_primary]
        if self._primary is not None and one.health.failures == 0 and one.health.is_up:
            return None
        return self._primary_seen

    def _publish(self, servers: tuple[Server, ...], election: Election) -> None:
        old = self.snapshot
        speaker = self._speaker()
        new = Snapshot(
            generation=old.generation,
            servers=servers,
            primary=election.primary,
            greeting=self._greeting(speaker) or old.greeting,
            problem=problem_of(servers, election) if self._settings.monitor.user else NO_ACCOUNT,
            alarms=self._alarms(election),
            confirmed=self._confirmed,
            tracked_variables=self._tracked(speaker),
            reading_routines=self._routines,
        )
        if new != old or not old.generation:
            asked = {name for name, one in self._watched.items() if one.health.is_asked}
            self._events += changes(old, new, asked, is_first_look=not self._has_looked())
            self.snapshot = replace(new, generation=old.generation + 1)

    def _greeting(self, speaker: Watched | None) -> Greeting | None:
        if speaker is None or speaker.greeted is None:
            return None
        greeted = speaker.greeted
        return Greeting(
            greeted.version, greeted.collation, greeted.capabilities, probes.flavor_of(greeted.version)
        )

    def _tracked(self, speaker: Watched | None) -> tuple[str, ...]:
        if speaker is None or speaker.greeted is None:
            return ()
        if probes.flavor_of(speaker.greeted.version) is Flavor.MARIADB:
            return ("*",)
        return self._variables.get(speaker.greeted.version, trial.USUAL_VARIABLES)

    def _alarms(self, election: Election) -> tuple[str, ...]:
        admitted = [one for one in self._watched.values() if one.is_admitted]
        alarms = [*election.alarms, *alarms_of(admitted, self._settings.monitor.heartbeat)]
        if election.primary is not None:
            alarms += rivals(admitted, election.primary)
            alarms += self._divergence.alarms(election.primary)
        if all(one.seen is not None for one in admitted):
            alarms += self._finder.alarms(self._watched)
        return (*alarms, *missing_rights(admitted))

    def _has_looked(self) -> bool:
        """Whether each server was asked once, or none will be: before that, nothing is amiss yet."""
        return not self._settings.monitor.user or all(
            one.health.is_asked for one in self._watched.values() if one.is_admitted
        )

    def _note(self, level: str, name: str, **fields: str) -> None:
        self._events.append(Event.of(level, name, **fields))
