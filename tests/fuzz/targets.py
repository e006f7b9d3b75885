"""What is fuzzed: each target takes any bytes, and asserts what must hold for all of them.

The first bytes choose how: which mode, which command, where the rest is cut. No target may raise, take long, or hold
more than it was given. `run.py` feeds them by coverage, tests/unit/test_fuzz.py for seconds.
"""

from collections.abc import Callable, Iterator
from typing import Final

from rwrouter.cluster.gtid import GtidSet
from rwrouter.errors import PacketTooLarge
from rwrouter.model import Flavor
from rwrouter.protocol import flags, proxy_header, response
from rwrouter.protocol.auth import Secret, verifier_of
from rwrouter.protocol.compression import LONGEST, CompressionLayer
from rwrouter.protocol.framing import PacketReader, frame
from rwrouter.protocol.handshake import ClientHandshake, Login, Ready, ServerHandshake, StartTls
from rwrouter.protocol.response import Reply
from rwrouter.protocol.statements import Prepared, Statement, sql_of_query, translate
from rwrouter.protocol.thread_ids import renumber
from rwrouter.protocol.tracking import BY_DEFAULT, asked_for, changes, parse_ok, with_state
from rwrouter.protocol.upload import Upload
from rwrouter.protocol.wire import Malformed
from rwrouter.sql.classifier import Classifier
from tests.unit.protocol import conversation

Target = Callable[[bytes], None]
HELD: Final = 1 << 17  # bytes that a handshake may keep of what came too early

COMMANDS: Final = (
    flags.COM_QUERY,
    flags.COM_STMT_PREPARE,
    flags.COM_STMT_EXECUTE,
    flags.COM_STMT_FETCH,
    flags.COM_FIELD_LIST,
    flags.COM_STATISTICS,
    flags.COM_PING,
    flags.COM_BINLOG_DUMP,
)


def cut(data: bytes) -> Iterator[bytes]:
    """Give *data* in pieces, of a size that its first byte chooses."""
    size = data[0] % 61 + 1 if data else 1
    for start in range(1, len(data), size):
        yield data[start : start + size]


def framing(data: bytes) -> None:
    """Packets are cut out of any bytes, or refused; no more is kept than was given."""
    reader = PacketReader(1 << 12)
    given = 0
    try:
        for piece in cut(data):
            given += len(piece)
            for packet in reader.feed(piece):
                assert len(packet.payload) <= 1 << 12
            assert reader.buffered <= given
    except (PacketTooLarge, Malformed):
        pass
    payload = data[:300]
    (packet,) = PacketReader(1 << 12).feed(frame(payload, 3))
    assert packet.payload == payload


def server_handshake(data: bytes) -> None:
    """A client's bytes before it is logged in: any of them end in a login, an error, or a wait for more."""
    how = data[0] if data else 0
    link: conversation.Link = ("none", "tls", "rsa", "socket")[how & 3]
    machine = conversation.server(
        link, verifier_of(b"secret") if how & 4 else None, tls_required=bool(how & 8)
    )
    sent = len(machine.data_to_send())
    for piece in cut(data[1:]):
        machine.receive(piece)
        for _ in range(8):
            event = machine.next_event()
            if event is None:
                break
            if isinstance(event, StartTls):
                machine.tls_started()
            elif isinstance(event, Login) and how & 16:
                machine.accept()
            elif isinstance(event, Login):
                machine.reject(1045, "28000", "no")
        sent += len(machine.data_to_send())
    assert sent < 1 << 14
    assert machine._reader.buffered + len(machine.rest) <= HELD


