"""What programs of the differential test are made of: statements and commands, with small values that meet often.

Texts are in the files of `statements/`. In them `<k>` is a small key, `<n>` a number, `<t>` a piece of text, `<v>` any
literal, `<j>` 0 or 1. Nothing may differ between two servers with the same data: no clock, no name or address of a
server, no estimate of an optimizer, nothing that other sessions change.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from rwrouter.model import Flavor
from tests.differential.steps import (
    ChangeUser,
    Close,
    Command,
    Execute,
    Fetch,
    LongData,
    Prepare,
    Query,
    Reset,
    Step,
)

STATEMENTS: Final = Path(__file__).parent / "statements"


def _lines(name: str) -> list[str]:
    """Return the statements of one file: a line each, but for lines that begin with #."""
    text = (STATEMENTS / f"{name}.sql").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


SETUP: Final = _lines("setup")
"""The schema that each program begins with."""
FOREIGN_KEY: Final = ", FOREIGN KEY (t_id) REFERENCES t (id)"
REFILL: Final = [
    *(f"DELETE FROM {table}" for table in ("child", "t", "u", "big", "{o}.far WHERE id <> 1")),
    "ALTER TABLE t AUTO_INCREMENT = 1",
    *(text for text in SETUP if text.startswith("INSERT")),
]
"""What brings a schema back to that, unless its tables were changed."""

KEYS: Final = ["1", "2", "3", "4", "5", "6"]
NUMBERS: Final = ["0", "1", "-1", "7", "42", "300", "2147483647", "-2147483649"]
TEXTS: Final = [
    "''",
    "'a'",
    "'one'",
    "'é'",
    "'日本'",
    "'a\\'b'",
    "'it''s'",
    "'%'",
    "'a;b'",
    "'/*'",
    "'x -- y'",
    "'?'",
]
LITERALS: Final = [*NUMBERS, *TEXTS, *_lines("literals")]
_SLOT: Final = re.compile(r"<([kntvj])>")
_FILLERS: Final = {"k": KEYS, "n": NUMBERS, "t": TEXTS, "v": LITERALS, "j": ["0", "1"]}

VALUES: Final = [
    None,
    *(-3, 0, 1, 2, 3, 4, 7, 300, 2**63 - 1, -(2**63)),
    *(0.5, -1e100, 3.0),
    *("", "one", "é", "x" * 300, "it's"),
    *(b"", b"\x00\xff", b"y" * 70_000),
]
_OF_ONE_KIND: Final = [[v for v in VALUES if type(v) is kind] for kind in (int, float, str, bytes)]
"""What type MySQL gives a parameter depends on the types of earlier executions on that server: a known difference."""
ATTRIBUTES: Final = [(), (), (("traceparent", "00-1"),), (("a", "é"), ("b", ""))]
FILES: Final = [b"", b"11\tx\n12\ty\n", b"13\n", b"1\tdouble\n2\tzwei\n", b"14\t" + b"z" * 70_000 + b"\n"]

COMMANDS: Final = [
    Command("COM_PING"),
    Command("COM_INIT_DB", "{s}"),
    Command("COM_INIT_DB", "{o}"),
    Command("COM_INIT_DB", "nowhere"),
    Command("COM_RESET_CONNECTION"),
    Command("COM_SET_OPTION", "\0\0"),
    Command("COM_SET_OPTION", "\1\0"),
    Command("COM_SET_OPTION", "\7\0"),
    Command("COM_FIELD_LIST", "t\0%"),
    Command("COM_FIELD_LIST", "nothing\0"),
    Command("COM_DEBUG"),
    Command("COM_SLEEP"),
    Command("COM_TIME"),
    Command("COM_DELAYED_INSERT"),
    Command("COM_CONNECT"),
    Command("COM_DAEMON"),
    Command("COM_CREATE_DB", "x"),
    Command("COM_SHUTDOWN"),
]


CHANGES_SCHEMA: Final = re.compile(r"\b(?:CREATE|DROP|ALTER|RENAME|TRUNCATE|XA PREPARE)\b(?! TEMPORARY)")
"""Most programs have none of these, so that the schema can be used again."""

