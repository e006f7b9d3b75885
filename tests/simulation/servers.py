"""Modelled MySQL servers: one log of transactions with GTIDs, a primary that appends, replicas that apply it later.

Commits are never lost (as with semi-synchronous replication): a promoted replica has applied the whole log. The
statements understood are those that the modelled clients use, and those of the router itself.
"""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from rwrouter.protocol import packets as handshake
from rwrouter.protocol.handshake import SUPPORTED
from tests.simulation import wire
from tests.simulation.loop import Loop
from tests.simulation.network import End, Network

Operation = tuple[str, int, bytes]
"""("insert", key, value) or ("add", key, tag): a counter grows by one."""

DEFAULTS = {b"time_zone": b"SYSTEM", b"max_execution_time": b"0", b"sql_select_limit": b"100"}

_TAG = re.compile(rb"'(c\d+\.\d+)'|/\* (c\d+\.\d+) \*/")
_INSERT = re.compile(rb"INSERT INTO t VALUES \((\d+), '([^']+)'\)")
_ADD = re.compile(rb"UPDATE n SET n = n \+ 1 WHERE k = (\d+)")
_SELECT = re.compile(
    rb"SELECT '([^']+)', (k, v) FROM t WHERE k (?:= (\d+)|BETWEEN (\d+) AND (\d+))( FOR UPDATE)?"
)
_COUNT = re.compile(rb"SELECT '([^']+)', n FROM n WHERE k = (\d+)")
_VARIABLES = re.compile(rb"SELECT '([^']+)', @@time_zone, @@max_execution_time, @@sql_select_limit")
_USER = re.compile(rb"SELECT '([^']+)', @u")
_ASSIGN = re.compile(rb"@@SESSION\.(\w+)\s*=\s*('(?:[^']*)'|[^,]+)")
_WAIT = re.compile(rb"SELECT WAIT_FOR_EXECUTED_GTID_SET\('([^']*)', ([\d.e-]+)\)")
_KILL = re.compile(rb"KILL (QUERY|CONNECTION) (\d+)")


@dataclass(slots=True)
class Transaction:
    """One entry of the log."""

    at: float
    uuid: str
    number: int
    operations: list[Operation]


@dataclass(slots=True)
class Run:
    """Where a client's statement ran."""

    server: str
    session: int
    in_transaction: bool


@dataclass
class Cluster:
    """All servers, and what has happened to the data."""

    loop: Loop
    network: Network
    rng: random.Random
    trace: Callable[..., None]
    log: list[Transaction] = field(default_factory=list)
    values: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)  # key -> (log position, value)
    counts: dict[int, list[int]] = field(default_factory=dict)  # key -> log positions at which it grew
    servers: dict[str, "Server"] = field(default_factory=dict)
    runs: dict[bytes, list[Run]] = field(default_factory=dict)  # tag -> where it ran
    committed: dict[bytes, int] = field(default_factory=dict)  # tag of a write -> how often it is in the log
    last: dict[str, int] = field(default_factory=dict)  # uuid -> last number

    def commit(self, server: "Server", operations: list[Operation]) -> bytes:
        """Append a transaction; return its GTID."""
        number = self.last[server.uuid] = self.last.get(server.uuid, 0) + 1
        self.log.append(Transaction(self.loop.time(), server.uuid, number, operations))
        position = server.applied = len(self.log)
        for kind, key, value in operations:
            self.committed[value] = self.committed.get(value, 0) + 1
            if kind == "insert":
                self.values.setdefault(key, []).append((position, value))
            else:
                self.counts.setdefault(key, []).append(position)
        for one in self.servers.values():
            one.apply()
        return f"{server.uuid}:{number}".encode()

    def executed(self, position: int) -> str:
        """Return the GTID set of the first *position* transactions."""
        last: dict[str, int] = {}
        for transaction in self.log[:position]:
            last[transaction.uuid] = transaction.number
        return ",".join(f"{uuid}:1-{number}" for uuid, number in sorted(last.items()))

    def position_of(self, gtids: bytes) -> int:
        """Return how much of the log holds all of *gtids*; more than there is where that is nowhere."""
        wanted = 0
        for item in gtids.decode().split(","):
            uuid, _, intervals = item.partition(":")
            number = int(intervals.rpartition(":")[2].rpartition("-")[2])
            for position, transaction in enumerate(self.log, 1):
                if transaction.uuid == uuid and transaction.number == number:
                    wanted = max(wanted, position)
                    break
            else:
                return len(self.log) + 1_000_000
        return wanted


