"""What a program of the differential test is made of: values that print as they are written in regressions.py.

`{s}` in SQL is the session's own schema; `{o}` another one of its own.
"""

import struct
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Final

from rwrouter.protocol import flags
from rwrouter.protocol.statements import PARAMETER_COUNT_AVAILABLE
from tests.differential.wire import Client, Lost, Packet, query

Value = int | float | str | bytes | None
UNKNOWN: Final = 0x7FFFFFF0  # a statement id that nobody has

LONGLONG, DOUBLE, NULL, BLOB, VAR_STRING = 0x08, 0x05, 0x06, 0xFC, 0xFD


@dataclass
class Known:
    """A prepared statement as one side knows it."""

    number: int
    parameters: int
    kinds: tuple[int, ...] | None = None  # types that were sent last


@dataclass
class Side:
    """One of the two sessions: its connection, its schemas, its prepared statements."""

    client: Client
    schema: str
    statements: dict[int, Known] = field(default_factory=dict)

    def text(self, sql: str) -> bytes:
        """Return *sql* with the session's own names in it."""
        return (
            sql.replace("{s}", self.schema)
            .replace("{o}", self.schema + "_o")
            .encode("utf-8", "surrogateescape")
        )

    def run(self, payload: bytes, file: bytes = b"") -> list[Packet]:
        """Send one command, and return its reply."""
        self.client.send(payload)
        return self.client.receive(payload[0], file)


class Step:
    """One command."""

    def __repr__(self) -> str:
        """Return it as it is written, without what is as usual."""
        told: list[str] = []
        for index, one in enumerate(fields(self)):  # type: ignore[arg-type]
            value = getattr(self, one.name)
            if one.default is MISSING:
                told.append(repr(value) if len(told) == index else f"{one.name}={value!r}")
            elif value != one.default:
                told.append(f"{one.name}={value!r}")
        return f"{type(self).__name__}({', '.join(told)})"

    def send(self, side: Side) -> bytes:
        """Return the command's payload for *side*."""
        raise NotImplementedError

    def file(self) -> bytes:
        """Return what is sent where the server asks for a file."""
        return b""

    def learn(self, side: Side, reply: list[Packet]) -> None:
        """Take from the reply what later steps need."""


