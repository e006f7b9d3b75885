"""Clients of a router that note all they are told: what was acknowledged, refused or left open, what a read missed.

Each write bears a tag of its own in a table without a unique key, so that one that is run twice is there twice. Each
read begins with a word of its own, so that a row of another session is seen. After an error a client does what a
driver's pool does: it throws the connection away and opens another.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self

import pymysql

SCHEMA: Final = "faults"
FIXED_ROWS: Final = 200
TABLES: Final = (
    f"CREATE DATABASE {SCHEMA}",
    f"CREATE TABLE {SCHEMA}.w (id INT AUTO_INCREMENT PRIMARY KEY, tag VARCHAR(40) NOT NULL, KEY (tag))",
    f"CREATE TABLE {SCHEMA}.fixed (id INT PRIMARY KEY, v VARCHAR(40) NOT NULL)",
    f"INSERT INTO {SCHEMA}.fixed VALUES " + ", ".join(f"({n}, 'value {n}')" for n in range(FIXED_ROWS)),
)

NOT_DONE: Final = frozenset(
    {1040, 1045, 1114, 1021, 1153, 1290, 1461, 1792, 1836, 2003, 9603, 9604, 9610, 9611}
)
"""Errors that say that a write has not been done: if it is there all the same, somebody lied."""

SLOW: Final = 1.0
"""Seconds from which on a statement counts as disturbed."""

PATIENCE: Final = 30.0
"""Seconds after which a client takes a statement for one that never ends (error 2013 of its own driver)."""


class Kind(Enum):
    """What a statement is for the one who asks why the application has stopped."""

    READ = "reads"
    WRITE = "writes"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A statement that failed, or was slow: *code* 0."""

    client: int
    kind: Kind
    ended: float  # time.monotonic()
    waited: float  # seconds
    code: int
    text: str


@dataclass
class Ledger:
    """What all clients have been told. Lists are appended to by many threads, and read when these have ended."""

    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    transactions: list[tuple[str, str]] = field(
        default_factory=list
    )  # tags that are there together or not at all
    stale: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    trouble: list[Trouble] = field(default_factory=list)

    def errors(self, kind: Kind | None = None) -> Counter[int]:
        """Return how often clients got each error."""
        return Counter(one.code for one in self.trouble if one.code and kind in (None, one.kind))

    def longest(self, kind: Kind | None = None, since: float = 0.0) -> float:
        """Return the longest time that a disturbed statement took, in seconds."""
        waits = [one.waited for one in self.trouble if kind in (None, one.kind) and one.ended >= since]
        return max(waits, default=0.0)

    def last_trouble(self) -> float:
        """Return when the last disturbed statement ended, by time.monotonic(); 0 if there was none."""
        return max((one.ended for one in self.trouble), default=0.0)