class Server:
    """One server: its role, its health, its place in the log."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.cluster = cluster
        self.name = f"db{number}"
        self.number = number
        self.uuid = f"{number:08d}-0000-0000-0000-000000000000"
        self.is_read_only = True
        self.is_alive = True
        self.is_hung = False
        self.is_applying = True
        self.is_full = False
        self.lag = 0.0
        self.applied = 0
        self.sessions: dict[int, ServerSession] = {}
        self._next = number * 1000
        self._deferred: list[Callable[[], None]] = []
        self._waiting: list[Callable[[], None]] = []
        cluster.servers[self.name] = self
        cluster.network.listeners[self.name] = self.accept

    def accept(self) -> asyncio.Protocol:
        """Take a connection: the kernel does, even for a server that hangs. Raises ConnectionRefusedError."""
        if not self.is_alive:
            raise ConnectionRefusedError(111, "connection refused")
        self._next += 1
        return ServerSession(self, self._next)

    def when_awake(self, work: Callable[[], None]) -> None:
        """Do *work* now, or once the server no longer hangs."""
        if self.is_hung:
            self._deferred.append(work)
        else:
            work()

    def hang(self) -> None:
        """Stop, as by SIGSTOP."""
        self.is_hung = True

    def resume(self) -> None:
        """Go on, as by SIGCONT."""
        self.is_hung = False
        deferred, self._deferred = self._deferred, []
        for work in deferred:
            work()
        self.apply()

    def crash(self) -> None:
        """Die: open transactions are gone, connections reset."""
        self.is_alive = self.is_hung = False
        self._deferred.clear()
        for session in list(self.sessions.values()):
            session.die()
        self.sessions.clear()

    def restart(self) -> None:
        """Come back, as a replica."""
        self.is_alive = True
        self.is_hung = False
        self.apply()

    def wait_for(self, check: Callable[[], None]) -> None:
        """Call *check* whenever something has been applied."""
        self._waiting.append(check)

    def apply(self) -> None:
        """Apply what is due of the log."""
        cluster = self.cluster
        if not self.is_alive or self.is_hung or not self.is_applying or not self.is_read_only:
            return
        now = cluster.loop.time()
        log = cluster.log
        before = self.applied
        while self.applied < len(log) and log[self.applied].at + self.lag <= now + 1e-9:
            self.applied += 1
        if self.applied < len(log):
            cluster.loop.call_at(log[self.applied].at + self.lag, self.apply)
        if self.applied != before:
            waiting, self._waiting = self._waiting, []
            for check in waiting:
                check()

    def catch_up(self) -> None:
        """Apply all there is: what a promotion waits for."""
        self.applied = len(self.cluster.log)
        waiting, self._waiting = self._waiting, []
        for check in waiting:
            check()


class ServerSession(asyncio.Protocol):
    """One connection to a server."""

    def __init__(self, server: Server, number: int) -> None:
        self.server = server
        self.number = number
        self.capabilities = 0
        self._buffer = bytearray()
        self._is_logged_in = False
        self._is_busy = False
        self._is_dead = False
        self._is_gone = False  # the other side has hung up
        self._is_killed = False
        self._is_binary = False  # the reply under way is one of the binary protocol
        self._last_prepared = number * 100
        self._reset()

    def _reset(self) -> None:
        self.autocommit = True
        self.in_transaction = False
        self.is_read_only = False
        self.view: int | None = None  # log position that a read-only transaction sees
        self.pending: list[Operation] = []
        self.variables = dict(DEFAULTS)
        self.user = b"NULL"
        self.tracked: frozenset[bytes] = frozenset({b"time_zone", b"autocommit"})
        self.tracks_gtids = False
        self.tracks_schema = True
        self.prepared: dict[int, bytes] = {}  # number -> text with "?"
        self.typed: set[int] = set()  # those whose types are known here

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = cast("End", transport)
        self.server.sessions[self.number] = self
        self.server.when_awake(self._greet)

    def _greet(self) -> None:
        if self.server.is_full:
            self._write(wire.packets([b"\xff\x10\x04Too many connections"], 0))
            self.transport.close()
            return
        greeting = handshake.HandshakeV10("8.4.0", self.number, b"s" * 20, SUPPORTED, 45)
        self._write(wire.packets([handshake.build_greeting(greeting)], 0))

    def _write(self, data: bytes) -> None:
        if not self._is_dead:
            self.transport.write(data)

    def die(self) -> None:
        """The server has crashed."""
        self._is_dead = True
        self.transport.break_link()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Roll back; what runs runs to its end."""
        self._is_gone = True
        self.server.sessions.pop(self.number, None)

    def eof_received(self) -> bool:
        """Close too."""
        return False

    def data_received(self, data: bytes) -> None:
        """Take bytes; run what is whole, one after the other."""
        self._buffer += data
        self._next_command()

    def _next_command(self) -> None:
        buffer = self._buffer
        if self._is_busy or self._is_dead or len(buffer) < 4:
            return
        size = int.from_bytes(buffer[:3], "little") + 4
        if len(buffer) < size:
            return
        payload = bytes(buffer[4:size])
        del buffer[:size]
        self._is_busy = True
        rng = self.server.cluster.rng
        takes = rng.choice((0.0005, 0.001, 0.001, 0.002, 0.01, 0.1 if rng.random() < 0.2 else 0.003))
        self.server.cluster.loop.call_later(takes, self.server.when_awake, lambda: self._run(payload))

    def _run(self, payload: bytes) -> None:
        if self._is_dead:
            return
        if not self._is_logged_in:
            response = handshake.parse_response(payload)
            self.capabilities = response.capabilities & SUPPORTED
            self._is_logged_in = True
            self._write(wire.packets([wire.ok_payload(2, b"", b"", self.capabilities)], 2))
            self._is_busy = False
            self._next_command()
            return
        command = payload[0]
        if command == 1:
            self.transport.close()
            return
        if self._is_gone and self.in_transaction:
            return  # it was rolled back
        if self._is_killed:
            self._is_killed = False
            self._reply(wire.error(1317, "Query execution was interrupted"))
            return
        self._is_binary = False
        if command == 3:
            self._query(payload[1:])
        elif command == 0x16:
            self._prepare(payload[1:])
        elif command == 0x17:
            self._execute(payload)
        elif command == 0x19:
            self.prepared.pop(int.from_bytes(payload[1:5], "little"), None)
            self._is_busy = False  # it has no reply
            self._next_command()
        elif command == 0x1F:
            self._reset()
            self._ok(b"")
        else:
            self._ok(b"")

    def _reply(self, data: bytes) -> None:
        """Send *data* a moment after the statement has run: what happens between leaves its outcome unknown."""
        rng = self.server.cluster.rng
        later = 0.05 if rng.random() < 0.03 else 0.0005
        self.server.cluster.loop.call_later(later, self.server.when_awake, lambda: self._send(data))

    def _send(self, data: bytes) -> None:
        self._write(data)
        self._is_busy = False
        self._next_command()

    @property
    def status(self) -> int:
        """Return the status flags."""
        flags = wire.AUTOCOMMIT if self.autocommit else 0
        if self.in_transaction:
            flags |= wire.IN_TRANS | (wire.IN_TRANS_READONLY if self.is_read_only else 0)
        return flags

    def _ok(self, tag: bytes, state: bytes = b"") -> None:
        self._reply(wire.ok(self.status, tag, state, self.capabilities))

    def _error(self, code: int, why: str) -> None:
        self._reply(wire.error(code, why))

    def _rows(self, found: list[list[bytes]], width: int) -> None:
        self._reply(wire.rows(found, width, self.status, self.capabilities, binary=self._is_binary))

    def _prepare(self, sql: bytes) -> None:
        self._last_prepared += 1
        self.prepared[self._last_prepared] = sql
        select = sql.startswith(b"SELECT")
        columns = (3 if b"v FROM t" in sql else 2) if select else 0
        self.server.cluster.trace(f"{self.server.name}#{self.number} prepares", self._last_prepared, sql)
        self._reply(wire.prepared(self._last_prepared, sql.count(b"?"), columns, self.capabilities))

    def _execute(self, payload: bytes) -> None:
        number = int.from_bytes(payload[1:5], "little")
        sql = self.prepared.get(number)
        if sql is None:
            self._error(1243, f"Unknown prepared statement handler ({number})")
            return
        has_types, values = wire.read_execute(payload, sql.count(b"?"))
        if has_types:
            self.typed.add(number)
        elif number not in self.typed:
            self._error(1210, "Incorrect arguments to mysqld_stmt_execute")
            return
        for value in values:
            sql = sql.replace(b"?", value if value.isdigit() else b"'" + value + b"'", 1)
        self._is_binary = True
        self._query(sql)

    def _query(self, sql: bytes) -> None:
        server = self.server
        match = _TAG.search(sql)
        tag = (match[1] or match[2]) if match else b""
        server.cluster.trace(f"{server.name}#{self.number} runs", sql, "at", server.applied)
        if sql.startswith((b"INSERT", b"UPDATE")):
            self._change(sql, tag)
        elif sql.startswith(b"SELECT WAIT"):
            self._wait(sql)
        elif sql.startswith(b"SELECT"):
            self._select(sql, tag)
        elif sql.startswith(b"SET"):
            self._set(sql, tag)
        elif sql.startswith(b"KILL"):
            self._kill(sql)
        elif sql.startswith((b"BEGIN", b"START")):
            self._commit(tag, answer=False)
            self.in_transaction = True
            self.is_read_only = b"READ ONLY" in sql
            self._note(tag)
            self._ok(tag)
        elif sql.startswith(b"COMMIT"):
            self._note(tag)
            self._commit(tag, answer=True)
        elif sql.startswith(b"ROLLBACK"):
            self._note(tag)
            self._end()
            self._ok(tag)
        else:
            self._error(1064, "what is " + sql.decode("latin-1"))

    def _note(self, tag: bytes) -> None:
        if tag:
            self.server.cluster.runs.setdefault(tag, []).append(
                Run(self.server.name, self.number, self.in_transaction)
            )

    def _end(self) -> None:
        self.in_transaction = self.is_read_only = False
        self.view = None
        self.pending = []

    def _commit(self, tag: bytes, *, answer: bool) -> None:
        operations = self.pending
        refused = bool(operations) and self.server.is_read_only
        self._end()
        state = b""
        if operations and not refused:
            gtid = self.server.cluster.commit(self.server, operations)
            state = wire.gtid(gtid) if self.tracks_gtids else b""
        if not answer:
            return
        if refused:
            self._error(1290, "The MySQL server is running with the --super-read-only option")
        else:
            self._ok(tag, state)

    def _enter(self) -> None:
        """Begin a transaction by a statement that needs one, where autocommit is off."""
        if not self.autocommit and not self.in_transaction:
            self.in_transaction = True

    def _change(self, sql: bytes, tag: bytes) -> None:
        if self.server.is_read_only:
            self._error(1290, "The MySQL server is running with the --super-read-only option")
            return
        if self.is_read_only:
            self._error(1792, "Cannot execute statement in a READ ONLY transaction")
            return
        insert, add = _INSERT.match(sql), _ADD.match(sql)
        if insert is not None:
            key = int(insert[1])
            if key in self.server.cluster.values or any(one[:2] == ("insert", key) for one in self.pending):
                self._error(1062, f"Duplicate entry '{key}'")
                return
            operation = ("insert", key, tag)
        elif add is not None:
            operation = ("add", int(add[1]), tag)
        else:
            self._error(1064, "no such change")
            return
        self._enter()
        self._note(tag)
        self.pending.append(operation)
        if self.in_transaction:
            self._ok(tag)
        else:
            self._commit(tag, answer=True)

    def _value(self, key: int, position: int) -> bytes | None:
        for kind, other, value in self.pending:
            if kind == "insert" and other == key:
                return value
        found = [value for at, value in self.server.cluster.values.get(key, ()) if at <= position]
        return found[-1] if found else None

    def _select(self, sql: bytes, tag: bytes) -> None:
        self._enter()
        self._note(tag)
        position = self.server.applied
        if self.in_transaction and self.is_read_only:
            if self.view is None:
                self.view = position
            position = self.view
        if match := _COUNT.match(sql):
            key = int(match[2])
            count = sum(at <= position for at in self.server.cluster.counts.get(key, ()))
            count += sum(one[:2] == ("add", key) for one in self.pending)
            self._rows([[tag, str(count).encode()]], 2)
        elif match := _SELECT.match(sql):
            if match[6] and self.server.is_read_only:
                self._error(1290, "The MySQL server is running with the --super-read-only option")
                return
            first, last = (int(match[3]),) * 2 if match[3] else (int(match[4]), int(match[5]))
            keys = [key for key in range(first, last + 1) if self._value(key, position) is not None]
            self._rows([[tag, str(key).encode(), self._value(key, position) or b""] for key in keys] or [], 3)
        elif _VARIABLES.match(sql):
            self._rows([[tag, *(self.variables[name] for name in sorted(DEFAULTS))]], 4)
        elif _USER.match(sql):
            self._rows([[tag, self.user]], 2)
        else:
            self._error(1064, "no such query")

    def _set(self, sql: bytes, tag: bytes) -> None:
        state = b""
        self._note(tag)
        if match := re.match(rb"SET @u = (\d+)", sql):
            self.user = match[1]
            self._ok(tag, b"\x02" + wire.text(wire.text(b"1")))
            return
        body = (
            re.sub(rb"^SET (?:SESSION )?(?!@)", b"@@SESSION.", sql.split(b" /*")[0])
            if b"@@" not in sql
            else sql
        )
        for name, value in _ASSIGN.findall(body):
            value = value.strip().strip(b"'")
            if name == b"session_track_system_variables":
                self.tracked = frozenset(value.split(b","))
            elif name == b"session_track_gtids":
                self.tracks_gtids = value == b"OWN_GTID"
            elif name == b"autocommit":
                if value == b"1" and not self.autocommit and self.pending:
                    if self.server.is_read_only:
                        self._error(1290, "read only")
                        return
                    gtid = self.server.cluster.commit(self.server, self.pending)
                    state += wire.gtid(gtid) if self.tracks_gtids else b""
                if value == b"1":
                    self._end()
                self.autocommit = value == b"1"
                state += wire.variable(b"autocommit", b"ON" if self.autocommit else b"OFF")
            elif name in DEFAULTS:
                self.variables[name] = value
                if name in self.tracked:
                    state += wire.variable(name, value)
        self._ok(tag, state)

    def _wait(self, sql: bytes) -> None:
        match = _WAIT.match(sql)
        assert match is not None, sql
        server = self.server
        wanted = server.cluster.position_of(match[1])
        is_done = False

        def check() -> None:
            if not is_done and not self._is_dead:
                if server.applied >= wanted:
                    answer(b"0")
                else:
                    server.wait_for(check)

        def answer(value: bytes) -> None:
            nonlocal is_done
            if not is_done:
                is_done = True
                server.when_awake(lambda: self._rows([[value]], 1))

        server.cluster.loop.call_later(float(match[2]), answer, b"1")
        check()

    def _kill(self, sql: bytes) -> None:
        match = _KILL.match(sql)
        assert match is not None, sql
        target = self.server.sessions.get(int(match[2]))
        if target is None:
            self._error(1094, "Unknown thread id")
            return
        if match[1] == b"QUERY":
            target._is_killed = target._is_busy and target is not self
        else:
            target._is_dead = True
            target.transport.break_link()
        self._ok(b"")
