"""What one session carries from statement to statement: transaction, pins, variables, schema, causal position.

The server's word counts, not the text: status flags and state trackers are believed wherever they speak. What they
are silent about (user variables set by DO, named locks, HANDLER: seen on MySQL 9.7 and MariaDB 10.11) comes
from the effects in the statement's plan. A session is moved by `on_reply`, and by nothing else.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from rwrouter.protocol.flags import (
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_IN_TRANS,
    SERVER_STATUS_IN_TRANS_READONLY,
    SERVER_STATUS_NO_BACKSLASH_ESCAPES,
    SESSION_TRACK_GTIDS,
    SESSION_TRACK_SCHEMA,
    SESSION_TRACK_STATE_CHANGE,
    SESSION_TRACK_SYSTEM_VARIABLES,
)
from rwrouter.protocol.tracking import changes
from rwrouter.routing.consistency import Position
from rwrouter.routing.held import ENDS, LOCKS, NAMED, Held
from rwrouter.sql import plans

PINS: Final = plans.PINS | plans.NEXT_TRANSACTION
"""Effects that tie the session to the connection on which they happened: all its statements go there."""

UNREPLICATED_SCHEMAS: Final = frozenset({b"mysql", b"performance_schema", b"information_schema", b"sys"})
"""Schemas that describe one server. A plan does not know the current schema: a session in one of these reads from the
primary, because a name without a schema may be a table there."""

LIFTS: Final = {
    plans.UNLOCKS_TABLES: plans.LOCKS_TABLES,
    plans.UNLOCKS_INSTANCE: plans.LOCKS_INSTANCE,
    plans.ENDS_BACKUP: plans.BACKUP_STAGE,
    plans.XA_ENDS: plans.XA_BEGINS,
    plans.SYSTEM_TIME: plans.NEXT_STATEMENT,
}
"""Effect -> pins that it ends, where one such statement ends all of them."""

_TOLD: Final = (
    plans.SETS_VARIABLE
    | plans.USER_VARIABLE
    | plans.TEMPORARY_TABLE
    | plans.DROPS_TABLE
    | plans.NEXT_STATEMENT
    | plans.CONNECTION_STATE
)
"""With one of these in its text a statement with a function that is not known is taken to change nothing beside."""

_FREE: Final = SERVER_STATUS_AUTOCOMMIT
_BUSY: Final = SERVER_STATUS_IN_TRANS | SERVER_STATUS_IN_TRANS_READONLY | SERVER_STATUS_AUTOCOMMIT

# Trackers report these too, but they say nothing that another connection of the session would have to be told.
_LOCAL_VARIABLES: Final = frozenset(
    {b"autocommit", b"timestamp", b"insert_id", b"last_insert_id", b"statement_id"}
)
_TRACKERS: Final = b"session_track_"


class Session:
    """State of one client's session.

    *status*: flags of the last OK; *settled*: the flags after which a reply has nothing to teach, which is none while
    something may end with any reply. *pins*: effect bits that tie it to one connection. *free*: nothing does, and no
    transaction is open, so that a read may go anywhere. *keeps*: effect bits of what lives on its connection to the
    primary and ties nothing else there. *variables*: system variables that were set, name -> value as the tracker
    reports it; *role*: the SET ROLE that holds; *version* grows whenever they, the role or the schema change.
    *trackers*: what its client has set of session_track_* (`routing/trackers.py`); *reported*: what of them a server
    has said was set; *carried*: names that belong to *variables*, None where each that is reported does.
    *writes* counts the writes whose position is in *position*, unless *position_unknown*: then the primary has to be
    asked for it.
    """

    __slots__ = (
        "ansi_quotes",
        "carried",
        "collations",
        "free",
        "held",
        "keeps",
        "knows_collation",
        "last_write_at",
        "mode_version",
        "pins",
        "position",
        "position_unknown",
        "reported",
        "role",
        "schema",
        "serializable",
        "settled",
        "status",
        "trackers",
        "variables",
        "version",
        "writes",
    )

    def __init__(self, schema: bytes = b"") -> None:
        self.schema = schema
        self.reset()
        self.version = 0
        self.position = Position()
        self.position_unknown = False
        self.writes = 0
        self.last_write_at: float | None = None

    def reset(self) -> None:
        """COM_RESET_CONNECTION, COM_CHANGE_USER: nothing is left but what the session has written."""
        self.status = self.settled = SERVER_STATUS_AUTOCOMMIT
        self.pins = 0
        self.keeps = 0
        self.held: Held | None = None  # behind *pins* and *keeps*, where they have names
        self.role = b""
        self.free = self.schema not in UNREPLICATED_SCHEMAS
        self.variables: dict[bytes, bytes] = {}
        self.collations = 0  # how often the connection's collation may have changed
        self.knows_collation = True  # False: SET NAMES x COLLATE y is reported without its y, by both flavors
        self.serializable = False
        self.trackers: Mapping[str, bytes | None] = {}
        self.reported: dict[str, bytes | None] = {}
        self.carried: frozenset[bytes] | None = None
        self.ansi_quotes = False
        self.mode_version = 0  # grows when the way to read SQL text changes

    def begin(self, status: int) -> None:
        """A login, or a reset, has ended with *status*: the server's own settings may have autocommit off."""
        self.on_reply(0, status, ())

    @property
    def no_backslash_escapes(self) -> bool:
        """A backslash is an ordinary character in literals."""
        return bool(self.status & SERVER_STATUS_NO_BACKSLASH_ESCAPES)

    @property
    def in_transaction(self) -> bool:
        """A transaction is open on the connection of the last statement."""
        return bool(self.status & SERVER_STATUS_IN_TRANS)

    @property
    def only_reads(self) -> bool:
        """A transaction is open that was begun READ ONLY."""
        return bool(self.status & SERVER_STATUS_IN_TRANS_READONLY)

    def ties(self) -> list[str]:
        """Return the names of what ties the session to one connection now; none while it is free.

        The names of pins are those of `plans.EFFECT_NAMES`; people and `/v1/sessions` are shown them. What `keeps`
        has, in the same names, ties nothing.
        """
        found = plans.names(self.pins)
        if self.in_transaction:
            found.append("transaction")
        if not self.status & SERVER_STATUS_AUTOCOMMIT:
            found.append("autocommit_off")
        if self.serializable:
            found.append("serializable")
        if self.schema in UNREPLICATED_SCHEMAS:
            found.append("server_schema")
        return found

    def on_reply(
        self,
        effects: int,
        status: int,
        states: Iterable[bytes],
        names: Iterable[str] = (),
        lock: int | None = None,
    ) -> None:
        """The server ended a statement that has *effects* with OK, *status* and session-state blocks *states*.

        *names*: of what the effects speak of. *lock*: what its call of a function of named locks gave.
        """
        if (status ^ self.status) & SERVER_STATUS_NO_BACKSLASH_ESCAPES:
            self.mode_version += 1
        was_open = self.status & SERVER_STATUS_IN_TRANS
        self.status = status
        is_changed = False
        version = self.version
        own = effects & plans.OWN_VARIABLES
        for state in states:
            # That the variables of a SET STATEMENT are put back is told with the next statement there, if at all.
            is_changed |= self._take(state, only_writes=bool(own and not effects & plans.SEVERAL_STATEMENTS))
        if own and self.version != version:
            # Others in the packet may have set some that last: which, nobody tells.
            effects |= plans.HIDDEN_STATE
        if is_changed and (
            effects & plans.RUNS_UNSEEN or (effects & plans.MAY_WRITE and not effects & _TOLD)
        ):
            effects |= plans.HIDDEN_STATE
        if effects:
            self._apply(effects, names, lock)
        if (
            self.pins & plans.NEXT_TRANSACTION
            and not status & SERVER_STATUS_IN_TRANS
            and not effects & plans.NEXT_TRANSACTION
            and (was_open or effects & (plans.ENDS | plans.USES_TABLES))
        ):
            # It held for one transaction: that of an autocommit statement, or one that has now ended.
            self.pins &= ~plans.NEXT_TRANSACTION
        self._settle()

    def _settle(self) -> None:
        status = self.status
        self.settled = ~status if self.pins & plans.NEXT_TRANSACTION else status
        self.free = (
            not self.pins
            and status & _BUSY == _FREE
            and not self.serializable
            and self.schema not in UNREPLICATED_SCHEMAS
        )

    def on_error(
        self,
        effects: int,
        states: Iterable[bytes] = (),
        names: Iterable[str] = (),
        status: int | None = None,
    ) -> None:
        """The server ended a statement with ERR, which carries no flags: keep what is, and learn at the next OK.

        *status*: flags of the last result before the error, where there may have been one: a transaction may be open,
        or autocommit off, by what has run.

        What the statement would have set may have been set in part, so what pins is kept pinned; and it may have
        written in part, without a word of its position. *states*: of the results before the error. Those of a
        routine speak of the schema and the modes that it runs in, and an error puts them back without a word.
        """
        if status is not None and effects & plans.SEVERAL_RESULTS:
            if (status ^ self.status) & SERVER_STATUS_NO_BACKSLASH_ESCAPES:
                self.mode_version += 1
            self.status = status
            self._settle()
        is_routine = effects & plans.RUNS_UNSEEN and not effects & plans.SEVERAL_STATEMENTS
        for state in states:
            self._take(state, only_writes=bool(is_routine))
        if effects & (plans.WRITES | plans.MAY_WRITE):
            self.wrote_somewhere()
        if effects & plans.RUNS_UNSEEN:
            effects |= plans.HIDDEN_STATE
        kept = effects & (plans.CONNECTION_STATE | plans.NEXT_STATEMENT | plans.HIDDEN_STATE)
        if effects & plans.SEVERAL_STATEMENTS:
            kept |= effects & (PINS | plans.KEEPS)
        if not effects & plans.ONE_LOCK_CALL:
            kept |= effects & plans.NAMED_LOCK
        kept |= effects & plans.USER_VARIABLE
        if kept:
            self._apply(kept, names, None)
            self._settle()

    def wrote_somewhere(self) -> None:
        """It has, or may have, written, and no server told at which position."""
        self.writes += 1
        self.position_unknown = True

    def _apply(self, effects: int, names: Iterable[str], lock: int | None) -> None:
        gone = 0
        if effects & (NAMED | ENDS | LOCKS) or (self.held is not None and effects & plans.RENAMES_TABLE):
            if self.held is None:
                self.held = Held()
            gone = self.held.follow(effects, names, self.schema.decode("utf-8", "replace"))
            if effects & LOCKS:
                gone |= self.held.lock(effects, lock)
        self.pins = (self.pins | effects & PINS) & ~gone
        self.keeps = (self.keeps | effects & plans.KEEPS) & ~gone
        for lift, ended in LIFTS.items():
            # Of several statements nobody tells which came last.
            if effects & lift and not (effects & ended and effects & plans.SEVERAL_STATEMENTS):
                self.pins &= ~ended

    def _take(self, state: bytes, *, only_writes: bool = False) -> bool:
        """Take one block; return whether it says that the session carries something that is not told."""
        is_changed = False
        for kind, name, value in changes(state):
            if only_writes and kind != SESSION_TRACK_GTIDS and name != b"last_gtid":
                continue
            if kind == SESSION_TRACK_SYSTEM_VARIABLES:
                self._set(name, value)
            elif kind == SESSION_TRACK_SCHEMA:
                if value != self.schema:
                    self.schema = value
                    self.version += 1
            elif kind == SESSION_TRACK_GTIDS:
                self._wrote(value)
            elif kind == SESSION_TRACK_STATE_CHANGE:
                is_changed = True
        return is_changed

    def _set(self, name: bytes, value: bytes) -> None:
        if name == b"last_gtid":
            if value:
                self._wrote(value)
            return
        if name in _LOCAL_VARIABLES:
            return
        if name.startswith(_TRACKERS):
            self.reported[name.decode("ascii", "replace")] = value
            return
        if self.carried is not None and name not in self.carried:
            return
        # A SET NAMES tells only its character set: that may be as before, and the collation another.
        if self.variables.get(name) != value or name == b"character_set_connection":
            self.variables[name] = value
            self.version += 1
        if name == b"character_set_connection":
            self.variables.pop(b"collation_connection", None)
            self.knows_collation = False
            self.collations += 1
        elif name == b"collation_connection":
            self.knows_collation = True
            self.collations += 1
        if name == b"sql_mode":
            quotes = b"ANSI_QUOTES" in value
            if quotes != self.ansi_quotes:
                self.ansi_quotes = quotes
                self.mode_version += 1
        elif name == b"character_set_client":
            self.mode_version += 1
        elif name in {b"transaction_isolation", b"tx_isolation"}:
            self.serializable = value == b"SERIALIZABLE"

    def learn(self, changed: Iterable[tuple[bytes, bytes]]) -> None:
        """Variables were *changed* to these values by statements that have ended, without a report."""
        for name, value in changed:
            self._set(name, value)
        self._settle()

    def _wrote(self, gtid: bytes) -> None:
        self.writes += 1
        self.position.add(gtid)

    def wrote_without_gtid(self, now: float) -> None:
        """It may have written, at *now*, and nobody tells a position."""
        self.writes += 1
        self.last_write_at = now