def client_handshake(data: bytes) -> None:
    """A server's bytes in the login: any of them end in a connection, an error, or a wait for more."""
    how = data[0] if data else 0
    link: conversation.Link = ("none", "tls", "rsa", "socket")[how & 3]
    machine = conversation.client(Secret.of(b"secret" if how & 4 else b""), link)
    if how & 8:
        ready = Ready("8.4.0", 7, conversation.WANTED, 2, Flavor.MYSQL, scramble=conversation.SCRAMBLE)
        machine = ClientHandshake.for_change_user(
            ready,
            user="app",
            secret=Secret.of(b"secret"),
            collation=45,
            schema="shop",
            attributes={},
            is_secure=bool(how & 16),
        )
    elif how & 16:  # begin behind the greeting, which random bytes seldom get past
        machine.receive(_greeting())
    sent = len(machine.data_to_send())
    for piece in cut(data[1:]):
        machine.receive(piece)
        for _ in range(8):
            event = machine.next_event()
            if event is None:
                break
            if isinstance(event, StartTls):
                machine.tls_started()
        sent += len(machine.data_to_send())
    assert sent < 1 << 14
    assert machine._reader.buffered + len(machine.rest) <= HELD


def _greeting() -> bytes:
    server: ServerHandshake = conversation.server()
    return server.data_to_send()


def classifier(data: bytes) -> None:
    """Any bytes have a plan, the same each time; what is cut off is never a read for a replica."""
    how = data[0] if data else 0
    made = Classifier(
        Flavor.MARIADB if how & 1 else Flavor.MYSQL,
        ansi_quotes=bool(how & 2),
        no_backslash_escapes=bool(how & 4),
        multibyte_unsafe=bool(how & 8),
        capacity=64,
        limit=1 << 16,
        memory=1 << 20,
    )
    sql = data[1:]
    plan = made.plan(sql)
    again = made.plan(sql)
    assert (plan.target, plan.effects, plan.reason) == (again.target, again.effects, again.reason)
    assert len(plan.digest) <= 2048
    head = made.plan_head(sql, len(sql) + 1)
    assert not head.is_plain_read


def reply(data: bytes) -> None:
    """A server's reply, whole or in pieces: the same is passed on and learnt; garbage ends in FAILED."""
    how = data[0] if data else 0
    capabilities = (flags.CLIENT_DEPRECATE_EOF if how & 1 else 0) | flags.CLIENT_SESSION_TRACK
    command = COMMANDS[how >> 2 & 7]
    tracks = bool(how & 2)
    rest = data[2:]
    whole, parts = Reply(capabilities, client_tracks=tracks), Reply(capabilities, client_tracks=tracks)
    whole.begin(command)
    parts.begin(command)
    if not rest:
        return
    once = whole.receive(rest)
    pieces = b""
    given = 0
    for piece in cut(data[1:]):
        given += len(piece)
        pieces += parts.receive(piece)
        assert len(parts._held) <= given
        if parts.state >= response.DONE or parts.state == response.LOCAL_INFILE:
            break
    if whole.state != response.FAILED and given == len(rest):
        assert (whole.state, whole.status, whole.error) == (parts.state, parts.status, parts.error)
        assert once == pieces
        assert whole.changes == parts.changes
    small = Reply(capabilities, client_tracks=tracks)
    small.begin(command)
    # What breaks the protocol within a small reply may pass to the client, whose driver will see it.
    if small.state == response.FIRST and small.take_small(rest) and whole.state == response.DONE:
        assert once == rest
        assert (whole.status, whole.warnings) == (small.status, small.warnings)


def statements(data: bytes) -> None:
    """COM_STMT_EXECUTE and query attributes: what can't be read passes as it is; a packet stays a packet."""
    how = data[0] if data else 0
    statement = Statement(7, b"SELECT ?")
    statement.parameters = how & 7
    known = how >> 3 & 7
    statement.types = b"\x08\x00" * statement.parameters if known & 1 else b""
    prepared = Prepared(9)
    payload = b"\x17" + data[1:]
    packet = len(payload).to_bytes(3, "little") + b"\x00" + payload
    if len(packet) >= 9:
        for attributes in (False, True):
            out = translate(packet, statement, prepared, attributes=attributes)
            assert int.from_bytes(out[:3], "little") == len(out) - 4
            assert len(out) <= len(packet) + 1 + len(statement.types)
            assert out[5:9] == (9).to_bytes(4, "little")
    sql = sql_of_query(packet)
    assert sql is None or packet.endswith(sql)