class Client(threading.Thread):
    """One client of the application.

    *work* says what it does: "all"; "sleepy", which is all with long pauses; "writes"; "reads"; or "elsewhere", which
    reads from replica2 alone.
    """

    def __init__(self, number: int, load: "Load", work: str) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.answered = 0  # statements that ended well
        self.in_a_row = 0  # of them, since the last trouble
        self._load = load
        self._ledger = load.ledger
        self._work = work
        self._rng = random.Random(number)
        self._count = 0
        self._connection: Any = None
        self._sessions = 0  # value of Load.sessions when it logged in
        self._own: list[tuple[str, str]] = []  # table and tag that this session must see

    def run(self) -> None:
        """Work until told to stop."""
        ending = self._load.ending
        while not ending.is_set():
            try:
                if self._sessions != self._load.sessions:
                    self._close()
                if self._connection is None:
                    self._open()
                self._step()
                self._pause()
            except pymysql.MySQLError:
                self._close()
                ending.wait(0.05)
        self._close()

    def _pause(self) -> None:
        longest = 2.5 if self._work == "sleepy" else 0.008
        self._load.ending.wait(self._rng.uniform(0.6 * longest if self._work == "sleepy" else 0.0, longest))

    def _open(self) -> None:
        kind = Kind.WRITE if self._work == "writes" else Kind.READ
        self._own = []
        self._sessions = self._load.sessions
        self._connection = self._timed(kind, self._load.connect)

    def _close(self) -> None:
        if self._connection is not None and self._connection.open:
            self._connection.close()
        self._connection = None

    def _timed(self, kind: Kind, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            result = work()
        except pymysql.MySQLError as error:
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 2013
            self._note(kind, began, code or 2013, str(error))
            raise
        else:
            self.answered += 1
            self.in_a_row += 1
            if time.monotonic() - began > SLOW:
                self._note(kind, began, 0, "")
            return result

    def _note(self, kind: Kind, began: float, code: int, text: str) -> None:
        self.in_a_row = 0
        ended = time.monotonic()
        self._ledger.trouble.append(Trouble(self.number, kind, ended, ended - began, code, text))

    def _ask(self, kind: Kind, sql: str, arguments: Sequence[Any] = ()) -> tuple[tuple[Any, ...], ...]:
        def work() -> tuple[tuple[Any, ...], ...]:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, arguments or None)
                return tuple(cursor.fetchall())

        found: tuple[tuple[Any, ...], ...] = self._timed(kind, work)
        return found

    def _tag(self) -> str:
        self._count += 1
        return f"c{self.number}-{self._count}"

    # -- what it does

    def _step(self) -> None:
        dice = self._rng.random()
        if self._work in {"reads", "elsewhere"}:
            self._read_fixed()
        elif self._work == "writes":
            (self._write if dice < 0.5 else self._transaction)()
        elif dice < 0.5:
            self._read_fixed()
        elif dice < 0.75:
            self._write()
            if self._work == "sleepy":
                self._pause()
            self._read_own(*self._own[-1])
        elif dice < 0.9:
            self._transaction()
        elif self._own:
            self._read_own(*self._rng.choice(self._own))

    def _read_fixed(self) -> None:
        first = self._rng.randrange(FIXED_ROWS - 20)
        word = self._tag()
        hint = "/* rwrouter: server=replica2 */ " if self._work == "elsewhere" else ""
        rows = self._ask(
            Kind.READ,
            f"{hint}SELECT %s, id, v FROM {SCHEMA}.fixed WHERE id BETWEEN %s AND %s ORDER BY id",
            (word, first, first + 19),
        )
        if rows != tuple((word, n, f"value {n}") for n in range(first, first + 20)):
            self._ledger.wrong.append(f"client {self.number} asked for rows {first}+20 and got {rows!r:.200}")

    def _read_own(self, table: str, tag: str) -> None:
        word = self._tag()
        rows = self._ask(Kind.READ, f"SELECT %s, tag FROM {table} WHERE tag = %s", (word, tag))
        if not rows:
            self._ledger.stale.append(tag)
        elif any(row != (word, tag) for row in rows):
            self._ledger.wrong.append(f"client {self.number} asked for {tag} and got {rows!r:.200}")

    def _write(self) -> None:
        tag, table = self._tag(), self._load.table
        try:
            self._ask(Kind.WRITE, f"INSERT INTO {table} (tag) VALUES (%s)", (tag,))
        except pymysql.MySQLError as error:
            (self._ledger.refused if error.args[0] in NOT_DONE else self._ledger.unknown).append(tag)
            raise
        self._ledger.acknowledged.append(tag)
        self._own = [*self._own[-20:], (table, tag)]

    def _transaction(self) -> None:
        one, other, table = self._tag(), self._tag(), self._load.table
        insert = f"INSERT INTO {table} (tag) VALUES (%s)"
        ledger = self._ledger
        ledger.transactions.append((one, other))
        at_commit = False
        try:
            self._ask(Kind.WRITE, "BEGIN")
            self._ask(Kind.WRITE, insert, (one,))
            self._ask(Kind.WRITE, insert, (other,))
            rows = self._ask(Kind.WRITE, f"SELECT COUNT(*) FROM {table} WHERE tag IN (%s, %s)", (one, other))
            at_commit = True
            self._ask(Kind.WRITE, "COMMIT")
        except pymysql.MySQLError as error:
            is_open = at_commit and error.args[0] not in NOT_DONE
            (ledger.unknown if is_open else ledger.refused).extend((one, other))
            raise
        if rows != ((2,),):
            ledger.wrong.append(f"the transaction of {one} saw {rows} of its 2 rows")
        ledger.acknowledged.extend((one, other))
        self._own = [*self._own[-20:], (table, other)]


class Load:
    """Some clients at work. `hold` lets them work on; `settle` waits until nothing disturbs them any more."""

    def __init__(self, connect: Callable[[], Any], works: Sequence[str] = ("all",) * 6) -> None:
        self.connect = connect
        self.ledger = Ledger()
        self.ending = threading.Event()
        self.table = f"{SCHEMA}.w"  # where they write
        self.sessions = 0  # raised to have each client log in anew
        self.clients = [Client(number, self, work) for number, work in enumerate(works, 1)]

    def __enter__(self) -> Self:
        """Start them."""
        for client in self.clients:
            client.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them, and wait until all have ended."""
        self.ending.set()
        for client in self.clients:
            client.join(PATIENCE + 10)

    def hold(self, seconds: float) -> None:
        """Let them work for *seconds*."""
        time.sleep(seconds)

    def settle(self, timeout: float = 60.0, statements: int = 25) -> bool:
        """Return True when each client has had *statements* answered one after the other without any trouble."""
        goals = [(client, client.answered + statements) for client in self.clients]
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if all(c.answered >= goal and c.in_a_row >= statements for c, goal in goals):
                return True
            time.sleep(0.05)
        return False