@dataclass(frozen=True, repr=False)
class Query(Step):
    """COM_QUERY. *local*: the content of the file that a LOAD DATA LOCAL asks for. *attributes*: name -> value."""

    sql: str
    local: bytes = b""
    attributes: tuple[tuple[str, str], ...] = ()

    def send(self, side: Side) -> bytes:
        """Return the payload."""
        capabilities = side.client.capabilities
        if self.attributes and capabilities & flags.CLIENT_QUERY_ATTRIBUTES:
            count = len(self.attributes)
            head = bytes((flags.COM_QUERY, count, 1)) + bytes((count + 7) // 8) + b"\x01"
            head += b"".join(
                bytes((VAR_STRING, 0, len(name.encode()))) + name.encode() for name, _ in self.attributes
            )
            head += b"".join(_string(value.encode()) for _, value in self.attributes)
            return head + side.text(self.sql)
        return query(side.text(self.sql), capabilities)

    def file(self) -> bytes:
        """Return the content."""
        return self.local


@dataclass(frozen=True, repr=False)
class Prepare(Step):
    """COM_STMT_PREPARE, into one of a few slots."""

    slot: int
    sql: str

    def send(self, side: Side) -> bytes:
        """Return the payload."""
        return bytes((flags.COM_STMT_PREPARE,)) + side.text(self.sql)

    def learn(self, side: Side, reply: list[Packet]) -> None:
        """Keep its number."""
        if reply[0].kind == "prepared":
            number, _, parameters = struct.unpack_from("<IHH", reply[0].payload, 1)
            old = side.statements.get(self.slot)
            if old is not None:  # as drivers do; servers reply nothing
                side.client.send(bytes((flags.COM_STMT_CLOSE,)) + struct.pack("<I", old.number))
            side.statements[self.slot] = Known(number, parameters)


@dataclass(frozen=True, repr=False)
class Execute(Step):
    """COM_STMT_EXECUTE. *types*: send the parameters' types, as must be done the first time. *cursor*: open one."""

    slot: int
    values: tuple[Value, ...] = ()
    types: bool = True
    cursor: bool = False
    attributes: tuple[tuple[str, str], ...] = ()

    def send(self, side: Side) -> bytes:
        """Return the payload."""
        known = side.statements.get(self.slot, Known(UNKNOWN, 0))
        named = bool(side.client.capabilities & flags.CLIENT_QUERY_ATTRIBUTES)
        count = known.parameters
        values = (self.values + (None,) * count)[:count]
        kinds = tuple(_kind(value) for value in values)
        types = self.types or known.kinds is None
        if not types and known.kinds is not None:
            kinds = known.kinds
        else:
            known.kinds = kinds
        names = [""] * count
        if named and self.attributes and types:
            names += [name for name, _ in self.attributes]
            values += tuple(value for _, value in self.attributes)
            kinds += (VAR_STRING,) * len(self.attributes)
        how = int(self.cursor) | (PARAMETER_COUNT_AVAILABLE if named else 0)
        head = bytes((flags.COM_STMT_EXECUTE,)) + struct.pack("<IBI", known.number, how, 1)
        if named:
            head += bytes((len(values),))
        if not values:
            return head
        nulls = bytearray((len(values) + 7) // 8)
        told = body = b""
        for index, (value, kind, name) in enumerate(zip(values, kinds, names, strict=True)):
            told += bytes((kind, 0)) + (_string(name.encode()) if named else b"")
            if value is None:
                nulls[index // 8] |= 1 << index % 8
            else:
                body += _binary(value, kind)
        return head + bytes(nulls) + bytes((int(types),)) + (told if types else b"") + body


@dataclass(frozen=True, repr=False)
class LongData(Step):
    """COM_STMT_SEND_LONG_DATA: no reply."""

    slot: int
    parameter: int
    data: bytes

    def send(self, side: Side) -> bytes:
        """Return the payload."""
        number = side.statements.get(self.slot, Known(UNKNOWN, 0)).number
        return (
            bytes((flags.COM_STMT_SEND_LONG_DATA,)) + struct.pack("<IH", number, self.parameter) + self.data
        )


@dataclass(frozen=True, repr=False)
class Fetch(Step):
    """COM_STMT_FETCH."""

    slot: int
    rows: int

    def send(self, side: Side) -> bytes:
        """Return the payload."""
        number = side.statements.get(self.slot, Known(UNKNOWN, 0)).number
        return bytes((flags.COM_STMT_FETCH,)) + struct.pack("<II", number, self.rows)


@dataclass(frozen=True, repr=False)
class Reset(Step):
    """COM_STMT_RESET."""

    slot: int

    def send(self, side: Side) -> bytes:
        """Return the payload."""
        number = side.statements.get(self.slot, Known(UNKNOWN, 0)).number
        return bytes((flags.COM_STMT_RESET,)) + struct.pack("<I", number)


@dataclass(frozen=True, repr=False)
class Close(Step):
    """COM_STMT_CLOSE: no reply."""

    slot: int

    def send(self, side: Side) -> bytes:
        """Return the payload."""
        known = side.statements.pop(self.slot, Known(UNKNOWN, 0))
        return bytes((flags.COM_STMT_CLOSE,)) + struct.pack("<I", known.number)


@dataclass(frozen=True, repr=False)
class Command(Step):
    """Any other command: *name* is one of COM_*, *body* what follows its number."""

    name: str
    body: str = ""

    def send(self, side: Side) -> bytes:
        """Return the payload."""
        return bytes((getattr(flags, self.name),)) + side.text(self.body)

    def learn(self, side: Side, reply: list[Packet]) -> None:
        """Forget what a reset has closed."""
        if self.name == "COM_RESET_CONNECTION" and reply[0].kind == "ok":
            side.statements.clear()


@dataclass(frozen=True, repr=False)
class ChangeUser(Step):
    """COM_CHANGE_USER to the account itself."""

    schema: str | None = None

    def send(self, side: Side) -> bytes:  # noqa: ARG002 - it is a conversation: see `run`
        """Return the command alone."""
        return bytes((flags.COM_CHANGE_USER,))


def run(step: Step, side: Side) -> list[Packet]:
    """Run *step* in one session, and return all that came; a connection that ends is an answer, too."""
    try:
        if isinstance(step, ChangeUser):
            schema = None if step.schema is None else side.text(step.schema).decode()
            reply = side.client.change_user(schema)
            side.statements.clear()
            return reply
        reply = side.run(step.send(side), step.file())
    except Lost as lost:
        return [Packet("lost", str(lost).encode())]
    if reply:
        step.learn(side, reply)
    return reply


def _kind(value: Value) -> int:
    if value is None:
        return NULL
    if isinstance(value, int):
        return LONGLONG
    if isinstance(value, float):
        return DOUBLE
    return VAR_STRING if isinstance(value, str) else BLOB


def _binary(value: Value, kind: int) -> bytes:
    """Return *value* as a parameter of type *kind*, which may be that of an earlier value."""
    if kind == NULL:
        return b""
    if kind == LONGLONG:
        number = int(value) if isinstance(value, int | float) else len(value or "")
        return (number & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
    if kind == DOUBLE:
        return struct.pack("<d", value if isinstance(value, int | float) else len(value or ""))
    data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    return _string(data)


def _string(data: bytes) -> bytes:
    size = len(data)
    if size < 0xFB:
        return bytes((size,)) + data
    if size < 1 << 16:
        return b"\xfc" + size.to_bytes(2, "little") + data
    return b"\xfd" + size.to_bytes(3, "little") + data


def shown(program: Sequence[Step]) -> str:
    """Return *program* as it is written in regressions.py."""
    return "\n".join(f"    {step!r}," for step in program)
