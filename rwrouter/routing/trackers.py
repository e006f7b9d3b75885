"""The session_track_* variables of a connection: what the router needs there, and what its client has set.

    on a connection    what tells both of them enough
    told to a client   of that, what a server would tell it directly: `told`
    while they are set or shown    the client's own, for those that the statement speaks of: `own_assignments`

Seen on MySQL 9.7 and MariaDB 10.11: none of the variables changes what the others report, but for the list of
variables, which decides whether a change of the others is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rwrouter.model import Flavor
from rwrouter.protocol.flags import (
    SESSION_TRACK_GTIDS,
    SESSION_TRACK_SCHEMA,
    SESSION_TRACK_STATE_CHANGE,
    SESSION_TRACK_TRANSACTION_CHARACTERISTICS,
    SESSION_TRACK_TRANSACTION_STATE,
)
from rwrouter.protocol.tracking import BY_DEFAULT, TOLD_VARIABLES, Told
from rwrouter.routing.restore import literal
from rwrouter.sql import trackers as names

Own = Mapping[str, bytes | None]
"""What a client has set, as the server gives it when asked; a name that is not there has the server's default."""

_FALLBACK: Final = (
    "time_zone,autocommit,character_set_client,character_set_results,character_set_connection,"
    "collation_connection,sql_mode,transaction_isolation,transaction_read_only"
)
"""Named where the servers have not told yet which variables can be set."""


_OFF: Final = frozenset({b"0", b"OFF"})  # as a SELECT gives it, and as a tracker reports it


def names_of(flavor: Flavor) -> tuple[str, ...]:
    """Return the variables that servers of *flavor* have."""
    return names.NAMES if flavor is Flavor.MYSQL else names.NAMES[:-1]


def wanted(flavor: Flavor, own: Own, tracked: Sequence[str]) -> dict[str, bytes | None]:
    """Return the values with which a server tells what the router and a client with *own* need.

    *tracked*: the session variables that servers of *flavor* let clients set.
    """
    values: dict[str, bytes | None] = {
        names.SYSTEM_VARIABLES: b"*" if flavor is Flavor.MARIADB else _both(own, tracked),
        names.SCHEMA: b"1",
        names.STATE_CHANGE: b"1",
    }
    if names.TRANSACTION_INFO in own:
        values[names.TRANSACTION_INFO] = own[names.TRANSACTION_INFO]
    if flavor is Flavor.MYSQL:
        values[names.GTIDS] = b"ALL_GTIDS" if own.get(names.GTIDS) == b"ALL_GTIDS" else b"OWN_GTID"
    return values


def assignments(values: Own) -> list[bytes]:
    """Return the assignments that give a connection these *values*."""
    return [_assignment(name, value) for name, value in values.items()]


def own_assignments(own: Own, spoken: Iterable[str]) -> list[bytes]:
    """Return the assignments that give the variables *spoken* of the values that the client has set."""
    return [
        _assignment(name, own[name]) if name in own else f"@@SESSION.{name}=DEFAULT".encode()
        for name in spoken
    ]


def _assignment(name: str, value: bytes | None) -> bytes:
    return f"@@SESSION.{name}=".encode() + (b"NULL" if value is None else literal(value))


def _both(own: Own, tracked: Sequence[str]) -> bytes:
    """Return the list of variables that the router and the client want to be told of."""
    known = [*tracked, *names.NAMES] if tracked else [*_FALLBACK.split(","), *names.NAMES]
    listed = _listed(own) if names.SYSTEM_VARIABLES in own else frozenset()
    if listed is None:
        return b"*"
    more = sorted(listed - {name.encode() for name in known})
    return ",".join(known).encode() + b"".join(b"," + name for name in more)


def _listed(own: Own) -> frozenset[bytes] | None:
    """Return the names in the client's list of variables; None: all."""
    if names.SYSTEM_VARIABLES not in own:
        return TOLD_VARIABLES
    listed = {name.strip().lower() for name in (own[names.SYSTEM_VARIABLES] or b"").split(b",")} - {b""}
    return None if b"*" in listed else frozenset(listed)


def carried(flavor: Flavor, own: Own, tracked: Sequence[str]) -> frozenset[bytes] | None:
    """Return the variables that the session carries, where the client is told of others, too; None: all reported."""
    listed = _listed(own)
    if flavor is Flavor.MARIADB or not tracked or (listed is not None and listed <= TOLD_VARIABLES):
        return None
    return frozenset(name.encode() for name in tracked)


def told(own: Own, spoken: Iterable[str] = ()) -> Told:
    """Return what a client with *own* is told, on a connection that has its own values of what is *spoken* of."""
    withheld = set()
    listed = None if names.SYSTEM_VARIABLES in spoken else _listed(own)
    follows = own.get(names.TRANSACTION_INFO, b"OFF") not in _OFF
    if own.get(names.SCHEMA, b"1") in _OFF:
        withheld.add(SESSION_TRACK_SCHEMA)
    if own.get(names.STATE_CHANGE, b"0") in _OFF:
        withheld.add(SESSION_TRACK_STATE_CHANGE)
    if own.get(names.GTIDS, b"OFF") in _OFF:
        withheld.add(SESSION_TRACK_GTIDS)
    kinds = {
        names.SCHEMA: SESSION_TRACK_SCHEMA,
        names.STATE_CHANGE: SESSION_TRACK_STATE_CHANGE,
        names.GTIDS: SESSION_TRACK_GTIDS,
    }
    withheld -= {kinds[name] for name in spoken if name in kinds}
    if listed == frozenset() and len(withheld) == len(kinds) and not follows:
        # MySQL reports transactions with this off, too, but not with all off (seen on 9.7).
        withheld |= {SESSION_TRACK_TRANSACTION_CHARACTERISTICS, SESSION_TRACK_TRANSACTION_STATE}
    by_eof = follows or not withheld >= BY_DEFAULT.withheld
    return Told(listed, frozenset(withheld), by_eof)


def question(flavor: Flavor) -> bytes:
    """Return the query for the current schema and the trackers of a connection. It works at `sql_select_limit = 0`."""
    asked = ", ".join(f"@@SESSION.{name}" for name in names_of(flavor))
    return f"SELECT CAST(DATABASE() AS BINARY), {asked} LIMIT 1".encode()


def read(flavor: Flavor, row: Sequence[bytes | None]) -> tuple[bytes, dict[str, bytes | None]]:
    """Return the schema and the trackers out of the answer to `question`, in whatever character set it came."""
    values = [None if value is None else value.replace(b"\0", b"") for value in row[1:]]
    return row[0] or b"", dict(zip(names_of(flavor), values, strict=True))


def variables_question(flavor: Flavor) -> bytes:
    """Return the query for all variables of a session, name and value. It works at `sql_select_limit = 0`."""
    table = b"performance_schema" if flavor is Flavor.MYSQL else b"information_schema"
    return b"SELECT VARIABLE_NAME, VARIABLE_VALUE FROM " + table + b".session_variables LIMIT 100000"
