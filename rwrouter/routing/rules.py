"""Rules from the configuration: for whom and for which statements they hold, and what they make of a plan.

Who a session is (user, schema, client address) is looked at when it begins and when its schema changes; what a
statement says, once for each plan. A session for which no rule speaks of statements pays nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rwrouter.config.addresses import UNIX, Network, is_in, parse_network
from rwrouter.routing.terms import Wish
from rwrouter.sql import plans
from rwrouter.sql.plans import Hint, Plan, Target

CAPACITY: Final = 10_000
"""Plans whose rules are remembered, for each set of rules and way to read SQL; then they are looked at anew."""

_SETTLED: Final = b"/* rwrouter: replica */ "


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. What it matches by: empty matches all. What it does: None leaves it as it is."""

    name: str
    user: str = ""
    database: str = ""
    networks: tuple[Network, ...] = ()
    digest: str = ""
    regex: re.Pattern[str] | None = None
    target: str | None = None  # primary, replica
    server: str | None = None
    consistency: str | None = None
    max_lag: float | None = None  # seconds
    deny: str | None = None  # the message

    @classmethod
    def of(cls, number: int, settings: Any) -> "Rule":
        """Return the rule that the table *settings* (a RuleSettings, already checked) describes."""
        return cls(
            settings.name or f"rule {number}",
            settings.user,
            settings.database,
            tuple(map(parse_network, settings.clients)),
            " ".join(settings.digest.split()),
            re.compile(settings.regex, re.IGNORECASE) if settings.regex else None,
            settings.target,
            settings.server or None,
            settings.consistency,
            settings.max_lag,
            settings.deny or None,
        )

    @property
    def is_of_statements(self) -> bool:
        """It has to be looked at for each plan: by what it matches, or by what it does."""
        return bool(self.digest or self.regex or self.target or self.server or self.deny)

    def is_for(self, user: str, database: str, host: str) -> bool:
        """Tell whether it is for a session of *user* with the schema *database*, whose client is at *host*."""
        if (self.user and self.user != user) or (self.database and self.database != database):
            return False
        # A client of a Unix socket has no address.
        return not self.networks or is_in("" if host == UNIX else host, self.networks)

    def matches(self, digest: str) -> bool:
        """Tell whether it is for a statement with *digest*."""
        if self.digest and self.digest != digest:
            return False
        return self.regex is None or self.regex.search(digest) is not None


class RuleBook:
    """All rules, in the order of the file: of two that say something of the same, the first wins."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = tuple(rules)
        self.follows_schema = any(rule.database for rule in self.rules)

    @classmethod
    def of(cls, settings: Iterable[Any]) -> "RuleBook":
        """Return the rules of the tables *settings*."""
        return cls(Rule.of(number, table) for number, table in enumerate(settings, 1))

    def of_session(self, user: str, database: str, host: str) -> tuple[Rule, ...]:
        """Return those for one session."""
        return tuple(rule for rule in self.rules if rule.is_for(user, database, host))


def wishes(rules: Iterable[Rule]) -> list[tuple[str, Wish]]:
    """Return what those of a session's *rules* that do not speak of statements ask for all its reads."""
    return [
        (f'the rule "{rule.name}"', Wish(rule.consistency, rule.max_lag))
        for rule in rules
        if not rule.is_of_statements
    ]


class RuledPlans:
    """Plans of a classifier, after the rules of a session that speak of statements."""

    def __init__(self, plan: Callable[[bytes], Plan], rules: Sequence[Rule]) -> None:
        self._plan = plan
        self._rules = rules
        self._ruled: dict[Plan, Plan] = {}

    def plan(self, sql: bytes) -> Plan:
        """Return the plan of *sql*: the classifier's, and what the rules make of it."""
        plan = self._plan(sql)
        ruled = self._ruled.get(plan)
        if ruled is None:
            if len(self._ruled) >= CAPACITY:
                self._ruled.clear()
            ruled = self._ruled[plan] = self.apply(plan)
        return ruled

    def apply(self, plan: Plan) -> Plan:
        """Return what the rules make of *plan*."""
        if plan.effects & plans.ASKS_ROUTER:
            return plan
        matching = [rule for rule in self._rules if rule.matches(plan.digest)]
        denying = next((rule for rule in matching if rule.deny), None)
        if denying is not None:
            reason = f'the rule "{denying.name}" denies it: {denying.deny}'
            return _changed(plan, denying, Target.LOCAL, reason, effects=plans.DENIED)
        for rule in matching:
            if rule.target is not None:
                plan = self._aimed(plan, rule)
                break
        return _hinted(plan, matching)

    def _aimed(self, plan: Plan, rule: Rule) -> Plan:
        """Return *plan* after the target of *rule*. A write stays a write, and a lock a lock."""
        if rule.target == "primary" and plan.target is Target.REPLICA:
            return _changed(plan, rule, Target.PRIMARY, f'the rule "{rule.name}" asks for the primary')
        if rule.target == "replica" and plan.target is Target.PRIMARY and plan.digest:
            settled = self._plan(_SETTLED + plan.digest.encode("utf-8", "surrogateescape"))
            if settled.target is Target.REPLICA:
                reason = f'the rule "{rule.name}" says that it reads'
                return _changed(plan, rule, Target.REPLICA, reason, effects=settled.effects)
        return plan


def _hinted(plan: Plan, rules: Iterable[Rule]) -> Plan:
    """Return a read's *plan* with what *rules* ask for where its own hint is silent."""
    if plan.target is not Target.REPLICA:
        return plan
    own = plan.hint or Hint()
    found: dict[str, Any] = {}
    by: Rule | None = None
    for rule in rules:
        for name in ("server", "consistency", "max_lag"):
            value = getattr(rule, name)
            if value is not None and getattr(own, name) is None and name not in found:
                found[name] = value
                by = by or rule
    if by is None:
        return plan
    kept = {name: getattr(own, name) for name in Hint.__dataclass_fields__}
    return _changed(plan, by, plan.target, plan.reason, hint=Hint(**{**kept, **found}))


def _changed(
    plan: Plan,
    rule: Rule,
    target: Target,
    reason: str,
    *,
    effects: int | None = None,
    hint: Hint | None = None,
) -> Plan:
    return Plan(
        target,
        reason,
        digest=plan.digest,
        effects=plan.effects if effects is None else effects,
        hint=hint or plan.hint,
        names=plan.names,
        rule=plan.rule or rule.name,
        asks=plan.asks,
        leaves=plan.leaves,
    )
