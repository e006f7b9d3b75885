"""From the tokens of a packet to one verdict: where all that is in it may run, what it leaves behind, and why.

`judge` tries both readings of executable comments, splits at semicolons, and has each statement judged by its kind
(`kinds.py`).
"""

from collections.abc import Sequence
from itertools import product
from typing import Final

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.features import Routines
from rwrouter.sql.kinds import judge_one
from rwrouter.sql.plans import Target
from rwrouter.sql.tokens import CLOSER, HINT, OPENER, OPTIMIZER, WORD, Token
from rwrouter.sql.verdicts import ASKS, EMPTY, Verdict, most_careful

_READINGS: Final = 3  # executable comments in a statement, at most, of which both readings are tried


def judge(tokens: Sequence[Token], flavor: Flavor, routines: Routines) -> Verdict:
    """Return the verdict on all that one packet holds."""
    code = [token for token in tokens if token.kind not in {HINT, OPTIMIZER}]
    openers = sum(token.kind == OPENER for token in code)
    if not openers:
        return _judge_reading(code, flavor, routines)
    if openers > _READINGS:
        verdict = _judge_reading(_reading(code, (True,) * openers), flavor, routines)
        if verdict is ASKS:
            return verdict
        return Verdict(Target.PRIMARY, f"holds {openers} executable comments", verdict.effects)
    # Whether a server runs the body of `/*!80000 ... */` depends on its version: each combination counts.
    return most_careful(
        [
            _judge_reading(_reading(code, taken), flavor, routines)
            for taken in product((True, False), repeat=openers)
        ]
    )


def _reading(tokens: Sequence[Token], taken: Sequence[bool]) -> list[Token]:
    """Return *tokens* with the bodies of those executable comments that are *taken*."""
    kept: list[Token] = []
    index, inside = -1, False
    for token in tokens:
        if token.kind == OPENER:
            index, inside = index + 1, True
        elif token.kind == CLOSER:
            inside = False
        elif not inside or taken[index]:
            kept.append(token)
    return kept


def _judge_reading(tokens: Sequence[Token], flavor: Flavor, routines: Routines) -> Verdict:
    if _is_compound(tokens):
        return Verdict(Target.PRIMARY, "defines a routine", plans.WRITES)
    statements = _split(tokens)
    if not statements:
        return EMPTY
    if len(statements) == 1:
        return judge_one(statements[0], flavor, routines)
    effects = plans.SEVERAL_STATEMENTS | plans.SEVERAL_RESULTS
    for statement in statements:
        verdict = judge_one(statement, flavor, routines)
        if verdict is ASKS:
            return verdict  # refused by the router: it stands alone
        done = verdict.effects
        if done & plans.ENDS:
            effects &= ~(plans.BEGINS | plans.BEGINS_READ_ONLY)
        effects |= done
    return Verdict(Target.PRIMARY, "several statements go to the primary, together", effects)


def _split(tokens: Sequence[Token]) -> list[list[Token]]:
    statements: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == ";":
            statements.append([])
        else:
            statements[-1].append(token)
    return [statement for statement in statements if statement]


_ROUTINES: Final = frozenset({"procedure", "function", "trigger", "event", "package"})
_DEFINERS: Final = frozenset(
    {"table", "view", "user", "role", "database", "schema", "index", "server", "tablespace"}
)


def _is_compound(tokens: Sequence[Token]) -> bool:
    """Whether this is CREATE or ALTER of something with a body, in which semicolons divide nothing."""
    words = [token.lower for token in tokens[:64] if token.kind == WORD]
    if not words or words[0] not in {"create", "alter"}:
        return False
    for word in words[1:]:
        if word in _DEFINERS:
            return False
        if word in _ROUTINES:
            return True
    return False


def is_connection_id(tokens: Sequence[Token]) -> bool:
    """Whether this is SELECT CONNECTION_ID(), with or without an alias, and nothing else."""
    words = [token.lower for token in tokens if token.text != ";"]
    if words[:4] != ["select", "connection_id", "(", ")"] or tokens[1].kind != WORD:
        return False
    rest = words[4:]
    return len(rest) <= 1 or (len(rest) == 2 and rest[0] == "as")
