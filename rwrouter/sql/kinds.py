"""The kinds of statements, by their first word: one function judges each. What is on no list goes to the primary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.features import Features, Routines, walk
from rwrouter.sql.plans import Target
from rwrouter.sql.settings import effects_of_set
from rwrouter.sql.shows import shows_variables, target_of_show
from rwrouter.sql.tokens import LITERAL, NAME, WORD, Token
from rwrouter.sql.verdicts import ASKS, Verdict


def judge_one(tokens: Sequence[Token], flavor: Flavor, routines: Routines) -> Verdict:
    """Return the verdict on one statement, without executable comments, hints and semicolons."""
    start = 0
    while start < len(tokens) and tokens[start].text == "(":
        start += 1
    if start == len(tokens) or tokens[start].kind != WORD:
        return Verdict(Target.PRIMARY, "does not begin with a word", unknown=True)
    word = tokens[start].lower
    if word == "rwrouter":
        return ASKS
    if word in _QUERIES:
        return _judge_query(walk(tokens, flavor, routines))
    kind = _KINDS.get(word) if start == 0 else None
    if kind is None:
        return Verdict(Target.PRIMARY, f"begins with {word[:32].upper()}, an unknown word", unknown=True)
    return kind(_Statement(tokens, flavor, routines))


_QUERIES: Final = frozenset({"select", "table", "values", "with"})


def _judge_query(found: Features, reason: str = "reads") -> Verdict:
    if found.primary:
        return Verdict(Target.PRIMARY, found.primary, found.effects | found.may_replace)
    if found.unsure:
        return Verdict(Target.PRIMARY, found.unsure, found.effects | found.may_replace, unsure=not found.same)
    if found.same:
        return Verdict(Target.SAME, found.same, found.effects)
    return Verdict(Target.REPLICA, reason, found.effects)


@dataclass(frozen=True, slots=True)
class _Statement:
    """One statement, its first word known."""

    tokens: Sequence[Token]
    flavor: Flavor
    routines: Routines

    @property
    def words(self) -> list[str]:
        """All tokens in lower case."""
        return [token.lower for token in self.tokens]

    def features(self) -> Features:
        """Return what is in it."""
        return walk(self.tokens, self.flavor, self.routines)

    def inner(self, start: int) -> Verdict:
        """Return the verdict on the statement that begins at token *start*."""
        return judge_one(self.tokens[start:], self.flavor, self.routines)

    def word(self, index: int) -> str:
        """Return the token at *index* in lower case, "" past the end."""
        return self.tokens[index].lower if index < len(self.tokens) else ""


def _primary(reason: str, effects: int = 0) -> Callable[[_Statement], Verdict]:
    return lambda _: Verdict(Target.PRIMARY, reason, effects)


def _same(reason: str, effects: int = 0) -> Callable[[_Statement], Verdict]:
    return lambda _: Verdict(Target.SAME, reason, effects)


# What of a statement's features is an effect on the session when the statement itself is no read.
_LASTING: Final = (
    plans.USER_VARIABLE
    | plans.NAMED_LOCK
    | plans.RELEASES_LOCK
    | plans.LAST_INSERT_ID
    | plans.CONNECTION_ID
    | plans.READS_USER_VARIABLE
    | plans.MAY_WRITE
    | plans.SETS_INSERT_ID
    | plans.CALLS_FUNCTION
    | plans.READS_TRACKERS
)


_UNSEEN: Final = plans.MAY_WRITE | plans.SEVERAL_RESULTS | plans.RUNS_UNSEEN


def _lasting(statement: _Statement) -> int:
    found = statement.features()
    return (found.effects | found.may_replace) & _LASTING


def _write(statement: _Statement) -> Verdict:
    return Verdict(Target.PRIMARY, "writes", plans.WRITES | _lasting(statement))


def _definition(statement: _Statement) -> Verdict:
    """CREATE, ALTER, DROP, RENAME of anything without a body."""
    words = statement.words
    verb, rest = words[0], [word for word in words[1:6] if word not in {"or", "replace"}]
    first = rest[0] if rest else ""
    if first == "temporary":
        if verb == "drop":
            return Verdict(Target.PRIMARY, "drops a temporary table", plans.DROPS_TABLE)
        return Verdict(
            Target.PRIMARY,
            "makes a temporary table",
            plans.TEMPORARY_TABLE | plans.WRITES | _lasting(statement),
        )
    effects = plans.WRITES
    if verb == "drop" and first == "prepare":
        return Verdict(Target.PRIMARY, "forgets a prepared statement", plans.DEALLOCATES)
    if first in {"user", "role"}:
        return Verdict(Target.PRIMARY, "changes accounts", effects | plans.ACCOUNTS)
    if verb == "drop" and first in {"table", "tables"}:
        effects |= plans.DROPS_TABLE
    if verb == "rename" or "rename" in words:
        effects |= plans.RENAMES_TABLE
    return Verdict(
        Target.PRIMARY, "defines data", effects | (_lasting(statement) & ~plans.READS_USER_VARIABLE)
    )


def _set(statement: _Statement) -> Verdict:
    if statement.flavor is Flavor.MARIADB and statement.word(1) == "statement":
        return _set_statement(statement)
    lasting = _lasting(statement) & ~(plans.READS_USER_VARIABLE | plans.USER_VARIABLE)
    return Verdict(Target.PRIMARY, "sets variables", effects_of_set(statement.tokens[1:]) | lasting)


def _set_statement(statement: _Statement) -> Verdict:
    """Judge MariaDB's SET STATEMENT name = value, ... FOR statement: the inner one decides."""
    depth = 0
    for index, token in enumerate(statement.tokens):
        depth += (token.text == "(") - (token.text == ")")
        if token.kind == WORD and token.lower == "for" and depth == 0:
            inner = statement.inner(index + 1)
            head = walk(statement.tokens[2:index], statement.flavor, statement.routines)
            effects = inner.effects | plans.OWN_VARIABLES
            if inner.target is Target.REPLICA and not (head.primary or head.same or head.unsure):
                return replace(inner, effects=effects)
            target = Target.PRIMARY if inner.target is not Target.SAME else Target.SAME
            return Verdict(target, inner.reason, effects | ((head.effects | head.may_replace) & _LASTING))
    return Verdict(Target.PRIMARY, "SET STATEMENT without FOR")


