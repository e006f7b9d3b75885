"""A client's own session_track_* variables, on connections where the router has its own.

A statement that sets or shows them runs with the client's values in force, so that the server answers, refuses and
reports as it does directly: `lay_open`. What it has made of them is read before the next statement, and the router's
own are put back: `settle`. Not at once, because the client may ask for the statement's warnings first. What it is told
from then on is the filter's work (`Told`). That costs round trips with such a statement, and nothing with others.
"""

from typing import TYPE_CHECKING, Final

from rwrouter.cluster.trial import NOISE
from rwrouter.errors import RouterError
from rwrouter.model import Flavor
from rwrouter.protocol.flags import COM_QUERY, SERVER_STATUS_IN_TRANS
from rwrouter.protocol.resultset import read_text_result
from rwrouter.proxy import diagnostics
from rwrouter.routing import trackers
from rwrouter.sql import plans
from rwrouter.sql import trackers as names
from rwrouter.sql.plans import Plan, Target

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection

_MAY_COMMIT: Final = plans.WRITES | plans.MAY_WRITE | plans.ENDS | plans.BEGINS | plans.SEVERAL_STATEMENTS
"""Effects of what may write a transaction to the binary log. SET autocommit = 1 does, too."""

_SEEN: Final = (
    plans.WRITES
    | plans.MAY_WRITE
    | plans.CALLS_FUNCTION
    | plans.USER_VARIABLE
    | plans.READS_USER_VARIABLE
    | plans.LAST_INSERT_ID
)
"""Effects of statements that change nothing of which a tracker would have to tell the router, but their GTIDs."""

_MARIADBS_NOISE: Final = frozenset({"in_transaction", "last_gtid", "proxy_user", "external_user"})


class LaidOpen:
    """A connection for a statement that sets or shows the variables *spoken* of.

    It has the client's own values of them, but for *kept*. *named*: those that stand in its text. *sets*: they may have
    changed; *failed*: as far as they did before an error. *before*: all variables of the session, where the statement
    may hide from the router which it sets.
    """

    __slots__ = ("backend", "before", "failed", "kept", "named", "sets", "spoken")

    def __init__(
        self,
        backend: "BackendConnection",
        spoken: tuple[str, ...],
        named: tuple[str, ...],
        kept: frozenset[str],
        *,
        sets: bool,
    ) -> None:
        self.backend = backend
        self.spoken = spoken
        self.kept = kept
        self.named = named
        self.sets = sets
        self.failed = False
        self.before: dict[bytes, bytes] | None = None

    @property
    def spoken_of_gtids(self) -> bool:
        """What tells the GTIDs of writes may have been switched off."""
        by = names.GTIDS if flavor_of(self.backend) is Flavor.MYSQL else names.SYSTEM_VARIABLES
        return by in self.spoken


def flavor_of(backend: "BackendConnection") -> Flavor:
    """Return which kind of server it is."""
    return backend.endpoint.server.flavor


def assignments(client: "ClientConnection", backend: "BackendConnection") -> list[bytes]:
    """Return what makes *backend* tell the router and *client* what they need, and let that be told to the client."""
    session, own, flavor = client.session, client.session.trackers, flavor_of(backend)
    tracked = client.gateway.routes.snapshot.tracked_variables
    has = backend.trackers
    values = {
        name: value
        for name, value in trackers.wanted(flavor, own, tracked).items()
        if name not in has or has[name] != value
    }
    if names.GTIDS in values and backend.reply.status & SERVER_STATUS_IN_TRANS:
        # MySQL does not let it be set now (1766): the COMMIT may keep quiet.
        del values[names.GTIDS]
        session.wrote_somewhere()
    else:
        backend.serves = own
    has |= values
    backend.reply.told = trackers.told(own)
    return trackers.assignments(values)


async def lay_open(
    client: "ClientConnection", backend: "BackendConnection", data: bytes, plan: Plan, command: int
) -> None:
    """Give *backend* the client's values of what the command *data*, with *plan*, sets or shows. Raises BackendLost."""
    spoken = named = names.spoken_of(plan, _text(client, data, command))
    sets = bool(plan.effects & plans.TRACKERS)
    if sets and (names.TRANSACTION_INFO in spoken or names.SYSTEM_VARIABLES in spoken):
        # MySQL then says that something has changed, and not what: the router's trackers would have something.
        spoken = names.NAMES
    spoken = tuple(name for name in trackers.names_of(flavor_of(backend)) if name in spoken)
    session = client.session
    # The router has no value of its own for transactions, and to set it again would be reported. MySQL does not let the
    # one of GTIDs be set in a transaction (1766), and reports none in the packet in which they are switched on again.
    kept = {names.TRANSACTION_INFO}
    if session.in_transaction or plan.effects & plans.SEVERAL_STATEMENTS:
        kept.add(names.GTIDS)
    if not spoken:
        return
    client.laid_open = laid = LaidOpen(backend, spoken, named, frozenset(kept), sets=sets)
    if sets and names.SYSTEM_VARIABLES in spoken and plan.effects & ~plans.OF_TRACKERS:
        laid.before = await _variables(client, backend)
    own = [name for name in spoken if name not in kept]
    for name in own:
        backend.trackers.pop(name, None)
    backend.serves = None
    if own:
        await backend.query(b"SET " + b", ".join(trackers.own_assignments(session.trackers, own)))
    if sets or own:
        backend.reply.told = trackers.told(session.trackers, spoken if sets else own)