def tracking(data: bytes) -> None:
    """OK packets and their state blocks: never more is passed on than came, and what is built can be read."""
    ok = parse_ok(data, 4, len(data), tracks=True)
    list(changes(data))
    kept = asked_for(data, BY_DEFAULT)
    assert len(kept) <= len(data)
    assert asked_for(kept, BY_DEFAULT) == kept
    if ok is not None:
        for state in (b"", kept[:200]):
            packet = with_state(data, 0, ok, state)
            again = parse_ok(packet, 4, len(packet), tracks=True)
            assert again is not None
            assert (again.affected, again.insert_id, again.info) == (ok.affected, ok.insert_id, ok.info)


def compression(data: bytes) -> None:
    """Frames expand to what they announce, within the limit, or are an error."""
    layer = CompressionLayer("zstd" if data[:1] > b"\x7f" else "zlib", limit=1 << 16)
    for piece in cut(data[1:]):
        out = layer.receive(piece)
        assert len(out) <= (1 << 16) + LONGEST
        while layer.has_more:
            layer.receive(b"")
    assert len(layer._buffer) <= len(data)


def upload(data: bytes) -> None:
    """The end of a command or file is found at the same byte, however it is cut."""
    is_file = bool(data[:1] > b"\x7f")
    rest = data[2:]
    whole = Upload(file=is_file)
    taken = whole.receive(rest)
    parts = Upload(file=is_file)
    in_parts = 0
    for piece in cut(data[1:]):
        if parts.complete:
            break
        in_parts += parts.receive(piece)
    assert (taken, whole.complete) == (in_parts, parts.complete)


def proxy(data: bytes) -> None:
    """A PROXY header is read, refused or waited for alike however it is cut, and for no longer than its bound."""
    whole = _header_of(data)
    for end in range(len(data)):
        part = _header_of(data[:end])
        if part is not None:
            assert part == whole or (isinstance(part, str) and isinstance(whole, str))
            break
    if whole is None:
        assert len(data) < max(proxy_header.V1_LONGEST, proxy_header.V2_LONGEST + 16)
    elif isinstance(whole, proxy_header.ProxyHeader):
        assert 0 < whole.size <= len(data)
        if whole.client is not None:
            built = proxy_header.build(whole.client, whole.client)
            assert proxy_header.parse(built) == proxy_header.ProxyHeader(whole.client, len(built))


def thread_ids(data: bytes) -> None:
    """A result with ids to be replaced stays one of as many packets, whatever its server has put into it."""
    how = data[0] if data else 0
    capabilities = flags.CLIENT_DEPRECATE_EOF if how & 1 else 0
    capabilities |= flags.CLIENT_OPTIONAL_RESULTSET_METADATA if how & 2 else 0
    rest = data[2:]
    told = renumber(rest, {1: 1 << 30, 7: 70}, capabilities, binary=bool(how & 4))
    assert abs(len(told) - len(rest)) <= 20 * (len(rest) // 4 + 1)
    same = renumber(rest, {}, capabilities, binary=bool(how & 4))
    assert rest.startswith(same)
    assert len(rest) - len(same) < 4  # a piece of a header: no reply ends so


def _header_of(data: bytes) -> proxy_header.ProxyHeader | str | None:
    """Return what `parse` does, or why it refuses; "" where no header begins."""
    if data and not proxy_header.begins(data):
        return ""
    try:
        return proxy_header.parse(data)
    except Malformed as exc:
        return str(exc) or "refused"


def gtid(data: bytes) -> None:
    """A position that a server tells is read or refused; what is read contains itself and survives its text."""
    text = data.decode("latin-1")
    try:
        known = GtidSet.parse(text)
    except ValueError:
        return
    assert known.contains(known)
    assert GtidSet.parse(str(known)) == known
    assert known.union(known) == known


TARGETS: Final[dict[str, Target]] = {
    target.__name__: target
    for target in (
        framing,
        server_handshake,
        client_handshake,
        classifier,
        reply,
        statements,
        tracking,
        compression,
        upload,
        proxy,
        thread_ids,
        gtid,
    )
}
