"""What is in a statement, wherever in it: functions, variables, locks, tables of one server.

`walk` reads each token of one statement once. It asks nothing about the statement's kind: the same features
that keep a SELECT on the primary are the effects that an INSERT has. "An identifier in quotes is never a
keyword", "after a dot a word is a name" and "a word before a parenthesis may be a function" are the rules
that it stands on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rwrouter.model import Flavor
from rwrouter.sql import functions, plans, variables
from rwrouter.sql.tokens import LITERAL, NAME, OPTIMIZER, SYSTEM, USER, WORD, Token
from rwrouter.sql.words import (
    BEFORE_PARENTHESIS,
    NO_BLANK_BEFORE_PARENTHESIS,
    NOT_IN_READS,
    SUSPICIOUS,
    words_of,
)

# Tables that describe one server, by schema.
_SERVER_SCHEMAS: Final = {
    "performance_schema": "performance_schema describes one server",
    "sys": "sys describes one server",
    "mysql": "administrators expect the primary's system tables",
}
# Views of information_schema whose rows come from the data dictionary, which is replicated.
_REPLICATED_VIEWS: Final = words_of(
    """
    administrable_role_authorizations applicable_roles character_sets check_constraints
    collation_character_set_applicability collations columns columns_extensions enabled_roles events
    key_column_usage keywords parameters partitions referential_constraints routines schemata
    schemata_extensions sequences st_geometry_columns st_spatial_reference_systems st_units_of_measure
    statistics table_constraints table_constraints_extensions tables tables_extensions tablespaces
    triggers view_routine_usage view_table_usage views
    """
)


@dataclass(slots=True)
class Features:
    """What `walk` found. The reasons are "" where there is none; each is the first of its kind."""

    effects: int = 0
    primary: str = ""  # why no replica may run it
    same: str = ""  # why it speaks of the statement before
    unsure: str = ""  # a function that is on no list: a hint may say that it reads
    may_replace: int = 0  # effects that go with *unsure*

    def needs_primary(self, reason: str, effects: int = 0) -> None:
        """Note a reason; the first one is kept."""
        self.primary = self.primary or reason
        self.effects |= effects

    def needs_same(self, reason: str, effects: int = 0) -> None:
        """Note that it must run where the statement before ran."""
        self.same = self.same or reason
        self.effects |= effects


@dataclass(frozen=True, slots=True)
class Routines:
    """Stored functions that only read, "schema.function" in lower case."""

    reading: frozenset[str] = frozenset()

    def reads(self, name: str) -> bool:
        """Whether *name*, with its schema, is declared NO SQL or READS SQL DATA."""
        return "?" not in name and name in self.reading


def walk(tokens: Sequence[Token], flavor: Flavor, routines: Routines) -> Features:
    """Return the features of one statement's *tokens*, which hold no executable comment any more."""
    found = Features()
    lists = _name_lists(tokens)
    substrings: list[bool] = []  # per open parenthesis: whether it is SUBSTRING's, in which FOR is harmless
    for index, token in enumerate(tokens):
        text = token.lower
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.text == "(":
            substrings.append(before is not None and before.lower in {"substring", "substr", "mid", "trim"})
            if before is not None and before.kind == LITERAL:
                found.needs_primary("a name that begins with a digit is called as a function")
            elif before is not None and before.kind in {WORD, NAME} and index not in lists:
                _called(tokens, index, found, flavor, routines)
        elif token.text == ")":
            if substrings:
                substrings.pop()
        elif token.kind == USER:
            _user_variable(found, after)
        elif token.kind == SYSTEM:
            _system_variable(tokens, index, found)
        elif token.kind == OPTIMIZER:
            continue
        elif token.kind in {WORD, NAME}:
            dotted = before is not None and before.text == "."
            if after is not None and after.text == "." and not dotted:
                _qualifier(tokens, index, found)
            if dotted and flavor is Flavor.MARIADB and text in {"nextval", "currval"}:
                if text == "nextval":
                    found.needs_primary("moves a sequence", plans.WRITES)
                else:
                    found.needs_same("reads what this connection took from a sequence", plans.LAST_INSERT_ID)
            if token.kind == WORD and not dotted:
                _keyword(tokens, index, found, flavor, in_substring=bool(substrings) and substrings[-1])
        elif token.text == ":=" and (before is None or before.kind != USER):
            found.needs_primary("assigns to a variable", plans.USER_VARIABLE)
    return found


