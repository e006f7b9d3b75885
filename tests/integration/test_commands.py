"""Every command of the protocol, asked of a server and through the router: the same answer."""

import re
import subprocess
from typing import Final

import pytest

from rwrouter.model import Flavor
from rwrouter.protocol import flags
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.options import Account
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory, rootfs
from tests.integration.raw import PLAIN, RawClient

NO_REPLY: Final = {
    0x01: "COM_QUIT",
    0x18: "COM_STMT_SEND_LONG_DATA",  # MySQL answers it only if it is malformed
    0x19: "COM_STMT_CLOSE",
}
NO_STATEMENT: Final = b"\x99\x00\x00\x00"
BODIES: Final = {  # what a command carries; the others come with nothing
    0x02: b"information_schema",
    0x03: b"SELECT 1, 'two'",
    0x04: b"processlist\x00%",
    0x05: b"some_schema",
    0x06: b"some_schema",
    0x07: b"\x40",
    0x08: b"\x00",
    0x0C: b"\xff\xff\x00\x00",
    0x12: b"\x04\x00\x00\x00\x00\x00\x63\x00\x00\x00",
    0x13: b"\x05mysql\x04user",
    0x15: b"\x63" + bytes(19),
    0x16: b"SELECT ?, 5",
    0x17: NO_STATEMENT + b"\x00\x01\x00\x00\x00",
    0x1A: NO_STATEMENT,
    0x1B: b"\x01\x00",
    0x1C: NO_STATEMENT + b"\x01\x00\x00\x00",
    0x1E: bytes(2) + b"\x63" + bytes(3) + bytes(4) + b"\x04" + bytes(7) + bytes(4),
}
COMMANDS: Final = [n for n in (*range(0x26), *range(0xF8, 0x100)) if n not in NO_REPLY and n != 0x11]
OF_THE_MOMENT: Final = re.compile(rb"[\d.]+|'app'@'[^']*'")  # ids, counts, times, and where a client is seen


def answers(client: RawClient, command: int) -> list[bytes]:
    """Return the packets with which *command* is answered, and what the connection says after it."""
    client.send(bytes((command,)) + BODIES.get(command, b""))
    first = client.packet()
    packets = [first]
    if command == 0x16 and first[0] == 0:
        packets += [client.packet() for _ in range(int.from_bytes(first[5:7], "little") + 1)]
    elif command in {0x03, 0x04, 0x0A} and first[0] not in {0x00, 0xFF}:
        while packets[-1][0] not in {0xFE, 0xFF}:
            packets.append(client.packet())
        packets = packets if command == 0x03 else [packets[0][:4], packets[-1][:1]]
    if command in {0x09, 0x16} or first[0] == 0xFF:
        packets = [OF_THE_MOMENT.sub(b"#", packet) for packet in packets]
        packets = [b"\x00" + packets[0][5:], *packets[1:]] if command == 0x16 else packets
    if command == 0x09:
        packets = [bytes(re.sub(rb"[^A-Za-z]+", b" ", packets[0]))]
    if command == 0x21:  # MySQL ends the connection, the router goes on with another
        return packets
    try:
        packets.append(client.ask(b"\x0e")[:1])
    except OSError:
        packets.append(b"ended")
    return packets


def both(cluster: Sandbox, router: RouterProcess, account: Account, **options: object) -> list[RawClient]:
    """Log in to the primary, and through the router."""
    places = ((cluster.primary.host, cluster.primary.port), (router.host, router.port))
    return [
        RawClient(host, port, account.user, account.password, **options)  # type: ignore[arg-type]
        for host, port in places
    ]


def test_every_command_is_answered_as_by_the_server(cluster: Sandbox, router: RouterFactory) -> None:
    """All numbers that are commands, and some that are none; with and without CLIENT_DEPRECATE_EOF."""
    process = router(cluster)
    differ = {}
    for command in COMMANDS:
        for capabilities in (PLAIN, PLAIN & ~flags.CLIENT_DEPRECATE_EOF):
            if command in {0x03, 0x04, 0x0A, 0x16} and capabilities != PLAIN:
                continue  # these have an EOF more: test_protocol.py
            if command == 0xFA:
                continue  # test_mariadb_wire.py
            direct, routed = both(cluster, process, cluster.app, capabilities=capabilities)
            with direct, routed:
                expected, got = answers(direct, command), answers(routed, command)
                if expected != got:
                    differ[hex(command)] = (expected, got)
    assert not differ


