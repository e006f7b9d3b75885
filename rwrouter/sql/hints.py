"""What comments ask of the router: `/* rwrouter: ... */`, and the forms known from other proxies.

A hint is a comment in any of MySQL's three forms, in any position; text within quotes is data and never a
hint. `normalise` brings each to one spelling, which stays in the digest: two statements that differ in
their hints have two plans. `read` takes that spelling apart.
"""

import re
from typing import Final

from rwrouter.sql.plans import Hint

# Cheap test before anything else is done with a comment: most comments are no hints.
_MAYBE: Final = re.compile(rb"rwrouter\s*:|master|shardingsphere", re.IGNORECASE)
_OWN: Final = re.compile(rb"\s*rwrouter\s*:(.*)", re.IGNORECASE | re.DOTALL)
_ITEM: Final = re.compile(rb"[\w.:$-]+(?:\s*=\s*[\w.:$-]+)?")
# Each sends the statement to the primary there; what would send it to a replica is not taken over.
_OTHERS: Final = re.compile(
    rb"\s*(?:force_master|master|maxscale\s+route\s+to\s+master"
    rb"|shardingsphere\s+hint:\s*writerouteonly\s*=\s*true)\s*",
    re.IGNORECASE,
)
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(us|ms|s|m|h|)")
LEVELS: Final = frozenset({"eventual", "session", "global", "primary"})
_LONGEST: Final = 256  # bytes of a hint: a longer one is a plain comment


def normalise(body: bytes) -> bytes:
    """Return the hint in the comment *body* (without its marks) in one spelling, b"" where there is none."""
    if len(body) > _LONGEST or not _MAYBE.search(body):
        return b""
    if _OTHERS.fullmatch(body):
        return b"primary"
    own = _OWN.fullmatch(body)
    if not own:
        return b""
    items = (re.sub(rb"\s*=\s*", b"=", item) for item in _ITEM.findall(own[1]))
    return b" ".join(item if b"=" in item else item.lower() for item in items)


def read(texts: list[str]) -> Hint | None:
    """Read hints that `normalise` made. Of two that contradict each other, primary wins, else the first.

    What is not understood is left out: a hint is a wish, and a mistyped wish must not fail a statement.
    """
    targets: set[str] = set()
    values: dict[str, str] = {}
    for item in " ".join(texts).split():
        key, _, value = item.partition("=")
        key = key.lower()
        if not value and key in {"primary", "replica"}:
            targets.add(key)
        elif value:
            values.setdefault(key, value)
    target = "primary" if "primary" in targets else "replica" if targets else None
    level = values.get("consistency", "").lower()
    hint = Hint(
        target=target,
        server=values.get("server"),
        max_lag=seconds_of(values.get("max_lag", "")),
        consistency=level if level in LEVELS else None,
        session=values.get("session"),
    )
    return None if hint == Hint() else hint


def seconds_of(text: str) -> float | None:
    """Return a time such as "500ms", "2s" or "1.5" in seconds, None where it is none."""
    match = _DURATION.fullmatch(text.lower())
    return float(match[1]) * _SECONDS[match[2]] if match else None
