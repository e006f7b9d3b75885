"""SHOW: which of its many forms speak of the data, of one server, of the session or the past."""

from collections.abc import Sequence
from typing import Final

from rwrouter.sql.plans import Target
from rwrouter.sql.tokens import Token

_MODIFIERS: Final = frozenset({"full", "extended", "global", "session", "local"})
# From the data dictionary, which is replicated.
_REPLICATED: Final = frozenset(
    {"tables", "databases", "schemas", "columns", "fields", "index", "indexes", "keys", "triggers", "events"}
    | {"charset", "collation"}
)
_REPLICATED_PAIRS: Final = frozenset(
    {("table", "status"), ("procedure", "status"), ("function", "status"), ("character", "set")}
    | {("package", "status")}
)
_CREATE: Final = frozenset(
    {
        "table",
        "view",
        "database",
        "schema",
        "procedure",
        "function",
        "trigger",
        "event",
        "sequence",
        "package",
    }
)
_OF_LAST_STATEMENT: Final = frozenset({"warnings", "errors", "count", "profile", "profiles"})


def target_of_show(tokens: Sequence[Token]) -> tuple[Target, str]:
    """Return where a SHOW goes and why, its *tokens* without the word SHOW."""
    words = [token.lower for token in tokens]
    modifiers = set()
    while words and words[0] in _MODIFIERS:
        modifiers.add(words.pop(0))
    first, second = (words[0] if words else ""), (words[1] if len(words) > 1 else "")
    if first == "processlist" and len(words) == 1 and modifiers <= {"full"}:
        return Target.LOCAL, "the process list shows the router's ids, which KILL takes"
    if first in _OF_LAST_STATEMENT:
        return Target.SAME, "speaks of the statements before"
    if first == "status" and "global" not in modifiers:
        return Target.SAME, "shows the counters of this connection"
    if (
        first in _REPLICATED
        or (first, second) in _REPLICATED_PAIRS
        or (first == "create" and second in _CREATE)
    ):
        return Target.REPLICA, "reads the data dictionary"
    return Target.PRIMARY, f"SHOW {' '.join([*sorted(modifiers), first])[:64].upper()} describes one server"


def shows_variables(tokens: Sequence[Token]) -> bool:
    """Tell whether a SHOW, its *tokens* without that word, lists the session's system variables."""
    words = [token.lower for token in tokens[:2]]
    return words[:1] == ["variables"] or (
        words[:1] in (["session"], ["local"]) and words[1:] == ["variables"]
    )