def _name_lists(tokens: Sequence[Token]) -> set[int]:
    """Return where a parenthesis opens a list of column names: `AS t (a, b)`, `t (a) AS (`."""
    lists: set[int] = set()
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.text == "(":
            opened.append(index)
            if index > 1 and _is_word(tokens, index - 2, {"as"}):
                lists.add(index)
        elif token.text == ")" and opened:
            start = opened.pop()
            if (
                _is_word(tokens, index + 1, {"as"})
                and index + 2 < len(tokens)
                and tokens[index + 2].text == "("
            ):
                lists.add(start)
    return lists


def _is_word(tokens: Sequence[Token], index: int, words: set[str]) -> bool:
    """Whether the token at *index* is one of *words* as a keyword: not in quotes, not after a dot."""
    if not 0 <= index < len(tokens):
        return False
    token = tokens[index]
    return token.kind == WORD and token.lower in words and (index == 0 or tokens[index - 1].text != ".")


def _called(
    tokens: Sequence[Token], opening: int, found: Features, flavor: Flavor, routines: Routines
) -> None:
    """Judge the word before the parenthesis at *opening*."""
    token = tokens[opening - 1]
    name = token.lower
    if opening > 1 and tokens[opening - 2].text == ".":
        schema = tokens[opening - 3].lower if opening > 2 else ""
        found.effects |= plans.CALLS_FUNCTION
        if not routines.reads(f"{schema}.{name}"):
            _unsure(found, f"{schema}.{name}")
        return
    special = functions.SPECIAL.get(name) if name != "lastval" or flavor is Flavor.MARIADB else None
    if special is not None:
        if name == "last_insert_id" and opening + 1 < len(tokens) and tokens[opening + 1].text != ")":
            found.needs_primary("LAST_INSERT_ID() with an argument sets the value", plans.SETS_INSERT_ID)
        elif special.same:
            found.needs_same(special.reason, special.effects)
        else:
            found.needs_primary(special.reason, special.effects)
        return
    if token.kind == WORD:
        if name in BEFORE_PARENTHESIS or _is_clause(tokens, opening - 1, flavor):
            return
        is_exact = tokens[opening].glued or name not in NO_BLANK_BEFORE_PARENTHESIS[flavor]
        if name in functions.READS[flavor] and is_exact:
            return
    _unsure(found, name)


def _is_clause(tokens: Sequence[Token], index: int, flavor: Flavor) -> bool:
    """Whether the word at *index* is syntax for what stands before it; elsewhere it may name a function."""
    word, before = tokens[index].lower, tokens[index - 1] if index else None
    if word == "against":
        return before is not None and before.text == ")"
    if word == "columns":
        return before is not None and before.kind == LITERAL
    if word == "of":  # the operator: 17 MEMBER OF('[17]')
        return flavor is Flavor.MYSQL and index > 1 and _is_word(tokens, index - 1, {"member"})
    return word == "lateral" and flavor is Flavor.MYSQL


def _unsure(found: Features, name: str) -> None:
    found.unsure = found.unsure or f"the function {name[:64]}() may write"
    found.may_replace |= plans.MAY_WRITE
    found.effects |= plans.CALLS_FUNCTION


def _user_variable(found: Features, after: Token | None) -> None:
    if after is not None and after.text == ":=":
        found.needs_primary("assigns to a user variable", plans.USER_VARIABLE)
    else:
        found.needs_primary("reads a user variable", plans.READS_USER_VARIABLE)


