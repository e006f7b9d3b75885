"""What all connections of one worker share: settings, routes, plans, credentials, connection ids."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from rwrouter.config.addresses import parse_network
from rwrouter.config.model import Settings
from rwrouter.counters import ServerCounters, WorkerCounters
from rwrouter.errors import NoServer
from rwrouter.model import Flavor, Greeting, Snapshot, State
from rwrouter.protocol.auth import RsaKey, Secret, Verifier, verifier_of
from rwrouter.protocol.flags import SERVER_STATUS_AUTOCOMMIT
from rwrouter.protocol.tls import TlsContext
from rwrouter.proxy.backend import TOLD_SECONDS
from rwrouter.proxy.dial import Account, Dialer
from rwrouter.proxy.holding import Holding
from rwrouter.proxy.killing import kill
from rwrouter.proxy.servers import Endpoint, Routes
from rwrouter.routing.rules import Rule, RuleBook, RuledPlans, wishes
from rwrouter.routing.terms import Terms, Wish, combine
from rwrouter.sql.classifier import Classifier
from rwrouter.sql.plans import Plan

if TYPE_CHECKING:
    from rwrouter.proxy.client import ClientConnection

log = logging.getLogger("rwrouter.proxy")


FIRST_NUMBER: Final = 1 << 30
"""The router's connection ids begin here, far above those that servers give: a KILL with a number from a server's
process list is for that server, and can't hit another client of the router."""


class Nudge(Protocol):
    """Tells the monitor to look at a server now."""

    def __call__(self, server: str, why: str, *, failed: bool) -> None:
        """*failed*: it could not be connected to at all, rather than lost one connection."""


class KillElsewhere(Protocol):
    """Has a client of another worker killed."""

    def __call__(self, number: int, account: Account, *, query_only: bool) -> None:
        """Tell the other workers; *account*'s rights are checked by the server."""


