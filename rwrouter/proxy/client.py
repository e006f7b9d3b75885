"""asyncio.Protocol towards the application: cuts commands out of bytes, sends each to its server, passes replies on.

The common case costs one call here and one in backend.py: a whole statement in one piece, known by its shape, whose
server has a connection that is in the session's state. Everything else (a connection to open, state to bring, a
write to wait for, a read to run again) is in pairing.py.
"""

import asyncio
import logging
from collections.abc import Coroutine
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from rwrouter.errors import (
    RouterError,
    ShuttingDown,
)
from rwrouter.protocol.charsets import has_unsafe_trail_bytes, is_unsafe_collation
from rwrouter.protocol.flags import (
    CLIENT_COMPRESS,
    CLIENT_QUERY_ATTRIBUTES,
    CLIENT_ZSTD,
    COM_CHANGE_USER,
    COM_QUERY,
    COM_QUIT,
    COM_STMT_CLOSE,
    COM_STMT_EXECUTE,
    COM_STMT_SEND_LONG_DATA,
    SERVER_STATUS_CURSOR_EXISTS,
    SESSION_STATUS,
)
from rwrouter.protocol.handshake import Login
from rwrouter.protocol.inbox import cut
from rwrouter.protocol.packets import build_error
from rwrouter.protocol.statements import sql_of_query, translate
from rwrouter.proxy import (
    commands,
    deciding,
    diagnostics,
    executing,
    holding,
    learning,
    pairing,
    recovery,
    uploading,
    user_change,
)
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.dial import Account
from rwrouter.proxy.killing import kill_abandoned
from rwrouter.proxy.numbering import Numbering
from rwrouter.proxy.servers import ClientRoutes, Endpoint, Routes, client_key, host_of
from rwrouter.proxy.sticky import Sticky
from rwrouter.routing.decision import Where
from rwrouter.routing.prepared import PlannedStatement, StatementBook
from rwrouter.routing.session import Session
from rwrouter.routing.terms import Wish
from rwrouter.sql.plans import ENDS, Plan, Target

if TYPE_CHECKING:
    from rwrouter.protocol.auth import Secret
    from rwrouter.protocol.upload import Upload
    from rwrouter.proxy.diagnostics import Left
    from rwrouter.proxy.gateway import Gateway
    from rwrouter.proxy.idling import IdleTimer
    from rwrouter.proxy.trackers import LaidOpen

log = logging.getLogger("rwrouter.client")

REPLICA: Final = Target.REPLICA

_unpack: Final = Struct("<IB").unpack_from  # length and sequence id in one int, command

INBOX_LIMIT: Final = 1 << 16
"""What a client may send ahead of the replies before it is no longer read."""

WRITE_BUFFER: Final = 1 << 18
"""Bytes of a reply that wait for a slow client before the server is no longer read."""

UNREAD: Final = Plan(Target.PRIMARY, "a statement with attributes that could not be read")

_NO_REPLY: Final = frozenset({COM_STMT_CLOSE, COM_STMT_SEND_LONG_DATA})


