"""From the bytes of a statement to its Plan: the hot path of every statement.

    bytes -> shape (one regular expression) -> dict: Plan
                                    miss -> fold -> digest -> dict: Plan
                                                      miss -> judge, with sqlparse as second witness

A plan is a function of the digest, the digest of the shape: what the caches return is what judging again
would return. Both caches are bounded in entries and bytes by two generations: a full young one becomes the
old one, and what is asked for again moves back. A hit costs nothing but the look-up.
"""

import re
from dataclasses import replace
from typing import Final

from rwrouter.model import Flavor
from rwrouter.sql import diagnostics, hints, plans
from rwrouter.sql.asking import ASKS
from rwrouter.sql.digest import Digester, shorten
from rwrouter.sql.features import Routines
from rwrouter.sql.names import lock_call, names_of
from rwrouter.sql.plans import Plan, Target
from rwrouter.sql.statements import is_connection_id, judge
from rwrouter.sql.tokens import HINT, disagreement, render, tokenize
from rwrouter.sql.verdicts import ASKS_REASON, Verdict

_READ_HEAD: Final = 256  # bytes of a statement that show its verb
_LONG: Final = 8192  # bytes from which a statement that begins as a write is not read in full
_DIGEST_LIMIT: Final = 2048  # characters of a digest that a plan carries
_OVERHEAD: Final = 400  # bytes of a cached plan beside its key, about

_WRITE_VERB: Final = re.compile(rb"\s*+(?:insert|replace|update|delete|load)\b", re.IGNORECASE)
# What a long write may hold that no tracker of a server tells: then it is read in full.
_NEEDLES: Final = (
    b":=",
    b"get_lock",
    b"service_get",
    b"/*!",
    b"/*m!",
    b"rwrouter",
    b"into @",
    b"version_tokens",
)
# What a text that is not understood may leave behind.
_TRACES: Final = re.compile(
    rb"get_lock|service_get|:=|into\s|\block\b|temporary|\bprepare\b|handler|\bset\b|\bxa\b|binlog|backup"
)

_LOCKS: Final = plans.NAMED_LOCK | plans.RELEASES_LOCK
WRITE_HEAD: Final = "begins as a write"

ASKING: Final = Plan(Target.LOCAL, ASKS_REASON, effects=plans.ASKS_ROUTER)
"""The plan of what begins with RWROUTER: however the rest reads, no server sees it."""


class Counters:
    """What a classifier has counted since it was made. Owned by it; readers copy."""

    __slots__ = ("disagreements", "learned", "misses", "not_understood", "shape_misses", "unknown")

    def __init__(self) -> None:
        self.shape_misses = 0  # statements whose shape was in neither generation
        self.misses = 0  # digests judged
        self.disagreements = 0  # reads that sqlparse did not take for a read
        self.not_understood = 0  # statements with a text of no single meaning
        self.unknown = 0  # digests with an unknown first word
        self.learned = 0  # digests that a server has shown to write


class _Generations:
    """A dict bounded in entries and bytes. `young` may be read directly: that is the hot path."""

    __slots__ = ("_bytes", "_capacity", "_limit", "old", "young")

    def __init__(self, capacity: int, limit: int) -> None:
        self._capacity = max(1, capacity // 2)
        self._limit = limit // 2
        self._bytes = 0
        self.young: dict[bytes | str, Plan] = {}
        self.old: dict[bytes | str, Plan] = {}

    def get(self, key: bytes | str) -> Plan | None:
        plan = self.young.get(key)
        if plan is None:
            plan = self.old.get(key)
            if plan is not None:
                self.put(key, plan)
        return plan

    def put(self, key: bytes | str, plan: Plan) -> None:
        size = len(key) + _OVERHEAD
        if size > self._limit // 8:
            return  # one long key must not turn out all the others
        if len(self.young) >= self._capacity or self._bytes + size > self._limit:
            # The dict that others may hold is kept and emptied: `young` is always the same object.
            self.old = dict(self.young)
            self.young.clear()
            self._bytes = 0
        self.young[key] = plan
        self._bytes += size

    def clear(self) -> None:
        self.young.clear()
        self.old = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.young.keys() | self.old.keys())