_COMMON: Final = [
    (3, _lines("reads")),
    (3, _lines("writes")),
    (1, _lines("ddl")),
    (1, _lines("wrong")),
    (3, _lines("after")),
    (2, _lines("transactions")),
    (3, _lines("settings")),
]
_OWN: Final = {Flavor.MYSQL: _lines("mysql"), Flavor.MARIADB: _lines("mariadb")}
_OF_TRACKERS: Final = re.compile("VARIABLES|session_track")
"""The router has to prepare for these, which changes ROW_COUNT(): of no one else in the same packet."""
_DIAGNOSTICS: Final = _lines("diagnostics")
_HAS_CONDITIONS: Final = re.compile(
    r"INSERT|UPDATE|REPLACE|DELETE|ALTER|CREATE|SELECT (?!\(|.* MATCH|.* SYSTEM_TIME|nothing).* FROM [tu]\b"
)
"""A SELECT that fails may leave FOUND_ROWS() as it was, or not, by where it fails (MariaDB)."""

_PREPARED: Final = _lines("prepared")


def programs(flavor: Flavor, random: Random, length: int) -> list[Step]:
    """Return a program of *length* steps, which *random* alone decides."""
    changes = random.random() < 0.25

    def allowed(texts: Sequence[str]) -> list[str]:
        return [text for text in texts if changes or not CHANGES_SCHEMA.search(text)]

    groups = [(weight, allowed(group)) for weight, group in (*_COMMON, (1, _OWN[flavor]))]
    pool = [group for weight, group in groups for _ in range(weight)]
    to_prepare = allowed(_PREPARED)
    if flavor is Flavor.MYSQL:
        # How often a text for a number is warned of depends on when the server has prepared it anew.
        to_prepare = [text for text in to_prepare if "LIMIT ?" not in text]
    if flavor is Flavor.MARIADB:
        # It keeps warnings over BEGIN, and they can't be brought to the transaction: a known difference.
        to_prepare = [text for text in to_prepare if text != "SHOW WARNINGS"]

    def text() -> str:
        return _filled(random, random.choice(pool))

    def several() -> list[str]:
        return [text() for _ in range(random.randrange(2, 5))] + ["SELECT 1"]

    with_cursor = [random.random() < 0.3 for _ in range(3)]
    reads = [False] * 3  # whether a read may be in the slot
    kinds = [random.choice(_OF_ONE_KIND) for _ in range(3)]

    def prepared() -> Step:
        slot = random.randrange(3)
        if random.random() < 0.3:
            sql = _filled(random, to_prepare)
            reads[slot] |= sql.startswith("SELECT")  # the next may fail, and leave it there
            return Prepare(slot, sql)
        values = tuple(random.choice(VALUES) for _ in range(random.randrange(4)))
        if flavor is Flavor.MYSQL and reads[slot]:
            values = tuple(random.choice(kinds[slot]) for _ in range(5))
        types, cursor = random.random() < 0.6, random.random() < 0.2
        if flavor is Flavor.MYSQL:
            # Where both kinds of execution are mixed, its replies with EOF packets lack one at times.
            cursor = with_cursor[slot]
        return Execute(slot, values, types, cursor, random.choice(ATTRIBUTES))

    def rare() -> Step:
        slot = random.randrange(3)
        kinds: Sequence[Callable[[], Step]] = (
            lambda: LongData(slot, random.randrange(3), random.choice([b"", b"long", b"z" * 70_000])),
            lambda: Fetch(slot, random.randrange(4)),
            lambda: Fetch(slot, random.randrange(4)),
            lambda: Reset(slot),
            lambda: Close(slot),
            lambda: random.choice(COMMANDS),
            lambda: random.choice(COMMANDS),
            lambda: ChangeUser(random.choice([None, "{s}"])),
            lambda: Query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (id, b)", random.choice(FILES)),
            lambda: Query("; ".join(part for part in several() if not _OF_TRACKERS.search(part))),
        )
        return random.choice(kinds)()

    made: list[Step] = []
    for _ in range(length):
        if made and random.random() < 0.12:
            before = made[-1]
            if isinstance(before, Query) and _HAS_CONDITIONS.match(before.sql) and ";" not in before.sql:
                # On MariaDB a change of user leaves FOUND_ROWS(), and a read that then fails without a schema, too.
                is_read = before.sql.startswith("SELECT") and not any(
                    isinstance(s, ChangeUser) or "LOCK TABLES" in repr(s) for s in made
                )
                made.append(Query(random.choice(_DIAGNOSTICS + ["SELECT FOUND_ROWS()"] * is_read * 2)))
                continue
        kind = random.random()
        if kind < 0.7:
            made.append(Query(text(), attributes=random.choice(ATTRIBUTES)))
        else:
            made.append(prepared() if kind < 0.88 else rare())
    return made


def _filled(random: Random, templates: Sequence[str]) -> str:
    """Return one of *templates*, with values in its slots."""
    return _SLOT.sub(lambda slot: random.choice(_FILLERS[slot[1]]), random.choice(templates))