def _show(statement: _Statement) -> Verdict:
    target, reason = target_of_show(statement.tokens[1:])
    if statement.word(1) == "create":
        return Verdict(target, reason)
    found = walk(statement.tokens[2:], statement.flavor, statement.routines)
    if target is Target.REPLICA and (found.primary or found.unsure or found.same):
        return Verdict(
            Target.PRIMARY, found.primary or found.unsure or found.same, found.effects | found.may_replace
        )
    effects = plans.READS_TRACKERS if shows_variables(statement.tokens[1:]) else 0
    return Verdict(target, reason, effects | (found.effects & _LASTING))


def _explain(statement: _Statement) -> Verdict:
    """EXPLAIN, DESCRIBE and DESC, of a table or of a statement."""
    words, index, analyze = statement.words, 1, False
    while index < len(words):
        if words[index] in {"extended", "partitions"}:
            index += 1
        elif words[index] == "analyze":
            analyze, index = True, index + 1
        elif words[index] == "format" and words[index + 1 : index + 2] == ["="]:
            index += 3
        else:
            break
    rest = statement.tokens[index:]
    if not rest:
        return Verdict(Target.PRIMARY, "explains nothing")
    inner = rest[0].lower if rest[0].kind == WORD else ""
    if inner in _QUERIES or rest[0].text == "(":
        verdict = statement.inner(index)
        if verdict.target is Target.REPLICA:
            return Verdict(Target.REPLICA, "explains a read", verdict.effects & _LASTING)
        return Verdict(
            Target.PRIMARY, f"explains what {verdict.reason}", verdict.effects & _LASTING, verdict.unsure
        )
    if inner in {"insert", "update", "delete", "replace", "into", "for"}:
        effects = walk(rest, statement.flavor, statement.routines).effects & _LASTING
        return Verdict(
            Target.PRIMARY, "explains what is no read", effects | (plans.MAY_WRITE if analyze else 0)
        )
    if all(token.kind in {WORD, NAME, LITERAL} or token.text == "." for token in rest) and len(rest) < 7:
        found = walk(rest, statement.flavor, statement.routines)
        if not found.primary:
            return Verdict(Target.REPLICA, "describes a table")
        return Verdict(Target.PRIMARY, found.primary)
    return Verdict(Target.PRIMARY, "explains what is not understood")