class Classifier:
    """Plans for sessions that read SQL alike. Shared by all such sessions of a worker.

    *multibyte_unsafe*: the client's character set has trail bytes that look like a quote or a backslash
    (gbk, sjis, cp932, big5, gb18030). *reading_routines*: "schema.function" in lower case, of functions
    that only read; a name without a schema is not looked up there, because the current schema is not part
    of a digest. *capacity* is the number of plans kept, *limit* the longest statement read in full,
    *memory* the bound of the caches, both in bytes.
    """

    def __init__(
        self,
        dialect: Flavor,
        *,
        ansi_quotes: bool = False,
        no_backslash_escapes: bool = False,
        multibyte_unsafe: bool = False,
        reading_routines: frozenset[str] = frozenset(),
        capacity: int = 10_000,
        limit: int = 1 << 20,
        memory: int = 16 << 20,
    ) -> None:
        self.counters = Counters()
        self._dialect = dialect
        self._digester = Digester(ansi_quotes=ansi_quotes, no_backslash_escapes=no_backslash_escapes)
        self._multibyte_unsafe = multibyte_unsafe
        self._routines = Routines(reading_routines)
        self._limit = limit
        self._shapes = _Generations(capacity, memory // 2)
        self._digests = _Generations(capacity, memory // 2)
        self._writes: dict[str, None] = {}  # digests learned as writes, oldest first
        self._writes_limit = max(1, capacity // 4)
        self._substitute = self._digester.substitute
        self._young = self._shapes.young

    def plan(self, sql: bytes) -> Plan:
        """Return the plan of *sql*. Never raises, whatever the bytes."""
        if len(sql) < _LONG and not self._multibyte_unsafe:
            shape = self._substitute(b"?", sql)
            plan = self._young.get(shape)
            return self._plan_of_shape(shape, sql) if plan is None else plan
        return self._plan_of_long(sql)

    def plan_head(self, head: bytes, total: int) -> Plan:
        """Return the plan of a statement of *total* bytes of which only *head* is here.

        What is cut off is never a read for a replica, and what it leaves in the session is known only from
        the server's trackers.
        """
        if len(head) >= total:
            return self.plan(head)
        if ASKS.match(head):
            return ASKING
        if _WRITE_VERB.match(head):
            return Plan(Target.PRIMARY, WRITE_HEAD, digest=self._head_digest(head), effects=plans.WRITES)
        effects = plans.MAY_WRITE | _traces(head)
        return Plan(
            Target.PRIMARY, "is too long to be read in full", digest=self._head_digest(head), effects=effects
        )

    def learn_write(self, digest: str) -> None:
        """Send statements of this *digest* to the primary from now on: a server refused it as a write."""
        if digest in self._writes:
            return
        while len(self._writes) >= self._writes_limit:
            del self._writes[next(iter(self._writes))]
        self._writes[digest] = None
        self.counters.learned += 1
        self._shapes.clear()
        self._digests.clear()

    @property
    def cached(self) -> int:
        """Shapes in the cache now."""
        return len(self._shapes)

    def _plan_of_long(self, sql: bytes) -> Plan:
        if ASKS.match(sql):
            return ASKING
        if self._multibyte_unsafe and not sql.isascii():
            # A trail byte may look like a quote: what is a literal can't be told here.
            self.counters.not_understood += 1
            reason = "its character set hides quotes, and it is not plain ASCII"
            return Plan(Target.PRIMARY, reason, effects=self._careful_effects(sql))
        if len(sql) >= _LONG and _WRITE_VERB.match(sql):
            lower = sql.lower()
            if not any(needle in lower for needle in _NEEDLES):
                digest = self._head_digest(sql)
                return Plan(Target.PRIMARY, WRITE_HEAD, digest=digest, effects=plans.WRITES)
        if len(sql) > self._limit:
            reason = f"is longer than {self._limit} bytes, which is not read in full"
            return Plan(
                Target.PRIMARY, reason, digest=self._head_digest(sql), effects=plans.MAY_WRITE | _traces(sql)
            )
        shape = self._substitute(b"?", sql)
        plan = self._young.get(shape)
        return self._plan_of_shape(shape, sql) if plan is None else plan

    def _plan_of_shape(self, shape: bytes, sql: bytes) -> Plan:
        plan = self._shapes.get(shape)
        if plan is not None:
            return plan
        self.counters.shape_misses += 1
        if self._digester.is_clean(shape):
            return self._plan_of_clean(shape)
        rest = self._digester.uncommented(sql)
        if rest is not None:
            shape = self._substitute(b"?", rest)
            if self._digester.is_clean(shape):
                return self._plan_of_clean(shape)
        folded = self._digester.fold(sql)
        if folded is None:
            if ASKS.match(sql):
                return ASKING
            self.counters.not_understood += 1
            return Plan(Target.PRIMARY, "has a quote or comment of unclear end", effects=_traces(sql))
        # Folded texts live beside the digests: a folded text says what it means without being checked again.
        plan = self._digests.get(folded)
        if plan is None:
            plan = self._plan_of_folded(folded)
            self._digests.put(folded, plan)
        return plan

    def _plan_of_clean(self, shape: bytes) -> Plan:
        plan = self._shapes.get(shape)
        if plan is None:
            plan = self._plan_of_folded(shape)
            self._shapes.put(shape, plan)
        return plan

    def _plan_of_folded(self, folded: bytes) -> Plan:
        tokens = tokenize(shorten(folded).decode("utf-8", "surrogateescape"))
        if tokens is None:
            if ASKS.match(folded):
                return ASKING
            self.counters.not_understood += 1
            return Plan(Target.PRIMARY, "has bytes that are not understood", effects=_traces(folded))
        digest = render(tokens)
        plan = self._digests.get(digest)
        if plan is None:
            plan = self._judge(digest)
            self._digests.put(digest, plan)
        return plan

    def _judge(self, digest: str) -> Plan:
        """Make the plan of *digest* from nothing but its text."""
        self.counters.misses += 1
        tokens = tokenize(digest)
        if tokens is None:
            if ASKS.match(digest.encode("utf-8", "surrogateescape")):
                return ASKING
            self.counters.not_understood += 1
            return Plan(Target.PRIMARY, "has bytes that are not understood", digest=digest[:_DIGEST_LIMIT])
        code = [token for token in tokens if token.kind != HINT]
        hint = hints.read([token.text[3:-2] for token in tokens if token.kind == HINT])
        verdict = judge(code, self._dialect, self._routines)
        self.counters.unknown += verdict.unknown
        if is_connection_id(code) and verdict.target is Target.PRIMARY:
            verdict = Verdict(Target.LOCAL, "CONNECTION_ID() is the router's", verdict.effects)
        if hint is not None and hint.target == "replica":
            verdict = _settled(verdict)
        if verdict.target is Target.REPLICA and (why := disagreement(digest)):
            self.counters.disagreements += 1
            verdict = Verdict(Target.PRIMARY, f"two readings of it disagree: {why}", verdict.effects)
        shown = digest[:_DIGEST_LIMIT]
        if shown in self._writes and verdict.target is Target.REPLICA:
            verdict = replace(
                verdict,
                target=Target.PRIMARY,
                reason="a server has refused it as a write",
                effects=verdict.effects | plans.MAY_WRITE,
            )
        if hint is not None and hint.target == "primary" and verdict.target is Target.REPLICA:
            verdict = replace(verdict, target=Target.PRIMARY, reason="a hint asks for the primary")
        effects = verdict.effects | (lock_call(code) if verdict.effects & _LOCKS else 0)
        names = names_of(code, effects)
        return Plan(
            verdict.target,
            verdict.reason,
            digest=shown,
            effects=effects,
            hint=hint,
            names=names,
            asks=diagnostics.asked(code),
            leaves=diagnostics.left(code, self._dialect),
        )

    def _careful_effects(self, sql: bytes) -> int:
        """Return the effects of a text whose literals can't be told: a pin where more may hide."""
        folded = self._digester.fold(sql)
        seen = self._plan_of_folded(folded).effects if folded is not None else 0
        return seen | _traces(sql)

    def _head_digest(self, sql: bytes) -> str:
        shape = self._digester.shape(sql[:_READ_HEAD])
        return " ".join(shape.decode("utf-8", "replace").split())[:_DIGEST_LIMIT] + " ..."


def _settled(verdict: Verdict) -> Verdict:
    """Return *verdict* after the hint `replica`, which settles what was unsure and nothing else."""
    if verdict.unsure:
        return replace(verdict, target=Target.REPLICA, reason="a hint says that it reads", unsure=False)
    if verdict.target is Target.PRIMARY and verdict.effects & plans.WRITES:
        return replace(verdict, reason=f"{verdict.reason}: no hint makes a read of it")
    return verdict


def _traces(sql: bytes) -> int:
    """Return a pin where a text that was not read in full shows traces of state that no tracker tells."""
    return plans.CONNECTION_STATE if _TRACES.search(sql.lower()) else 0
