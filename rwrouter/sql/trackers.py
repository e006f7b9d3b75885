"""The session_track_* variables: the router sets them for itself on its connections, and clients have their own values.

Which statements speak of them, and of which: by its digest, and, where a literal decides (`SHOW VARIABLES LIKE`), by
its text.
"""

import re
from typing import Final

from rwrouter.sql import plans
from rwrouter.sql.plans import Plan

SYSTEM_VARIABLES: Final = "session_track_system_variables"
SCHEMA: Final = "session_track_schema"
STATE_CHANGE: Final = "session_track_state_change"
TRANSACTION_INFO: Final = "session_track_transaction_info"
GTIDS: Final = "session_track_gtids"  # MySQL's alone
NAMES: Final = (SYSTEM_VARIABLES, SCHEMA, STATE_CHANGE, TRANSACTION_INFO, GTIDS)

_LIKE: Final = re.compile(rb"\blike\s*(['\"])((?:[^'\"\\]|\\.)*)\1[\s;]*", re.IGNORECASE)
_FILTER: Final = re.compile(rb"\b(?:like|where)\b", re.IGNORECASE)
_COMPARES: Final = re.compile(rb"\b(?:like|rlike|regexp|not|between|is)\b|[<>!%^|+-]", re.IGNORECASE)
_ONE: Final = re.compile(r"\\(.)|(%)|(_)|([^\\])", re.DOTALL)


def spoken_of(plan: Plan, sql: bytes) -> tuple[str, ...]:
    """Return which of NAMES a statement with *plan* and the text *sql* sets or shows."""
    if not plan.is_of_trackers:
        return ()
    digest = plan.digest.lower()
    found = tuple(name for name in NAMES if name in digest)
    if plan.effects & plans.TRACKERS:
        return found or NAMES
    if "variables" not in digest:
        return found
    return NAMES if found or _may_show(sql) else ()


def _may_show(sql: bytes) -> bool:
    """Tell whether a list of variables that *sql* asks for may have one of NAMES in it."""
    if b"track" in sql.lower():
        return True
    asked = _FILTER.search(sql)
    if asked is None:
        return True
    like = _LIKE.fullmatch(sql, asked.start())
    if like is not None:
        pattern = _ONE.sub(_piece, like[2].decode("latin-1"))
        return any(re.fullmatch(pattern, name, re.IGNORECASE | re.DOTALL) for name in NAMES)
    return bool(_COMPARES.search(sql, asked.end())) or asked[0].lower() == b"like"


def _piece(found: re.Match[str]) -> str:
    """Return what a character of a LIKE pattern is in a regular expression."""
    escaped, many, one, other = found.groups()
    return ".*" if many else "." if one else re.escape(escaped or other)