class ClientConnection(asyncio.Protocol):
    """One client, its session, and the session's connections: at most one to each server."""

    def __init__(
        self,
        gateway: "Gateway",
        transport: asyncio.Transport,
        number: int,
        login: Login,
        account: Account,
        backend: BackendConnection,
        *,
        peer: str,
        secure: bool,
        scramble: bytes = b"",
        session: Session | None = None,
    ) -> None:
        self.gateway = gateway
        self.number = number  # the connection id that the client knows
        self.login = login
        self.account = account
        self.peer = peer
        self.secure = secure
        self.scramble = scramble  # of the greeting
        self.failed_changes = 0  # of its user
        self.since = gateway.loop.time()  # when it was logged in
        self.session = Session(backend.schema) if session is None else session
        self.session.begin(backend.reply.status)
        self.key = client_key(peer, number)
        self.wish = Wish()  # by RWROUTER SET
        self.rules = gateway.rules.of_session(login.user, self._schema(), host_of(peer))
        self.terms = gateway.terms(login.user, self.wish, self.rules)
        self.consistency = self.terms.consistency
        self.spreads = self.terms.need_no_choice  # its reads need no decision beyond the plan
        self.backends: dict[Endpoint, BackendConnection] = {backend.endpoint: backend}
        self.was_reset = False  # by COM_RESET_CONNECTION: connections opened from then on are reset, too
        self.statements = StatementBook()
        self.statement: PlannedStatement | None = None  # of the COM_STMT_* command that runs
        self.cursors: dict[PlannedStatement, BackendConnection] = {}  # where each is open
        self.home: BackendConnection | None = None  # where the session is tied to while it is not free
        self.keeper: BackendConnection | None = None  # where names are that it keeps: text PREPARE, HANDLER
        self.user_variables: dict[str, BackendConnection] = {}  # where each was set last
        self.insert_id_at: BackendConnection | None = None  # where LAST_INSERT_ID() is not 0
        self.laid_open: LaidOpen | None = (
            None  # where its own session_track_* stand, until the next statement
        )
        self.new_secret: Secret | None = None  # a password that the session has set for its own account
        self.left_out: dict[Endpoint, int] = {}  # refused the session's variables of this version
        self.last: BackendConnection = backend  # of the statement before, or of the command that failed
        self.charset_at: BackendConnection | None = None  # where it was set last, with its collation
        self.left: Left | None = None  # where its counts and warnings are, if it is not there
        self.current: BackendConnection | None = None  # of the statement that runs
        self.plan: Plan = commands.STATEMENT  # of the statement that runs
        self.command = COM_QUERY
        self._unusual = False  # what `_ended` has to put right after this statement
        self.request = b""  # kept until the reply begins, to run a read again
        self.started = False  # a part of the reply has been passed on
        self.retries = 0
        self.held_until = (
            0.0  # when the statement's wait for a primary ends, by the loop's clock; 0: not begun
        )
        self.work: asyncio.Task[None] | None = None  # preparing a connection for the statement
        self.idle_timer: IdleTimer | None = None  # once the session has set wait_timeout
        self.upload: Upload | None = None  # the rest of a command, or a file, that is being passed on
        self.closed = False
        self._busy = False
        self.inbox = bytearray()
        self._paused = False  # the client is not read
        self._stalled = False  # the client takes no more bytes for now
        self._slowed: BackendConnection | None = None  # is not read, until the client takes bytes again
        self._transport = transport
        self._write = transport.write
        self.routes: Routes | ClientRoutes | Sticky = gateway.routes.of(self.key)
        self.is_monotonic = gateway.settings.reads.monotonic
        if self.is_monotonic:
            self.routes = Sticky(self.routes, self.session)
        self._counters = gateway.counters
        self.is_compressed = bool(login.capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD))
        self.has_attributes = bool(login.capabilities & CLIENT_QUERY_ATTRIBUTES)
        self._mode_version = -1
        self._follow_mode()
        backend.borrower = self
        transport.set_write_buffer_limits(WRITE_BUFFER)

    # -- from the client

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client: as a rule one whole statement."""
        if self._busy or self.inbox or len(data) < 5:
            self._queue(data)
            return
        header, command = _unpack(data)
        if header != len(data) - 4:  # its sequence id is 0, too
            self._queue(data)
        elif command == COM_QUERY and not self.has_attributes:
            # The common case, in one piece of code: a read of a free session.
            plan = self.plan_of(data[5:])
            session = self.session
            if not (plan.is_quick and session.free and self.spreads):
                self._query(data, plan)
                return
            endpoint = self.routes.readers.pick()
            backend = self.backends.get(endpoint)  # type: ignore[arg-type]
            if backend is None or backend.version != session.version or backend.reached != session.writes:
                self._query_of(data, plan, endpoint)
                return
            endpoint.counters.reads += 1  # type: ignore[union-attr]
            self._busy = True
            self.plan = plan
            self.request = data
            self.current = backend
            backend.busy = True
            backend.reply.begin(COM_QUERY)
            backend.write(data)
        elif command == COM_STMT_EXECUTE:
            self._execute(data)
        else:
            self._queue(data)

    def _query(self, data: bytes, plan: Plan) -> None:
        """Run a COM_QUERY that is here whole."""
        session = self.session
        backend = self.home
        if session.free:
            if self.spreads and (
                plan.is_plain_read or (plan.target is REPLICA and plan.hint is None and not session.keeps)
            ):
                self._query_of(data, plan, self.routes.readers.pick())
            else:
                deciding.run(self, data, plan)
        elif (
            backend is None
            or backend.version != session.version
            or plan.is_special
            or (backend.endpoint is not self.routes.primary and plan.target is not REPLICA)
        ):
            deciding.run(self, data, plan)
        else:
            self.dispatch(backend, data, plan, COM_QUERY)

    def _query_of(self, data: bytes, plan: Plan, endpoint: Endpoint | None) -> None:
        """Run a read on *endpoint*, whose turn it is."""
        session = self.session
        backend = self.backends.get(endpoint) if endpoint is not None else None
        if endpoint is None:
            deciding.run(self, data, plan)
        elif backend is None or backend.version != session.version or backend.reached != session.writes:
            self.prepare(data, plan, Where.READ, endpoint)
        else:
            self.dispatch(backend, data, plan, COM_QUERY)

    def _execute(self, data: bytes) -> None:
        """Run a COM_STMT_EXECUTE that is here whole: as `_query`, with the ids of the server in it."""
        statement = self.statements.get(int.from_bytes(data[5:9], "little"))
        if statement is None:
            executing.run(self, data)
            return
        self.statement = statement
        session = self.session
        plan = statement.plan
        if session.free:
            if not (plan.is_plain_read and self.spreads):
                executing.execute(self, data, statement)
                return
            endpoint = self.routes.readers.pick()
            backend = self.backends.get(endpoint) if endpoint is not None else None
            prepared = backend.prepared.get(statement) if backend is not None else None
            if (
                backend is None
                or prepared is None
                or backend.version != session.version
                or backend.reached != session.writes
                or statement.has_long_data
            ):
                executing.execute(self, data, statement, endpoint)
                return
            backend.endpoint.counters.reads += 1
        else:
            backend = self.home
            prepared = backend.prepared.get(statement) if backend is not None else None
            if (
                backend is None
                or prepared is None
                or backend.version != session.version
                or plan.is_special
                or (backend.endpoint is not self.routes.primary and plan.target is not REPLICA)
            ):
                executing.execute(self, data, statement)
                return
            backend.endpoint.counters.writes += 1
        self._busy = True
        self.plan = plan
        self.request = data
        self.current = backend
        self.command = COM_STMT_EXECUTE
        self._unusual = True
        backend.prepared.used(statement)
        backend.send(translate(data, statement, prepared, attributes=self.has_attributes), COM_STMT_EXECUTE)

    def run(self, data: bytes, plan: Plan, command: int = COM_QUERY) -> None:
        """Answer a command, or have it sent where it belongs."""
        deciding.run(self, data, plan, command)

    def prepare(
        self,
        data: bytes,
        plan: Plan,
        where: Where,
        endpoint: Endpoint | None,
        command: int = COM_QUERY,
        server: str | None = None,
    ) -> None:
        """Have a connection found, opened or brought up to date for a command, then send it."""
        self._busy = True
        self.retries = 0
        self.held_until = 0.0
        self.started = False
        self.current = None
        self.work = self.gateway.spawn(pairing.pair(self, data, plan, command, where, endpoint, server))

    def dispatch(self, backend: BackendConnection, data: bytes, plan: Plan, command: int) -> None:
        """Send a command to the connection that has been chosen and prepared for it."""
        counters = backend.endpoint.counters
        if plan.target is REPLICA and self.session.free:
            counters.reads += 1
        else:
            counters.writes += 1
        self._busy = True
        self.plan = plan
        self.command = command
        self._unusual = command != COM_QUERY or self.retries > 0
        if plan.leaves and (self.left is not None or self.last is not backend):
            diagnostics.keep(self, backend, data, plan.leaves)
        self.request = data
        self.started = False
        self.current = backend
        self.work = None
        if command in executing.COMMANDS:
            data = executing.to_server(self, backend, data, command)
        if self.is_monotonic and backend.endpoint is self.routes.primary:
            self.session.wrote_somewhere()  # what it sees here, a replica has to have
        if plan.target is Target.LOCAL:
            Numbering(self, backend)
        if command in _NO_REPLY:
            backend.transport.write(data)
            if self.upload is None:
                self.finished()
            else:
                uploading.pass_on(self)
            return
        backend.send(data, command)
        if self.upload is not None:
            uploading.pass_on(self)

    def _queue(self, data: bytes) -> None:
        """Keep bytes that are no single whole statement, and take from them what can be run."""
        if self.upload is not None and self.current is not None:
            self.inbox += data
            uploading.pass_on(self)
            return
        self.inbox += data
        if self._busy:
            if len(self.inbox) > INBOX_LIMIT:
                self.pause()
            return
        self._next_command()

    def _next_command(self) -> None:
        """Run the next command that the inbox holds, whole or by its head."""
        longest = self.gateway.settings.limits.classified_bytes
        while not (self._busy or self.closed or self._stalled):
            try:
                found = cut(self.inbox, longest)
            except RouterError as error:
                self.fail(error, close=True)
                return
            if found is None:
                self.resume()  # it would else never be whole
                return
            if isinstance(found, int):
                uploading.begin(self, found)
                return
            self._command(found)

    def _command(self, data: bytes) -> None:
        """Run one command that is here whole."""
        command = data[4]
        if command == COM_QUERY:
            if self.has_attributes:
                sql = sql_of_query(data)
                plan = UNREAD if sql is None else self.plan_of(sql)
            else:
                plan = self.plan_of(data[5:])
            self._query(data, plan)
        elif command in executing.COMMANDS:
            executing.run(self, data)
        elif command == COM_QUIT:
            self.close()
        elif command == COM_CHANGE_USER:
            self._busy = True
            self.resume()  # for the rest of the login
            rest, self.inbox = bytes(self.inbox), bytearray()
            user_change.begin(self, self._transport, data + rest)
        else:
            commands.run(self, data)

    # -- from the servers

    def forward(self, data: bytes) -> None:
        """Pass on a part of a reply."""
        self.started = self._unusual = True
        self._write(data)

    def replied(self, backend: BackendConnection, data: bytes) -> None:
        """The statement has ended: pass on the last of its reply, and learn what it did to the session."""
        reply = backend.reply
        plan = self.plan
        effects = plan.effects
        if reply.error is not None:
            if recovery.run_again(self, backend, reply.error):
                return
            self._write(recovery.told_as_by_the_primary(self, backend, data))
            diagnostics.failed(self, backend)
            self.last = backend
            backend.endpoint.counters.errors += 1
            learning.failed(self, backend, effects)
            self._ended()
        elif reply.changes or reply.untold:
            self._write(data)
            self._learn(backend, effects, data)
            if self.command == COM_QUERY:
                self.last = backend
            self._ended()
        else:
            self.replied_well(backend, data)

    def replied_well(self, backend: BackendConnection, data: bytes) -> None:
        """The statement has ended well, and its reply reported no change of state."""
        self._write(data)
        effects = self.plan.effects
        if effects or (backend.reply.status ^ self.session.settled) & SESSION_STATUS:
            self._learn(backend, effects, data)
        elif self.command != COM_QUERY:
            self._after(backend)
        if self.command == COM_QUERY:  # the others leave warnings and counts as they were
            self.last = backend
        self._busy = False
        if self.inbox or self._paused or self._unusual:
            self._ended()

    def _ended(self) -> None:
        """Go on to the next command."""
        self.command = COM_QUERY  # what nearly every next one is
        self.started = self._unusual = False
        self.retries = 0
        self._busy = False
        if self.inbox or self._paused:
            self._next_command()

    def _learn(self, backend: BackendConnection, effects: int, data: bytes) -> None:
        learning.learn(self, backend, effects, data)
        if self.session.mode_version != self._mode_version:
            self._follow_mode()
        if self.command != COM_QUERY:
            self._after(backend)

    def _after(self, backend: BackendConnection) -> None:
        """A command other than COM_QUERY has ended well."""
        if self.command == COM_STMT_EXECUTE:
            self.last = backend
            statement = self.statement
            has_more = backend.reply.status & SERVER_STATUS_CURSOR_EXISTS
            if has_more or self.cursors or (statement is not None and statement.has_long_data):
                executing.after(self, backend)
        elif self.command in executing.COMMANDS:
            executing.after(self, backend)
        else:
            commands.after(self, backend)

    def sql_at_hand(self) -> bytes:
        """Return the text of the COM_QUERY that runs."""
        return self.sql_of(self.request)

    def sql_of(self, data: bytes) -> bytes:
        """Return the text of the COM_QUERY *data*."""
        return (sql_of_query(data) or b"") if self.has_attributes else data[5:]

    def _schema(self) -> str:
        return self.session.schema.decode("utf-8", "replace")

    def follow_terms(self) -> None:
        """Read from now on as settings and the session itself ask."""
        gateway = self.gateway
        rules = gateway.rules.of_session(self.login.user, self._schema(), host_of(self.peer))
        if rules != self.rules:
            self.rules = rules
            self.plan_of = gateway.planner(self._classifier, rules)
        self.terms = terms = gateway.terms(self.login.user, self.wish, rules)
        if terms.consistency != self.consistency:
            self.session.writes += 1  # who has the session's writes is asked anew: "eventual" did not care
        self.consistency = terms.consistency
        self.spreads = terms.need_no_choice

    def _follow_mode(self) -> None:
        """Read SQL from now on as the session's mode and character set say."""
        session = self.session
        self._mode_version = session.mode_version
        client = session.variables.get(b"character_set_client")
        self._classifier = self.gateway.classifier(
            ansi_quotes=session.ansi_quotes,
            no_backslash_escapes=session.no_backslash_escapes,
            multibyte=is_unsafe_collation(self.login.collation)
            if client is None
            else has_unsafe_trail_bytes(client),
        )
        self.plan_of = self.gateway.planner(self._classifier, self.rules)

    def plan_head(self, head: bytes, size: int) -> Plan:
        """Return the plan of a statement of *size* bytes, of which *head* is the beginning."""
        return self.gateway.ruled(self._classifier.plan_head(head, size), self.rules)

    def learn_write(self, digest: str) -> None:
        """A replica has refused a statement of this digest as a write."""
        self._classifier.learn_write(digest)

    def infile_wanted(self, backend: BackendConnection, data: bytes) -> None:
        """A server asks for the file of a LOCAL INFILE."""
        uploading.file_wanted(self, backend, data)

    def backend_lost(self, backend: BackendConnection, why: str) -> None:
        """A server's connection is gone."""
        recovery.connection_lost(self, backend, why)

    def topology_changed(self) -> None:
        """The monitor has something new: leave servers that are gone."""
        holding.follow_primary(self)
        recovery.leave_dead_servers(self)

    # -- ends

    def finished(self) -> None:
        """The command needs no reply, or has had it: go on with the next."""
        self._busy = False
        self.retries = 0
        self.work = None
        if self.inbox or self._paused:
            self._next_command()

    def begin_local(self, work: Coroutine[Any, Any, None]) -> None:
        """Let *work* answer the command at hand, by `reply_with` or `fail`."""
        self._busy = True
        self.started = False
        self.current = None
        self.work = self.gateway.spawn(work)

    def reply_with(self, packets: bytes) -> None:
        """Answer a command that needs no server, or that none has answered."""
        self._write(packets)
        self._counters.local_answers += 1
        self.finished()

    def fail(self, error: RouterError, *, close: bool = False, sequence_id: int = 1) -> None:
        """Answer with an error of the router's own."""
        if self.upload is not None or error.ends_session:
            close = True  # the rest of the command is still to come, and nobody would take it
        log.log(
            logging.WARNING if close else logging.INFO,
            'event=%s client=%s code=%d reason="%s"',
            "ended" if close else "error",
            self.peer,
            error.code,
            error,
        )
        self._write(build_error(error, sequence_id))
        self.work = None
        if close:
            self._transport.close()
        else:
            self.finished()

    def fail_raw(self, packet: bytes, *, close: bool = False) -> None:
        """Answer with a server's own error."""
        self._write(packet)
        self.work = None
        if close or self.upload is not None:
            self._transport.close()
            return
        self.finished()

    def abandon(self) -> None:
        """End the connection where an error could not be told from a part of the result."""
        self._transport.close() if not self.started else self._transport.abort()

    def shut_down(self) -> None:
        """The worker ends."""
        self.hang_up(None if self._busy else ShuttingDown("Server shutdown in progress"))

    def hang_up(self, last_words: RouterError | tuple[int, str, str] | None) -> None:
        """End the connection, which waits for no reply, with an error or without."""
        if last_words is not None:
            self._write(build_error(last_words, 0))
        self._transport.close()

    def close(self) -> None:
        """End the session as the client asked."""
        self._transport.close()

    @property
    def is_running(self) -> bool:
        """A command is under way."""
        return self._busy

    @property
    def is_idle(self) -> bool:
        """No statement runs, and nothing ties the session to a connection."""
        return not self._busy and self.home is None

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone: its servers' connections go too, and with them an open transaction."""
        self.closed = True
        self.gateway.clients.pop(self.number, None)
        if self.idle_timer is not None:
            self.idle_timer.stop()
        if self.work is not None:
            self.work.cancel()
        if exc is not None:
            log.info('event=ended client=%s reason="%s"', self.peer, exc)
        worthless = self.plan.target is REPLICA or (self.home is not None and not self.plan.effects & ENDS)
        if self.current is not None and self._busy and not self.current.closed and worthless:
            # A server would see only at its next write that nobody waits for the result. An autocommit write
            # and a COMMIT go on, as they do on a server whose client has gone.
            self.gateway.spawn(kill_abandoned(self.gateway, self.current, self.account))
        self.let_go()

    def let_go(self) -> None:
        """Give up all connections to servers, and with them what the session has there."""
        for backend in tuple(self.backends.values()):
            backend.close()
        self.backends.clear()
        self.home = None

    def eof_received(self) -> bool:
        """Close with the client."""
        return False

    # -- backpressure

    def pause_writing(self) -> None:
        """The client is too slow for its result: let the server wait, and what the client has sent ahead.

        Another server would else answer that, and nobody would know which one to read again.
        """
        self._stalled = True
        self.pause()
        if self.current is not None and not self.current.closed:
            self._slowed = self.current
            self._slowed.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client takes bytes again."""
        self._stalled = False
        slowed, self._slowed = self._slowed, None
        if slowed is not None and not slowed.closed:
            slowed.transport.resume_reading()
        if not self._busy:
            self._next_command()

    def backend_full(self) -> None:
        """The server is too slow for what the client sends."""
        self.pause()

    def backend_ready(self) -> None:
        """The server takes bytes again."""
        self.resume()

    def pause(self) -> None:
        """Read no more from the client."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read from the client again."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