def _analyze(statement: _Statement) -> Verdict:
    """ANALYZE TABLE; in MariaDB also ANALYZE of a statement, which it runs."""
    index = 4 if statement.words[1:3] == ["format", "="] else 1
    runs = statement.word(index) in _QUERIES | {"("} and statement.words[1:2] != ["table"]
    if statement.flavor is Flavor.MARIADB and runs:
        verdict = statement.inner(index)
        reason = "runs and explains a read" if verdict.target is Target.REPLICA else verdict.reason
        return Verdict(verdict.target, reason, verdict.effects, verdict.unsure)
    return _write(statement)


def _start(statement: _Statement) -> Verdict:
    words = statement.words
    if words[1:2] != ["transaction"]:
        return Verdict(Target.PRIMARY, "administers a server")
    modes = " ".join(words[2:])
    if modes in {"read only", "with consistent snapshot , read only", "read only , with consistent snapshot"}:
        return Verdict(Target.REPLICA, "begins a transaction that only reads", plans.BEGINS_READ_ONLY)
    return Verdict(Target.PRIMARY, "begins a transaction", plans.BEGINS)


def _begin(statement: _Statement) -> Verdict:
    if statement.words in (["begin"], ["begin", "work"]):
        return Verdict(Target.PRIMARY, "begins a transaction", plans.BEGINS)
    return Verdict(Target.PRIMARY, "is a compound statement", _UNSEEN)


def _end(statement: _Statement) -> Verdict:
    words = statement.words
    if "to" in words:
        return Verdict(Target.SAME, "belongs to the open transaction")
    if "chain" in words and "no" not in words:
        return Verdict(Target.SAME, "ends the transaction and begins another", plans.ENDS | plans.BEGINS)
    return Verdict(Target.SAME, "ends the transaction", plans.ENDS)


def _xa(statement: _Statement) -> Verdict:
    verb = statement.word(1)
    if verb in {"prepare", "commit", "rollback"}:
        return Verdict(Target.PRIMARY, "ends an XA branch's tie to its connection", plans.XA_ENDS)
    if verb == "recover":
        return Verdict(Target.PRIMARY, "XA branches live on the primary")
    return Verdict(Target.PRIMARY, "opens an XA branch", plans.XA_BEGINS)


def _lock(statement: _Statement) -> Verdict:
    if statement.word(1) == "instance":
        return Verdict(Target.PRIMARY, "locks the instance for a backup", plans.LOCKS_INSTANCE)
    return Verdict(Target.PRIMARY, "locks tables", plans.LOCKS_TABLES)


def _unlock(statement: _Statement) -> Verdict:
    if statement.word(1) == "instance":
        return Verdict(Target.PRIMARY, "unlocks the instance", plans.UNLOCKS_INSTANCE)
    return Verdict(Target.PRIMARY, "unlocks tables", plans.UNLOCKS_TABLES)


def _backup(statement: _Statement) -> Verdict:
    if statement.word(1) == "unlock":
        return Verdict(Target.PRIMARY, "ends a backup's lock", plans.UNLOCKS_INSTANCE)
    if statement.word(1) == "lock":
        return Verdict(Target.PRIMARY, "locks for a backup", plans.LOCKS_INSTANCE)
    if statement.words[1:3] == ["stage", "end"]:
        return Verdict(Target.PRIMARY, "ends a backup", plans.ENDS_BACKUP)
    return Verdict(Target.PRIMARY, "locks for a backup", plans.BACKUP_STAGE)


def _flush(statement: _Statement) -> Verdict:
    words = statement.words
    if "lock" in words or "export" in words:
        return Verdict(Target.PRIMARY, "locks tables", plans.LOCKS_TABLES)
    if "privileges" in words:
        return Verdict(Target.PRIMARY, "reads the accounts again", plans.ACCOUNTS)
    return Verdict(Target.PRIMARY, "flushes caches of one server")