class Gateway:
    """One worker's shared state.

    *index* of *stride* workers: connection ids are FIRST_NUMBER + index + n * stride, unique over workers.
    *nudge* tells the monitor to look at a server now.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        index: int = 0,
        stride: int = 1,
        rsa: RsaKey | None = None,
        client_tls: TlsContext | None = None,
        server_tls: TlsContext | None = None,
        nudge: Nudge = lambda _name, _why, *, failed: None,  # noqa: ARG005
        kill_elsewhere: KillElsewhere = lambda _number, _account, *, query_only: None,  # noqa: ARG005
    ) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.routes = Routes(settings, self.loop.time)
        self.rsa = rsa
        self.client_tls = client_tls
        self.dialer = Dialer(settings, server_tls)
        self.nudge = nudge
        self.kill_elsewhere = kill_elsewhere
        self.counters = WorkerCounters()
        self.holding = Holding(self)
        self.clients: dict[int, ClientConnection] = {}
        self.secrets: dict[str, tuple[Secret, Verifier]] = {}
        self._index = index
        self._stride = stride
        self._next = 0
        self._exhausted_at = float("-inf")  # when that was logged last
        self.first_number = FIRST_NUMBER
        self.first_status = (
            SERVER_STATUS_AUTOCOMMIT  # with which servers begin sessions: as in the last login
        )
        self.rules = RuleBook.of(settings.rules)
        self._ruled: dict[tuple[Classifier, tuple[Rule, ...]], RuledPlans] = {}
        self._classifiers: dict[tuple[Flavor, bool, bool, bool], Classifier] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.balancers = [parse_network(text) for text in settings.proxy_protocol.networks]
        self.configured = {
            user.name: (Secret.of(user.password.get_secret_value().encode()), user) for user in settings.users
        }

    # -- topology

    def update(self, snapshot: Snapshot) -> None:
        """Take a new topology from the master."""
        if snapshot.reading_routines != self.routes.snapshot.reading_routines:
            self._ruled.clear()
            self._classifiers.clear()  # sessions take the new ones with their next change of mode
        self.routes.update(snapshot)
        self.holding.topology_changed()
        for client in tuple(self.clients.values()):
            client.topology_changed()

    def greeting(self) -> Greeting:
        """Return what to greet clients with. Raises NoServer."""
        greeting = self.routes.snapshot.greeting
        if greeting is None:
            raise NoServer(self.routes.why_nobody())
        return greeting

    # -- sessions

    def connection_id(self) -> int:
        """Return a connection id that no other connection of this router has, on any worker; 32 bits."""
        while True:
            self._next = (self._next + 1) % (FIRST_NUMBER // self._stride)
            number = FIRST_NUMBER + self._next * self._stride + self._index
            if number not in self.clients:
                return number

    def scramble(self) -> bytes:
        """Return 20 random bytes for a greeting, none of them 0."""
        return bytes(byte % 127 + 1 for byte in os.urandom(20))

    def classifier(self, *, ansi_quotes: bool, no_backslash_escapes: bool, multibyte: bool) -> Classifier:
        """Return the classifier for sessions that read SQL in this way."""
        snapshot = self.routes.snapshot
        flavor = snapshot.greeting.flavor if snapshot.greeting is not None else Flavor.MYSQL
        key = (flavor, ansi_quotes, no_backslash_escapes, multibyte)
        classifier = self._classifiers.get(key)
        if classifier is None:
            limits = self.settings.limits
            self._classifiers[key] = classifier = Classifier(
                flavor,
                ansi_quotes=ansi_quotes,
                no_backslash_escapes=no_backslash_escapes,
                multibyte_unsafe=multibyte,
                reading_routines=snapshot.reading_routines,
                capacity=limits.plan_cache,
                limit=limits.classified_bytes,
            )
        return classifier

    def classifiers(self) -> list[Classifier]:
        """Return all classifiers in use."""
        return list(self._classifiers.values())

    def planner(self, classifier: Classifier, rules: tuple[Rule, ...]) -> Callable[[bytes], Plan]:
        """Return what makes the plans of a session that reads SQL by *classifier* and has these *rules*."""
        speaking = tuple(rule for rule in rules if rule.is_of_statements)
        if not speaking:
            return classifier.plan
        ruled = self._ruled.get((classifier, speaking))
        if ruled is None:
            ruled = self._ruled[classifier, speaking] = RuledPlans(classifier.plan, speaking)
        return ruled.plan

    def ruled(self, plan: Plan, rules: tuple[Rule, ...]) -> Plan:
        """Return what *rules* make of the *plan* of a statement that is too long for the planner."""
        return RuledPlans(lambda _sql: plan, rules).apply(plan) if rules else plan

    def terms(self, user: str, wish: Wish, rules: tuple[Rule, ...]) -> Terms:
        """Return what the reads of a session of *user* with these *rules*, which has asked for *wish*, ask for."""
        layers = [("RWROUTER SET", wish), *wishes(rules)]
        configured = self.configured.get(user)
        if configured is not None:
            own = configured[1]
            layers.append((f'the user "{user}"', Wish(own.consistency, own.max_lag)))
        return combine(layers, self.settings.reads.consistency)

    def kill(self, number: int, account: Account, *, query_only: bool) -> bool:
        """End the statement, or the connection, of the client *number* of this worker, with *account*'s rights.

        False where this worker has no such client.
        """
        target = self.clients.get(number)
        if target is None:
            return False
        self.spawn(kill(self, target, account, query_only=query_only))
        return True

    def is_elsewhere(self, number: int) -> bool:
        """Tell whether *number* can be a client of another worker."""
        return self._stride > 1 and (number - FIRST_NUMBER) % self._stride != self._index

    # -- credentials

    def verifier(self, user: str) -> Verifier | None:
        """Return what is known to check a proof of *user*'s password."""
        configured = self.configured.get(user)
        if configured is not None:
            return verifier_of(configured[0].password or b"", is_final=True)
        known = self.secrets.get(user)
        return known[1] if known is not None else None

    def learn(self, user: str, secret: Secret) -> None:
        """A server has accepted *user* with *secret*."""
        if user not in self.configured and secret.password is not None:
            if len(self.secrets) >= 10_000:
                self.secrets.pop(next(iter(self.secrets)))
            self.secrets[user] = (secret, verifier_of(secret.password))

    def forget(self, user: str) -> None:
        """A server has refused *user*: ask for the password again."""
        self.secrets.pop(user, None)

    # -- counts

    def totals(self) -> WorkerCounters:
        """Return what this worker has counted."""
        counters = self.counters
        counters.clients = len(self.clients)
        counters.held_now = len(self.holding)
        counters.sessions_pinned = sum(client.home is not None for client in self.clients.values())
        sent = 0
        for endpoint in self.routes.endpoints.values():
            counted = endpoint.counters
            counted.statements = counted.reads + counted.writes
            sent += counted.statements
        counters.statements = sent + counters.local_answers
        known = [classifier.counters for classifier in self._classifiers.values()]
        counters.plan_misses = sum(some.shape_misses for some in known)
        counters.plan_hits = max(0, counters.statements - counters.plan_misses)
        counters.disagreements = sum(some.disagreements for some in known)
        return counters

    def totals_by_server(self, indexes: Mapping[str, int]) -> list[ServerCounters]:
        """Return what this worker has counted of each server, in the order of the scoreboard's rows."""
        rows = [ServerCounters() for _ in range(max(indexes.values(), default=-1) + 1)]
        now = self.loop.time()
        for name, endpoint in self.routes.endpoints.items():
            if name in indexes:
                rows[indexes[name]] = counted = endpoint.counters
                counted.circuits_open = int(endpoint.circuit.is_open(now))
                counted.circuits_capped = int(endpoint.circuit.is_capped(now))
        return rows

    # -- tasks

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run *work* beside everything else, and keep it from being forgotten."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("event=bug", exc_info=exc)

    def refused(self, endpoint: Endpoint, why: str) -> None:
        """A server could not be connected to: leave it alone for a while, and have it looked at."""
        endpoint.counters.connect_failures += 1
        pause = self.routes.shun(endpoint, why)
        if endpoint.server.state is not State.DOWN:
            self.nudge(endpoint.server.name, why, failed=True)
        self.loop.call_later(pause + 0.1, self._reconsider)

    def exhausted(self, why: str) -> None:
        """The router has no descriptors, memory or ports left for a connection to a server. Logged once a second."""
        now = self.loop.time()
        if now >= self._exhausted_at + TOLD_SECONDS:
            self._exhausted_at = now
            log.error('event=exhausted reason="%s"', why)

    def full(self, endpoint: Endpoint, why: str) -> None:
        """A server has no room for another connection: open fewer there; what is open is used."""
        endpoint.counters.connect_failures += 1
        endpoint.circuit.full(self.loop.time(), endpoint.counters.connections)
        log.warning('event=full server=%s reason="%s"', endpoint.server.name, why)

    def _reconsider(self) -> None:
        self.routes.rebuild()
        self.holding.settle()

    def lost(self, endpoint: Endpoint, why: str) -> None:
        """A connection to a server was lost in the middle of a statement."""
        endpoint.counters.errors += 1
        self.nudge(endpoint.server.name, why, failed=False)
