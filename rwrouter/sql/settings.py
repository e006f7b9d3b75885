"""SET in all its forms: what it leaves in the session.

A list of assignments is as bad as its worst item: `SET @x = 1, autocommit = 0` hides the second behind the
first.
"""

from collections.abc import Sequence

from rwrouter.sql import plans, variables
from rwrouter.sql.tokens import SYSTEM, USER, WORD, Token


def effects_of_set(tokens: Sequence[Token]) -> int:
    """Return the effects of a SET, *tokens* without the word SET."""
    first = tokens[0].lower if tokens and tokens[0].kind == WORD else ""
    second = tokens[1].lower if len(tokens) > 1 else ""
    if first == "password":
        return plans.ACCOUNTS | plans.WRITES
    if first == "default" and second == "role":
        return plans.ACCOUNTS | plans.WRITES
    if first == "role":
        return plans.ROLE
    if first == "resource" and second == "group":
        return 0  # how the primary runs the thread: it changes no answer
    if first == "transaction":
        return plans.NEXT_TRANSACTION
    if first in variables.SCOPES and second == "transaction":
        return 0 if first == "global" else plans.SETS_VARIABLE
    effects = 0
    for item in _items(tokens):
        effects |= _effects_of_item(item)
    return effects


def _items(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split at the commas that stand in no parenthesis."""
    items: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            items.append([])
        else:
            items[-1].append(token)
    return items


def _effects_of_item(item: list[Token]) -> int:
    if not item:
        return plans.SETS_VARIABLE
    if item[0].kind == USER:
        return plans.USER_VARIABLE
    path: list[str] = []
    for token in item:
        if token.text in {"=", ":="}:
            break
        if token.text != ".":
            path.append(token.lower[2:] if token.kind == SYSTEM else token.lower)
    if path and path[0] in variables.GLOBAL_SCOPES and len(path) > 1:
        return 0
    name = path[-1] if path else ""
    if name.startswith(variables.TRACKERS):
        return plans.TRACKERS
    if name == "timestamp":
        return plans.SYSTEM_TIME if item[-1].lower == "default" else plans.NEXT_STATEMENT
    if name == "insert_id":
        return plans.NEXT_STATEMENT
    if name in variables.OF_LAST_INSERT:
        return plans.SETS_INSERT_ID
    if name in variables.CONNECTION_STATE:
        return plans.CONNECTION_STATE
    return plans.SETS_VARIABLE
