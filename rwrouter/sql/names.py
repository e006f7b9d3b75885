"""Names of what a statement makes or ends in its session: user variables, temporary tables, prepared names, HANDLERs.

They are read from a digest's tokens, so a plan can carry them. UNKNOWN stands for a name that a digest does not keep
(literals in it are folded), and for all names where several statements, or executable comments, hide an order.
"""

from collections.abc import Sequence
from typing import Final

from rwrouter.sql import plans
from rwrouter.sql.tokens import NAME, OPENER, USER, WORD, Token

UNKNOWN: Final = "?"

_LOCK_CALLS: Final = frozenset({"get_lock", "release_lock", "release_all_locks"})
_BEFORE_TABLE: Final = frozenset({"create", "or", "replace", "temporary", "table", "tables", "drop"})
_TABLES: Final = plans.TEMPORARY_TABLE | plans.DROPS_TABLE
_NAMED: Final = _TABLES | plans.PREPARES | plans.DEALLOCATES | plans.HANDLER_OPENS | plans.HANDLER_CLOSES


def names_of(tokens: Sequence[Token], effects: int) -> tuple[str, ...]:
    """Return the names in one packet's *tokens* that its *effects* speak of; user variables with their "@"."""
    found = {token.lower if "?" not in token.lower else UNKNOWN for token in tokens if token.kind == USER}
    if effects & _NAMED:
        if any(token.kind == OPENER or token.text == ";" for token in tokens):
            found.add(UNKNOWN)
        elif effects & _TABLES:
            found |= _tables(tokens, one=bool(effects & plans.TEMPORARY_TABLE))
        else:
            found.add(_owned(tokens, effects))
    return tuple(sorted(found))


def _text(token: Token) -> str:
    """Return a name without its quotes, in its own case."""
    text = token.text[1:-1].replace("``", "`") if token.kind == NAME else token.text
    return UNKNOWN if token.kind not in {NAME, WORD} or "?" in text else text


def _tables(tokens: Sequence[Token], *, one: bool) -> set[str]:
    """Return the tables of CREATE TEMPORARY TABLE or DROP TABLE, with their schemas where they are given."""
    index = 0
    while index < len(tokens) and tokens[index].kind == WORD and tokens[index].lower in _BEFORE_TABLE:
        index += 1
    words = [token.lower for token in tokens[index : index + 3]]
    if words[:1] == ["if"]:
        index += 3 if words == ["if", "not", "exists"] else 2
    found: set[str] = set()
    while index < len(tokens):
        name = _text(tokens[index])
        if index + 2 < len(tokens) and tokens[index + 1].text == ".":
            name += "." + _text(tokens[index + 2])
            index += 2
        found.add(UNKNOWN if UNKNOWN in name else name)
        if one or index + 1 >= len(tokens) or tokens[index + 1].text != ",":
            break
        index += 2
    return found or {UNKNOWN}


def _owned(tokens: Sequence[Token], effects: int) -> str:
    """Return the name in PREPARE, DEALLOCATE PREPARE or HANDLER, which are compared without regard to case."""
    index = 1
    if effects & plans.DEALLOCATES:
        index = 2
    elif effects & plans.HANDLER_OPENS:  # HANDLER [schema.]table OPEN [[AS] alias]
        words = [token.lower for token in tokens]
        index = words.index("open") - 1 if words[-1] == "open" else len(tokens) - 1
    return _text(tokens[index]).lower() if index < len(tokens) else UNKNOWN


def lock_call(tokens: Sequence[Token]) -> int:
    """Return the effects of a statement that is one call of a function of named locks, and nothing else; else 0."""
    code = list(tokens)
    while code and code[-1].text == ";":
        code.pop()
    words = [token.lower for token in code]
    if len(words) < 4 or words[0] not in {"select", "do"} or words[1] not in _LOCK_CALLS or words[2] != "(":
        return 0
    depth, end = 0, 2
    for end in range(2, len(code)):
        depth += (code[end].text == "(") - (code[end].text == ")")
        if depth == 0:
            break
    rest = words[end + 1 :]
    if depth or any(word in _LOCK_CALLS for word in words[3:]):
        return 0
    if not (len(rest) <= 1 or (len(rest) == 2 and rest[0] == "as")):
        return 0
    if words[1] == "release_all_locks":
        return plans.RELEASES_ALL
    return plans.ONE_LOCK_CALL if words[0] == "select" else 0