def _text(client: "ClientConnection", data: bytes, command: int) -> bytes:
    if command != COM_QUERY:
        return client.statement.sql if client.statement is not None else b""
    return client.sql_of(data)


async def _variables(client: "ClientConnection", backend: "BackendConnection") -> dict[bytes, bytes]:
    """Return what the session's variables are on *backend*."""
    flavor = flavor_of(backend)
    reply = await backend.query(trackers.variables_question(flavor))
    _, rows = read_text_result(reply, client.login.capabilities)
    return {row[0].lower(): row[1] or b"" for row in rows if row[0] is not None}


def ended(client: "ClientConnection", backend: "BackendConnection", effects: int) -> None:
    """A statement with *effects* has ended on *backend*, well or not, that was laid open or has set a tracker."""
    session, laid = client.session, client.laid_open
    session.version += 1  # the next one comes by `settle` and `bring`
    if laid is None:
        # A CALL or EXECUTE has set it, in the dark; but the server tells that.
        session.trackers = {**session.trackers, **session.reported}
        backend.trackers |= session.reported
    else:
        may_commit = effects & _MAY_COMMIT or "AUTOCOMMIT" in client.plan.digest.upper()
        if may_commit and laid.spoken_of_gtids:
            session.wrote_somewhere()
        if effects & plans.TRACKERS:
            laid.failed = backend.reply.error is not None
            if effects & plans.RUNS_UNSEEN:
                session.pins |= plans.HIDDEN_STATE
                session.free = False
    session.reported = {}


def can_wait(client: "ClientConnection", backend: "BackendConnection", plan: Plan) -> bool:
    """Tell whether a statement with *plan*, for *backend*, asks about the one that was laid open there.

    What the router would ask there first would take the answer away.
    """
    laid = client.laid_open
    if laid is None or laid.backend is not backend:
        return False
    if plan.target is Target.SAME:
        return not plan.effects & plans.ENDS
    return bool(plan.asks) and not plan.effects & ~_SEEN


async def settle(client: "ClientConnection") -> None:
    """Learn what the client's values are now, after `lay_open`. The router's are put back by `bring`."""
    laid, client.laid_open = client.laid_open, None
    if laid is None or laid.backend.closed:
        return
    laid.backend.version = -1
    try:
        await diagnostics.save(client, laid.backend)
        if laid.sets:
            await _learn(client, laid)
    except RouterError:
        return  # the connection has gone, and what was set on it


async def _learn(client: "ClientConnection", laid: LaidOpen) -> None:
    session, backend = client.session, laid.backend
    flavor = flavor_of(backend)
    _, rows = read_text_result(await backend.query(trackers.question(flavor)), client.login.capabilities)
    if not rows:
        return
    schema, values = trackers.read(flavor, rows[0])
    had = backend.trackers
    now = {
        name: values[name]
        for name in laid.spoken
        if name not in laid.kept
        or had.get(name, values[name]) != values[name]
        or not (laid.failed or (name == names.GTIDS and name not in laid.named))
    }
    backend.trackers |= now
    session.trackers = {**session.trackers, **now}
    tracked = client.gateway.routes.snapshot.tracked_variables
    session.carried = trackers.carried(flavor, session.trackers, tracked)
    if names.SCHEMA in laid.spoken:
        session.schema = backend.schema = schema
    if laid.before is None:
        return
    after = await _variables(client, backend)
    changed = {
        name: after[name]
        for name in sorted(after, key=lambda name: (name == b"collation_connection", name))
        if after[name] != laid.before.get(name) and _is_carried(name.decode(), tracked)
    }
    session.learn(changed.items())
    backend.variables |= changed
    if not session.free and client.home is None:
        client.home = backend


def _is_carried(name: str, tracked: tuple[str, ...]) -> bool:
    if "*" not in tracked and tracked:
        return name in tracked
    return name not in NOISE | _MARIADBS_NOISE and not name.startswith(("session_track_", "pseudo_"))
