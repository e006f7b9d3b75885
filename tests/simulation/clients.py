"""Modelled clients: each runs a random program on a session, and knows what every reply may say.

A value is the tag of the statement that wrote it, so that each write is unique and each row tells whose it is.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from rwrouter.protocol import packets as handshake
from tests.simulation import wire
from tests.simulation.servers import DEFAULTS
from tests.simulation.wire import Broken, ReplyReader, Result

if TYPE_CHECKING:
    from tests.simulation.history import History
    from tests.simulation.network import End

UNKNOWN_OUTCOME = frozenset({9602, 9605, 1053})
"""After these errors a statement may have run."""

SHARED = 1
"""Key of the counter that all clients add to."""


class Gone(Exception):
    """The connection has ended."""


Check = Callable[[Result], None]


@dataclass(slots=True)
class Statement:
    """One command that waits for its reply."""

    sql: bytes
    check: Check
    tag: bytes
    writes: bool
    form: str = "text"  # of its reply: "text", "binary" or "prepare"
    command: bytes = b""  # its packet's payload, where it is no COM_QUERY


@dataclass(slots=True)
class Facts:
    """What a client knows of its writes, over all its sessions: tags."""

    acknowledged: set[bytes] = field(default_factory=set)
    refused: set[bytes] = field(default_factory=set)
    unknown: set[bytes] = field(default_factory=set)


class Connection(asyncio.Protocol):
    """One session of a client: bytes in, replies to whoever waits."""

    def __init__(self, capabilities: int) -> None:
        self.capabilities = capabilities
        self.reader = ReplyReader(capabilities)
        self.arrived: asyncio.Future[None] | None = None
        self.is_lost = False
        self.is_broken = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the greeting."""
        self.transport = cast("End", transport)

    def data_received(self, data: bytes) -> None:
        """Wake who waits."""
        self.reader.buffer += data
        self._wake()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Wake who waits: there will be no more."""
        self.is_lost = True
        self._wake()

    def eof_received(self) -> bool:
        """Close too."""
        return False

    def _wake(self) -> None:
        if self.arrived is not None and not self.arrived.done():
            self.arrived.set_result(None)

    async def more(self) -> None:
        """Wait until something has come. Raises Gone."""
        if self.is_lost:
            raise Gone
        self.arrived = asyncio.get_running_loop().create_future()
        await self.arrived

    async def packet(self) -> bytes:
        """Return the next payload of the handshake. Raises Gone."""
        buffer = self.reader.buffer
        while len(buffer) < 4 or len(buffer) < 4 + int.from_bytes(buffer[:3], "little"):
            await self.more()
        size = 4 + int.from_bytes(buffer[:3], "little")
        payload = bytes(buffer[4:size])
        del buffer[:size]
        return payload

    async def result(self, form: str) -> Result:
        """Return the next reply, of *form*. Raises Gone, Broken."""
        self.reader.form = form
        while (result := self.reader.next_result()) is None:
            await self.more()
        return result


class Client:
    """One client: sessions one after the other, until its program is done."""

    def __init__(self, history: "History", number: int, rng: random.Random) -> None:
        self.history = history
        self.number = number
        self.rng = rng
        self.facts = Facts()
        self.connection: Connection | None = None
        self.waits_since: float | None = None
        self.waits_for = b""
        self.id = 0  # the router's number for the session
        self.transactions: list[list[bytes]] = []  # tags of statements that belong to one transaction
        self._count = 0
        self._key = number * 10_000
        self._more = random.Random(f"{history.seed} {number}")
        self._fresh()

    def _fresh(self) -> None:
        self.own: dict[int, bytes] = {}  # what this session has written for certain
        self.added = 0  # to its private counter, by this session, for certain
        self.seen = 0  # of the shared counter, by this session: with `reads.monotonic` it never reads less
        self.variables = dict(DEFAULTS)
        self.user = b"NULL"
        self.prepared: dict[bytes, int] = {}  # text -> number
        self.typed: set[int] = set()  # numbers of those that were executed with types
        self.in_transaction: list[bytes] | None = None  # tags of its statements
        self.pending: list[tuple[bytes, int]] = []  # tag, key (0: counter) of its writes

    def _tag(self) -> bytes:
        self._count += 1
        return f"c{self.number}.{self._count}".encode()

    # -- the program

    async def run(self, steps: int) -> None:
        """Run a program of *steps* steps."""
        rng = self.rng
        attempts = 0
        while steps > 0 and attempts < steps + 6:
            attempts += 1
            try:
                await self._connect()
                while steps > 0:
                    steps -= 1
                    if rng.random() < 0.6:
                        await asyncio.sleep(rng.choice((0.001, 0.01, 0.05, 0.2, 0.4)))
                    if rng.random() < 0.03:
                        await self._leave()
                        break
                    await self._step()
            except Gone:
                self._give_up()
                await asyncio.sleep(rng.choice((0.001, 0.05, 0.3)))
            except Broken as exc:
                self.history.violation(f"client {self.number}: a malformed reply: {exc}")
                self._give_up()
                return
        if self.connection is not None and not self.connection.is_lost:
            await self._leave()

    def _give_up(self) -> None:
        if self.connection is not None:
            self.connection.transport.close()
        self.connection = None
        self.waits_since = None
        self.facts.unknown.update(tag for tag, _ in self.pending)
        self.pending = []

    async def _leave(self) -> None:
        """End the session, politely or not, and perhaps in mid-statement."""
        connection = self.connection
        assert connection is not None
        kind = self.rng.random()
        if kind < 0.5:
            connection.transport.write(b"\x01\x00\x00\x00\x01")
            connection.transport.close()
        elif kind < 0.8:
            connection.transport.abort()
        else:
            tag = self._tag()
            self._key += 1
            self.facts.unknown.add(tag)
            sql = f"INSERT INTO t VALUES ({self._key}, '{tag.decode()}')".encode()
            connection.transport.write(_command(sql))
            await asyncio.sleep(self.rng.choice((0.0, 0.002, 0.01)))
            connection.transport.abort()
        self._give_up()

    async def _connect(self) -> None:
        """Log in. Raises Gone."""
        self._fresh()
        capabilities = wire.NEEDED
        capabilities |= self.rng.choice((0, wire.CLIENT_DEPRECATE_EOF))
        capabilities |= self.rng.choice((0, wire.CLIENT_SESSION_TRACK))
        self.waits_since, self.waits_for = self.history.loop.time(), b"login"
        try:
            _, protocol = await self.history.network.connect(
                lambda: Connection(capabilities), "router", f"client{self.number}"
            )
            connection = cast("Connection", protocol)
            self.connection = connection
            greeting = await connection.packet()
            if greeting[0] == 0xFF:
                raise Gone
            self.id = handshake.parse_greeting(greeting).connection_id
            response = handshake.HandshakeResponse(
                capabilities, 45, "app", b"", plugin="caching_sha2_password"
            )
            connection.transport.write(wire.packets([handshake.build_response(response)], 1))
            verdict = await connection.packet()
        except OSError as exc:
            raise Gone from exc
        if verdict[0]:
            raise Gone
        self.waits_since = None

    async def _ask(self, *statements: Statement) -> None:
        """Send statements at once, and check each reply. Raises Gone."""
        connection = self.connection
        assert connection is not None
        trace = self.history.trace
        for one in statements:
            trace(f"client{self.number} asks", one.sql)
        data = b"".join(
            wire.packets([one.command], 0) if one.command else _command(one.sql) for one in statements
        )
        left = list(statements)
        loop = self.history.loop
        if self.rng.random() < 0.05 and len(data) > 2:
            at = self.rng.randrange(1, len(data))
            connection.transport.write(data[:at])
            await asyncio.sleep(0.02)
            data = data[at:]
        if self.rng.random() < 0.03:
            connection.transport.pause_reading()
            loop.call_later(self.rng.choice((0.01, 0.5)), connection.transport.resume_reading)
        connection.transport.write(data)
        try:
            for one in statements:
                self.waits_since, self.waits_for = loop.time(), one.sql
                result = await connection.result(one.form)
                left.pop(0)
                trace(f"client{self.number} gets", result.code, result.info, result.rows)
                self._judge(one, result)
        except Gone:
            trace(f"client{self.number} is disconnected")
            self.facts.unknown.update(one.tag for one in left if one.writes)
            raise
        finally:
            self.waits_since = None

    def _judge(self, one: Statement, result: Result) -> None:
        history = self.history
        history.replies += 1
        if result.code:
            history.errors[result.code] = history.errors.get(result.code, 0) + 1
            if one.writes:
                (self.facts.unknown if result.code in UNKNOWN_OUTCOME else self.facts.refused).add(one.tag)
            if result.code == 1317 and self.id not in history.killed:
                history.violation(f"client {self.number}: {one.sql!r} was killed, and nobody asked for that")
            if result.code in {1062, 1064, 1210, 1243, 1792}:
                history.violation(f"client {self.number}: {one.sql!r} got {result.code} {result.info!r}")
            if b"without GTIDs" in result.info:
                history.violation(f"client {self.number}: servers with GTIDs, and {result.info!r}")
            one.check(result)
            return
        if one.tag:
            tags = {row[0] for row in result.rows} if result.is_rows else {result.info}
            if tags - {one.tag}:
                history.violation(f"client {self.number}: {one.sql!r} got the reply of {tags}")
        one.check(result)

    # -- the steps

    async def _counts(self) -> bool:
        """Take part in showing that time goes on: one client only reads what the others add to; True for that one."""
        if self.number != 1:
            if self._more.random() < 0.5:
                await self._ask(self._add(SHARED))
            return False
        for _ in range(8):
            await asyncio.sleep(self._more.choice((0.005, 0.02, 0.05)))
            await self._ask(self._count_shared())
        return True

    async def _step(self) -> None:
        rng = self.rng
        if self.history.settings.reads.monotonic and await self._counts():
            return
        kind = rng.random()
        if kind < 0.25:
            await self._ask(self._insert())
            if self.own and rng.random() < 0.8:
                await self._ask(self._select(next(reversed(self.own))))
        elif kind < 0.32:
            await self._ask(self._add(self.number + 100), self._count_own())
        elif kind < 0.36:
            await self._ask(self._add(SHARED))
            await self._ask(self._count_shared())
        elif kind < 0.43:
            await self._prepared_statements()
        elif kind < 0.50:
            await self._ask(
                self._select(rng.choice(list(self.own)) if self.own else 5, locks=rng.random() < 0.1)
            )
        elif kind < 0.56:
            await self._ask(self._range())
        elif kind < 0.62:
            await self._ask(rng.choice((self._count_own, self._count_shared))())
        elif kind < 0.74:
            await self._transaction()
        elif kind < 0.82:
            await self._ask(self._set())
            await self._ask(self._show())
        elif kind < 0.86:
            await self._ask(self._show())
        elif kind < 0.90:
            batch = [rng.choice((self._insert, self._range, self._show, self._count_own))() for _ in range(4)]
            await self._ask(*batch)
        elif kind < 0.93:
            await self._user_variable()
        elif kind < 0.95:
            await self._ask(Statement(b"COM_PING", _nothing, b"", writes=False, command=b"\x0e"))
        elif kind < 0.97:
            await self._ask(
                Statement(b"COM_RESET_CONNECTION", self._on_reset, b"", writes=False, command=b"\x1f")
            )
        else:
            await self._kill()

    def _insert(self) -> Statement:
        tag = self._tag()
        self._key += 1
        key = self._key

        def check(result: Result) -> None:
            if not result.code:
                self._wrote(tag, key)

        sql = f"INSERT INTO t VALUES ({key}, '{tag.decode()}')".encode()
        return Statement(sql, check, tag, writes=True)

    def _add(self, counter: int) -> Statement:
        tag = self._tag()

        def check(result: Result) -> None:
            if not result.code:
                self._wrote(tag, 0 if counter != SHARED else -1)

        sql = f"UPDATE n SET n = n + 1 WHERE k = {counter} /* {tag.decode()} */".encode()
        return Statement(sql, check, tag, writes=True)

    def _wrote(self, tag: bytes, key: int) -> None:
        if self.in_transaction is not None:
            self.pending.append((tag, key))
        else:
            self._count_in(tag, key)

    def _count_in(self, tag: bytes, key: int) -> None:
        self.facts.acknowledged.add(tag)
        if key > 0:
            self.own[key] = tag
        elif key == 0:
            self.added += 1
        else:
            self.history.shared += 1

    def _select(self, key: int, *, locks: bool = False) -> Statement:
        tag = self._tag()

        def check(result: Result) -> None:
            if not result.code:
                self._check_rows(result, key, key)

        end = " FOR UPDATE" if locks else ""
        sql = f"SELECT '{tag.decode()}', k, v FROM t WHERE k = {key}{end}".encode()
        return Statement(sql, check, tag, writes=False)

    def _range(self) -> Statement:
        tag = self._tag()
        first, last = self.number * 10_000, self._key

        def check(result: Result) -> None:
            if not result.code:
                self._check_rows(result, first, last)

        sql = f"SELECT '{tag.decode()}', k, v FROM t WHERE k BETWEEN {first} AND {last}".encode()
        return Statement(sql, check, tag, writes=False)

    def _visible(self) -> dict[int, bytes]:
        found = dict(self.own)
        found.update((key, tag) for tag, key in self.pending if key > 0)
        return found

    def _check_rows(self, result: Result, first: int, last: int) -> None:
        got = {int(row[1]): row[2] for row in result.rows}
        for key, value in self._visible().items():
            if first <= key <= last and got.get(key) != value:
                self.history.violation(
                    f"client {self.number}: a stale read: row {key} is {got.get(key)!r}, and {value!r} was written"
                )
        if any(not first <= key <= last for key in got):
            self.history.violation(f"client {self.number}: rows that it did not ask for: {got}")

    def _count_own(self) -> Statement:
        tag = self._tag()

        def check(result: Result) -> None:
            if result.code:
                return
            got = int(result.rows[0][1])
            least = self.added + sum(key == 0 for _, key in self.pending)
            if got < least:
                self.history.violation(
                    f"client {self.number}: a stale read: counter {got}, and it added {least}"
                )

        sql = f"SELECT '{tag.decode()}', n FROM n WHERE k = {self.number + 100}".encode()
        return Statement(sql, check, tag, writes=False)

    def _count_shared(self) -> Statement:
        tag = self._tag()
        least = self.history.shared if self.history.settings.reads.consistency == "global" else 0

        def check(result: Result) -> None:
            if result.code:
                return
            got = int(result.rows[0][1])
            if got < least:
                self.history.violation(
                    f"client {self.number}: a stale read: {got} where others had finished {least}"
                )
            if got < self.seen and self.history.settings.reads.monotonic:
                self.history.violation(
                    f"client {self.number}: time went back: it reads {got}, and has read {self.seen}"
                )
            self.seen = max(self.seen, got)

        sql = f"SELECT '{tag.decode()}', n FROM n WHERE k = {SHARED}".encode()
        return Statement(sql, check, tag, writes=False)

    def _set(self) -> Statement:
        tag = self._tag()
        name = self.rng.choice(sorted(DEFAULTS))
        value = (
            b"+%02d:00" % self.rng.randrange(10)
            if name == b"time_zone"
            else b"%d" % self.rng.randrange(1, 99)
        )

        def check(result: Result) -> None:
            if not result.code:
                self.variables[name] = value

        literal = b"'" + value + b"'" if name == b"time_zone" else value
        return Statement(b"SET " + name + b" = " + literal + b" /* " + tag + b" */", check, tag, writes=False)

    def _show(self) -> Statement:
        tag = self._tag()

        def check(result: Result) -> None:
            wanted = [self.variables[name] for name in sorted(DEFAULTS)]
            if not result.code and result.rows[0][1:] != wanted:
                self.history.violation(
                    f"client {self.number}: variables {result.rows[0][1:]}, set were {wanted}"
                )

        names = "@@time_zone, @@max_execution_time, @@sql_select_limit"
        sql = f"SELECT '{tag.decode()}', {names}".encode()
        return Statement(sql, check, tag, writes=False)

    async def _user_variable(self) -> None:
        tag, value = self._tag(), b"%d" % self.rng.randrange(1000)

        def on_set(result: Result) -> None:
            if not result.code:
                self.user = value

        await self._ask(Statement(b"SET @u = " + value + b" /* " + tag + b" */", on_set, tag, writes=False))
        again = self._tag()

        def check(result: Result) -> None:
            if not result.code and result.rows[0][1] != self.user:
                self.history.violation(
                    f"client {self.number}: @u is {result.rows[0][1]!r}, set was {self.user!r}"
                )

        await self._ask(Statement(b"SELECT '" + again + b"', @u", check, again, writes=False))

    def _on_reset(self, result: Result) -> None:
        if not result.code:
            self.variables, self.user = dict(DEFAULTS), b"NULL"
            self.prepared, self.typed = {}, set()

    async def _kill(self) -> None:
        others = [one for one in self.history.clients if one is not self and one.connection is not None]
        if not others or self.rng.random() < 0.5:
            return
        word = self.rng.choice((b"QUERY", b"CONNECTION"))
        target = self.rng.choice(others).id
        self.history.killed.add(target)
        await self._ask(Statement(b"KILL %s %d" % (word, target), _nothing, b"", writes=False))

    # -- prepared statements

    async def _prepared_statements(self) -> None:
        """Execute one of three statements, prepared where this session has not done so."""
        kind = self.rng.randrange(3)
        sql = (
            b"INSERT INTO t VALUES (?, ?)",
            b"SELECT ?, k, v FROM t WHERE k = ?",
            b"SELECT ?, n FROM n WHERE k = ?",
        )[kind]
        if sql not in self.prepared:
            found: list[Result] = []
            await self._ask(
                Statement(sql, found.append, b"", writes=False, form="prepare", command=b"\x16" + sql)
            )
            if found[0].code:
                return
            self.prepared[sql] = found[0].prepared
        for _ in range(self.rng.randrange(1, 4)):
            number = self.prepared[sql]
            key = self.rng.choice(list(self.own)) if self.own else 5
            one = self._insert() if kind == 0 else self._select(key) if kind == 1 else self._count_own()
            values = {
                0: [b"%d" % self._key, one.tag],
                1: [one.tag, b"%d" % key],
                2: [one.tag, b"%d" % (self.number + 100)],
            }
            types = number not in self.typed or self.rng.random() < 0.5
            one.form, one.command = "binary", wire.execute(number, values[kind], types=types)
            one.check = self._when_executed(number, one.check)
            await self._ask(one)

    def _when_executed(self, number: int, check: Check) -> Check:
        """Return *check* with a note, where all went well, that the types of *number* are known: as drivers do it."""

        def both(result: Result) -> None:
            if not result.code:
                self.typed.add(number)
            check(result)

        return both

    # -- transactions

    async def _transaction(self) -> None:
        rng = self.rng
        reads_only = rng.random() < 0.2
        by_autocommit = not reads_only and rng.random() < 0.2
        began = await self._control(
            b"START TRANSACTION READ ONLY"
            if reads_only
            else b"SET autocommit = 0"
            if by_autocommit
            else b"BEGIN"
        )
        if began is None:
            return
        tags: list[bytes] = [] if by_autocommit else [began]
        self.transactions.append(tags)
        self.in_transaction = tags
        failed = False
        for _ in range(rng.randrange(1, 5)):
            if rng.random() < 0.3:
                await asyncio.sleep(rng.choice((0.001, 0.05, 0.2)))
            choices = (
                (self._range, self._count_own)
                if reads_only
                else (self._insert, self._range, self._count_own, lambda: self._add(self.number + 100))
            )
            one = rng.choice(choices)()
            tags.append(one.tag)
            await self._ask(one)
            failed |= one.tag in self.facts.refused | self.facts.unknown
        ended = await self._control(b"ROLLBACK" if failed or rng.random() < 0.2 else b"COMMIT", is_end=True)
        if ended is None:
            await self._control(b"ROLLBACK", is_end=True)
        self.in_transaction = None
        if by_autocommit and await self._control(b"SET autocommit = 1") is None:
            await self._leave()
            raise Gone

    async def _control(self, sql: bytes, *, is_end: bool = False) -> bytes | None:
        """Run a statement that moves the transaction; return its tag, None where it failed."""
        tag = self._tag()
        result: list[Result] = []
        await self._ask(Statement(sql + b" /* " + tag + b" */", result.append, tag, writes=False))
        code = result[0].code
        if is_end:
            if not code and sql == b"COMMIT":
                for written, key in self.pending:
                    self._count_in(written, key)
            else:
                outcome = self.facts.unknown if code in UNKNOWN_OUTCOME else self.facts.refused
                outcome.update(written for written, _ in self.pending)
            self.pending = []
        return None if code else tag


def _command(sql: bytes) -> bytes:
    return wire.packets([b"\x03" + sql], 0)


def _nothing(_result: Result) -> None:
    """There is nothing to check."""