def _system_variable(tokens: Sequence[Token], index: int, found: Features) -> None:
    path = [tokens[index].lower[2:]]
    while index + 2 < len(tokens) and tokens[index + 1].text == "." and len(path) < 4:
        path.append(tokens[index + 2].lower)
        index += 2
    name = path[-1]
    scope = path[0] if len(path) > 1 else ""
    if index + 1 < len(tokens) and tokens[index + 1].text == ":=":
        found.needs_primary("assigns to a system variable", plans.SETS_VARIABLE)
    if name in variables.IDENTITY:
        return
    if name in variables.OF_LAST_STATEMENT:
        found.needs_same(f"@@{name} speaks of the statement before")
    elif name in variables.OF_LAST_INSERT:
        found.needs_same("reads the last insert id of the session", plans.LAST_INSERT_ID)
    elif name == "pseudo_thread_id":
        found.needs_primary("mentions the connection's id", plans.CONNECTION_ID)
    elif name.startswith(variables.TRACKERS) and scope not in variables.GLOBAL_SCOPES:
        found.needs_primary(f"@@{name[:64]} is the client's own", plans.READS_TRACKERS)
    elif name not in variables.SESSION or scope == "global":
        found.needs_primary(f"@@{'.'.join(path)[:64]} describes one server")


def _qualifier(tokens: Sequence[Token], index: int, found: Features) -> None:
    """Judge the first name of `a.b`: it may be a schema."""
    schema = tokens[index].lower
    reason = _SERVER_SCHEMAS.get(schema)
    is_call = index + 3 < len(tokens) and tokens[index + 3].text == "("
    if index + 2 < len(tokens) and tokens[index + 2].lower in variables.LISTS:
        found.effects |= plans.READS_TRACKERS
    if reason and not is_call:
        found.needs_primary(reason)
    elif schema == "information_schema" and index + 2 < len(tokens):
        view = tokens[index + 2].lower
        if view not in _REPLICATED_VIEWS:
            found.needs_primary(f"information_schema.{view[:64]} describes one server")


def _keyword(
    tokens: Sequence[Token], index: int, found: Features, flavor: Flavor, *, in_substring: bool
) -> None:
    """Judge a word that may be a keyword."""
    word = tokens[index].lower
    called = index + 1 < len(tokens) and tokens[index + 1].text == "("
    if word == "for":
        _for(tokens, index, found, flavor, in_substring=in_substring)
    elif word == "lock" and _is_word(tokens, index + 1, {"in"}):
        found.needs_primary("LOCK IN SHARE MODE locks rows")
    elif word == "into":
        if index + 1 < len(tokens) and tokens[index + 1].kind == USER:
            found.needs_primary("SELECT INTO sets a user variable", plans.USER_VARIABLE)
        else:
            found.needs_primary("INTO writes somewhere")
    elif word == "set":
        if not _is_word(tokens, index - 1, {"character", "char", "charset"}):
            found.needs_primary("the word SET has no place in a read")
    elif word in NOT_IN_READS:
        if not (called and word in functions.READS[flavor]):
            found.needs_primary(f"the word {word.upper()} has no place in a read")
    elif word == "returning" and flavor is Flavor.MARIADB:
        found.needs_primary("the word RETURNING has no place in a read")
    elif word == "sql_calc_found_rows":
        found.effects |= plans.FOUND_ROWS
    elif word in {"next", "previous"} and _is_word(tokens, index + 1, {"value"}):
        if word == "next":
            found.needs_primary("moves a sequence", plans.WRITES)
        else:
            found.needs_same("reads what this connection took from a sequence", plans.LAST_INSERT_ID)
    elif not word.isascii() and _hides_keyword(word):
        found.needs_primary("a byte that some character sets take for a blank stands beside a keyword")


def _hides_keyword(word: str) -> bool:
    pieces = "".join(char if char.isascii() else " " for char in word).split()
    return any(piece in SUSPICIOUS for piece in pieces)


def _for(tokens: Sequence[Token], index: int, found: Features, flavor: Flavor, *, in_substring: bool) -> None:
    if _is_word(tokens, index + 1, {"update", "share"}):
        found.needs_primary(f"FOR {tokens[index + 1].text.upper()} locks rows")
    elif (
        (flavor is Flavor.MARIADB and _is_word(tokens, index + 1, {"system_time"}))
        or (
            _is_word(tokens, index - 1, {"index", "key"})
            and _is_word(tokens, index + 1, {"join", "order", "group"})
        )
        or (_is_word(tokens, index - 1, {"value"}) and _is_word(tokens, index - 2, {"next", "previous"}))
    ):
        return
    elif not in_substring:
        found.needs_primary("a FOR of unknown meaning")