def test_multi_statements_can_be_switched_off_and_on(cluster: Sandbox, router: RouterFactory) -> None:
    """COM_SET_OPTION holds on every server, also on connections that are opened after it."""
    process = router(cluster)
    wanted = PLAIN | flags.CLIENT_MULTI_STATEMENTS
    several = b"\x03SELECT 1; SELECT 2"
    with RawClient(
        process.host, process.port, cluster.app.user, cluster.app.password, capabilities=wanted
    ) as client:
        seen: set[str | None] = set()
        for option, allowed in ((b"\x01\x00", False), (b"\x00\x00", True), (b"\x01\x00", False)):
            assert client.ask(b"\x1b" + option)[0] in {0x00, 0xFE}
            for _ in range(6):
                seen.add(client.value("SELECT @@server_id"))
                client.send(several)
                first = client.result()
                assert (first[0][0] != 0xFF) is allowed
                if allowed:
                    assert client.result()[2] == b"\x012"
        assert seen >= {"2", "3"}


@pytest.mark.parametrize("way", ["program", "raw"])
def test_the_binary_log_is_read_through_the_router(
    cluster: Sandbox, router: RouterFactory, schema: str, marker: str, way: str
) -> None:
    """A program that asks for a server's binary log gets the primary's, as it stands there."""
    process = router(cluster, config=f'[[users]]\nname = "root"\npassword = "{cluster.root.password}"\n')
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT) COMMENT '{marker}'")
    (row,) = cluster.primary.query(
        "SHOW BINARY LOG STATUS" if cluster.flavor is Flavor.MYSQL else "SHOW MASTER STATUS"
    )
    name = str(row["File"])
    if way == "program":
        # Each flavor's own: mariadb-binlog does not read MySQL's binary logs. Both log in without TLS.
        program = ["mariadb-binlog", "--skip-ssl"]
        if cluster.flavor is Flavor.MYSQL:
            program = _mysqlbinlog()
        done = subprocess.run(
            [
                *program[:-1],
                *("--no-defaults", "--read-from-remote-server", program[-1]),
                *(f"--host={process.host}", f"--port={process.port}", "--user=root", name),
            ],
            env={"MYSQL_PWD": cluster.root.password, "PATH": "/usr/sbin:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert marker in done.stdout
        return
    logs = []
    for client in both(cluster, process, cluster.root):
        with client:
            assert (
                client.query("SET @source_binlog_checksum = 'NONE', @master_binlog_checksum = 'NONE'")[0][0]
                == 0
            )
            registration = b"\x15" + (4711).to_bytes(4, "little") + bytes(15)
            assert client.ask(registration)[0] == 0
            client.send(
                b"\x12"
                + (4).to_bytes(4, "little")
                + b"\x01\x00"
                + (4711).to_bytes(4, "little")
                + name.encode()
            )
            events = [client.packet()]
            while events[-1][0] == 0:  # up to the EOF that BINLOG_DUMP_NON_BLOCK gives
                events.append(client.packet())
            assert events[-1][0] == 0xFE
            logs.append(b"".join(events[1:]))
    assert marker.encode() in logs[0]
    assert logs[1].startswith(logs[0][:1000])
    assert marker.encode() in logs[1]


def _mysqlbinlog() -> list[str]:
    """Return MySQL's program, and what it needs to log in without TLS. What Debian calls so is MariaDB's."""
    return ["chroot", str(rootfs()), "mysqlbinlog", "--get-server-public-key"]


def test_statements_that_are_forgotten_do_not_pile_up(cluster: Sandbox, router: RouterFactory) -> None:
    """However many a client prepares and never closes, a connection to a server has no more than its share."""
    process = router(cluster)
    app = cluster.app
    before = [_prepared(cluster, index) for index in range(3)]
    with RawClient(process.host, process.port, app.user, app.password) as client:
        ids = set()
        for number in range(700):
            reply = client.ask(f"\x16SELECT {number}".encode())
            ids.add(reply[1:5])
            client.packet()
            client.send(b"\x17" + reply[1:5] + b"\x00\x01\x00\x00\x00")
            assert client.result()[0] == b"\x01"
        assert len(ids) == 700
        for index in range(3):
            assert _prepared(cluster, index) - before[index] <= 256
        oldest = min(ids, key=lambda text: int.from_bytes(text, "little"))
        client.send(b"\x17" + oldest + b"\x00\x01\x00\x00\x00")
        assert client.result()[2].startswith(bytes(6)), "it is prepared again where it was closed"


def test_a_cursor_outlives_statements_prepared_after_it(
    cluster: Sandbox, router: RouterFactory, schema: str
) -> None:
    """However many: the statement of an open cursor is not the one that is closed for a new one; nor one with data."""
    process = router(cluster)
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    cluster.primary.query(f"INSERT INTO {schema}.t VALUES (1), (2), (3)")
    cluster.wait_in_sync()
    transcripts = []
    for client in both(cluster, process, cluster.app, capabilities=PLAIN):
        with client:
            cursor = client.ask(f"\x16SELECT a FROM {schema}.t ORDER BY a".encode())[1:5]
            client.packet()
            client.send(b"\x17" + cursor + b"\x01\x01\x00\x00\x00")
            opened = [client.packet()[:1] for _ in range(3)]
            long = client.ask(b"\x16SELECT ?")[1:5]
            for _ in range(2):
                client.packet()
            client.send(b"\x18" + long + b"\x00\x00sent ahead")
            for number in range(300):
                statement = client.ask(f"\x16SELECT {number}".encode())[1:5]
                client.packet()
                client.send(b"\x17" + statement + b"\x00\x01\x00\x00\x00")
                client.result()
            client.send(b"\x1c" + cursor + b"\x05\x00\x00\x00")
            rows = [client.packet()]
            while rows[-1][0] == 0:
                rows.append(client.packet())
            client.send(b"\x17" + long + b"\x00\x01\x00\x00\x00\x00\x01\xfc\x00")
            transcripts.append((opened, rows, client.result()[2:3]))
    assert transcripts[0] == transcripts[1]
    assert len(transcripts[1][1]) == 4


def _prepared(cluster: Sandbox, index: int) -> int:
    (row,) = cluster.servers[index].query("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")
    return int(row["Value"])


def test_cursors_are_fetched_where_they_are_open(
    cluster: Sandbox, router: RouterFactory, schema: str
) -> None:
    """COM_STMT_FETCH in steps, other statements between, on two cursors at once; COM_STMT_RESET closes one."""
    process = router(cluster)
    cluster.primary.query(f"CREATE TABLE {schema}.t (a INT PRIMARY KEY)")
    cluster.primary.query(f"INSERT INTO {schema}.t VALUES (1), (2), (3), (4), (5), (6), (7)")
    cluster.wait_in_sync()
    transcripts = []
    for client in both(cluster, process, cluster.app, capabilities=PLAIN):
        with client:
            heard: list[object] = []
            ids = []
            for order in ("ASC", "DESC"):
                reply = client.ask(f"\x16SELECT a FROM {schema}.t ORDER BY a {order}".encode())
                ids.append(reply[1:5])
                client.packet()
            for statement in ids:
                client.send(b"\x17" + statement + b"\x01\x01\x00\x00\x00")
                packets = [client.packet(), client.packet()]
                heard.append([packet[:1] for packet in packets])
                heard.append(client.packet()[:1])
            for _ in range(3):
                for statement in ids:
                    client.send(b"\x1c" + statement + b"\x03\x00\x00\x00")
                    rows = [client.packet()]
                    while rows[-1][0] == 0:
                        rows.append(client.packet())
                    heard.append([*rows[:-1], rows[-1][:1]])
                    heard.append(client.value("SELECT 'between'"))
            heard.append(client.ask(b"\x1a" + ids[0])[:1])
            heard.append(client.ask(b"\x1c" + ids[0] + b"\x03\x00\x00\x00")[:3])
            transcripts.append(heard)
    assert transcripts[0] == transcripts[1]