def _execute(statement: _Statement) -> Verdict:
    if statement.word(1) == "immediate":
        return Verdict(Target.PRIMARY, "runs a text that is not known", _UNSEEN)
    return Verdict(Target.PRIMARY, "runs a statement that is prepared there", _UNSEEN)


def _handler(statement: _Statement) -> Verdict:
    words = statement.words
    if "open" in words[2:5]:
        return Verdict(Target.PRIMARY, "opens a HANDLER", plans.HANDLER_OPENS)
    if words[-1] == "close":
        return Verdict(Target.PRIMARY, "closes a HANDLER", plans.HANDLER_CLOSES)
    return Verdict(Target.PRIMARY, "reads an open HANDLER")


def _diagnostics(_: _Statement) -> Verdict:
    return Verdict(Target.SAME, "speaks of the statement before", plans.USER_VARIABLE)


def _call(statement: _Statement) -> Verdict:
    lasting = _lasting(statement) | (plans.USER_VARIABLE if "@" in "".join(statement.words) else 0)
    return Verdict(Target.PRIMARY, "calls a procedure", _UNSEEN | lasting)


def _do(statement: _Statement) -> Verdict:
    found = statement.features()
    effects = (found.effects | found.may_replace) & (_LASTING | plans.WRITES | plans.SETS_INSERT_ID)
    return Verdict(Target.PRIMARY, "DO gains nothing elsewhere", effects)


def _harmless(reason: str) -> Callable[[_Statement], Verdict]:
    """Return what judges a statement that reads, unless something in it does not."""

    def judge_it(statement: _Statement) -> Verdict:
        found = statement.features()
        return _judge_query(found, reason)

    return judge_it


_ADMINISTERS: Final = _primary("administers a server")
_COMPOUND: Final = _primary("is a compound statement", _UNSEEN)
_ACCOUNTS: Final = _primary("changes accounts", plans.ACCOUNTS | plans.WRITES)

_KINDS: Final[dict[str, Callable[[_Statement], Verdict]]] = {
    **dict.fromkeys(("insert", "update", "delete", "replace", "load", "truncate", "import"), _write),
    **dict.fromkeys(("optimize", "repair", "check"), _write),
    **dict.fromkeys(("create", "alter", "drop", "rename"), _definition),
    **dict.fromkeys(("grant", "revoke"), _ACCOUNTS),
    **dict.fromkeys(("if", "while", "loop", "repeat", "case", "for", "declare"), _COMPOUND),
    **dict.fromkeys(
        ("shutdown", "restart", "clone", "install", "uninstall", "change", "stop", "reset", "purge", "cache"),
        _ADMINISTERS,
    ),
    **dict.fromkeys(("explain", "describe", "desc"), _explain),
    **dict.fromkeys(("commit", "rollback"), _end),
    **dict.fromkeys(("savepoint", "release"), _same("belongs to the open transaction")),
    **dict.fromkeys(("signal", "resignal"), _same("speaks of the statement before")),
    "get": _diagnostics,
    "analyze": _analyze,
    "backup": _backup,
    "begin": _begin,
    "binlog": _primary("needs the event before it", plans.CONNECTION_STATE),
    "call": _call,
    "checksum": _harmless("reads tables"),
    "deallocate": _primary("forgets a prepared statement", plans.DEALLOCATES),
    "do": _do,
    "execute": _execute,
    "flush": _flush,
    "handler": _handler,
    "help": _harmless("reads the help tables"),
    "kill": lambda _: Verdict(Target.LOCAL, "KILL takes the router's ids", plans.KILLS),
    "lock": _lock,
    "prepare": _primary("prepares a statement on this connection", plans.PREPARES),
    "rwrouter": lambda _: Verdict(Target.LOCAL, "is asked of the router itself"),
    "set": _set,
    "show": _show,
    "start": _start,
    "unlock": _unlock,
    "use": _primary("changes the schema", plans.SCHEMA),
    "xa": _xa,
}
