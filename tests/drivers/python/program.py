"""What the Python programs share: where to connect, and how to say what was seen, one JSON object a line."""

import json
import os
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from typing import Any

HOST = os.environ["DRIVERS_HOST"]
PORT = int(os.environ["DRIVERS_PORT"])
SOCKET = os.environ["DRIVERS_SOCKET"]
USER = os.environ["DRIVERS_USER"]
PASSWORD = os.environ["DRIVERS_PASSWORD"]
SCHEMA = os.environ["DRIVERS_SCHEMA"]
OTHER = os.environ["DRIVERS_OTHER"]  # a second schema
MARKER = os.environ["DRIVERS_MARKER"]  # goes into the comment of the reads that are looked for
INFILE = os.environ["DRIVERS_INFILE"]  # two columns, tabs between
IS_MARIADB = os.environ["DRIVERS_FLAVOR"] == "mariadb"
TABLES = Path(os.environ["DRIVERS_TABLES"]).read_text(encoding="utf-8").strip().split("\n\n")

COLUMNS = (
    "tiny, small, medium, big, big_unsigned, price, single, twice, bits, day, span, moment, stamp, year, "
    "fixed, varied, long_text, bin, varied_bin, blob_, one_of, some_of, document"
)
ROW: tuple[Any, ...] = (
    -128,
    -32768,
    -8388608,
    -(2**63),
    2**64 - 1,
    Decimal("12345678901234567890.0123456789"),
    1.5,
    -2.25e100,
    b"\x02\x05",
    date(2024, 2, 29),
    timedelta(hours=-12, minutes=-34, seconds=-56, microseconds=-789012),
    datetime(2024, 2, 29, 23, 59, 59, 123456),  # noqa: DTZ001 -- a DATETIME has no zone
    datetime(2024, 2, 29, 12),  # noqa: DTZ001
    2024,
    "fixed",
    "naïve 🐬",
    "a longer text\nof two lines",
    b"\x00\xff'\\",
    b"\x00\x01",
    bytes(range(256)),
    "b",
    "x,z",
    '{"a": [1, "é", null]}',
)
NULLS = (None,) * len(ROW)
LITERALS = ["'", '"', "\\", "%", "\\'; -- ", "🐬", "\0\x1a\n", "`", ""]
CHARSETS = (
    "SELECT DATABASE(), @@character_set_client, @@character_set_connection, @@character_set_results, "
    "@@collation_connection"
)
# What another connection sees: its own reads are not ordered with ours, so it locks where it must see the newest.
COMMITTED = "SELECT COUNT(*) FROM items WHERE name = 'committed'"
ERRORS = {
    "error.duplicate": "INSERT INTO items (name) VALUES ('one')",
    "error.syntax": "SELEKT 'é' FROM items",
    "error.unknown_table": "SELECT * FROM nowhere WHERE a = 1",
    "error.foreign_key": "INSERT INTO children VALUES (1, 999)",
    "error.too_long": "INSERT INTO items (name) VALUES (REPEAT('é', 30))",
    "error.signal": "CALL refuse()",
}
PORTIONS = "SELECT b.n, a.n FROM bulk a CROSS JOIN bulk b WHERE b.n < 30 ORDER BY b.n, a.n"


class Absent(Exception):
    """The driver has no such thing: the reason is its text, as in docs/drivers.md."""


def plain(value: Any) -> Any:
    """Return *value* as JSON can have it: bytes as 0x…, what JSON has no type for as its type and text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"0x{bytes(value).hex()}"
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set):
        return sorted(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return f"{type(value).__name__} {value}"


def say(**what: Any) -> None:
    """Print one line of the transcript."""
    sys.stdout.write(json.dumps(what, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def error(number: int, message: str, sqlstate: str | None = None) -> dict[str, Any]:
    """Return an error as a transcript has it."""
    return {"number": number, "sqlstate": sqlstate, "message": message}


def step(name: str, take: Callable[[], Any]) -> None:
    """Take a step and say what it saw."""
    try:
        say(step=name, saw=plain(take()))
    except Absent as reason:
        say(step=name, absent=str(reason))
    except Exception as failure:  # noqa: BLE001 -- whatever it is, the other steps are worth seeing
        say(step=name, saw={"unexpected": f"{type(failure).__name__}: {failure}"})


def digest(blob: bytes) -> list[Any]:
    """Return the length of *blob* and its MD5."""
    return [len(blob), md5(blob, usedforsecurity=False).hexdigest()]
