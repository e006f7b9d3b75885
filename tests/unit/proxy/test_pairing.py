"""Finding a server, and making a connection to it ready for a statement."""

from rwrouter.model import Role, State
from tests.unit.proxy.stage import Stage, by_name, ok, on_stage, packet, query, row, server


def test_servers_that_refuse_are_passed_over() -> None:
    """A read goes to the next server, then to the primary; the refusing ones are left alone."""

    async def play(stage: Stage) -> None:
        stage.refuse = {"db2": OSError("refused"), "db3": OSError("refused")}
        assert await stage.send(query("SELECT 1")) == row("db1")
        stage.refuse = {}
        assert await stage.send(query("SELECT 1")) == row("db1")  # both are shunned for a moment

    on_stage(play)


def test_nobody_left_is_said_server_by_server() -> None:
    """The error names each server and why it could not answer."""

    async def play(stage: Stage) -> None:
        stage.refuse = dict.fromkeys(("db2", "db3"), OSError("refused"))
        stage.show(server("db2"), server("db3"), primary=None, generation=2)
        answer = await stage.send(query("SELECT 1"))
        assert b"db2: refused" in answer
        assert b"db3: refused" in answer

    on_stage(play, limits={"primary_wait": 0})


GTID = b"3e11fa47-71ca-11e1-9e33-c80aa9429562:23"
WROTE = b"\x03" + bytes((len(GTID) + 2, 0, len(GTID))) + GTID


def test_a_read_after_a_write_waits_for_it() -> None:
    """A replica that is not known to have the write is asked to wait first, once for each write."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"UPDATE" in command:
            return ok(2, WROTE)
        if b"WAIT_FOR" in command:
            return row("0")
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a=1"))
        answers = {await stage.send(query("SELECT 1")) for _ in range(6)}
        assert answers == {row("db2"), row("db3")}
        assert sorted(stage.sent(GTID)) == ["db2", "db3"]

    on_stage(play, script)


def test_a_read_whose_write_does_not_arrive_goes_to_the_primary() -> None:
    """Never stale: after the bounded wait the primary answers."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"UPDATE" in command:
            return ok(2, WROTE)
        if b"WAIT_FOR" in command:
            return row("1")
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a=1"))
        assert await stage.send(query("SELECT 1")) == row("db1")

    on_stage(play, script)


def test_a_replica_that_is_known_to_have_the_write_needs_no_wait() -> None:
    """What the monitor has seen applied spares the round trip."""

    def script(name: str, command: bytes) -> bytes | None:
        return ok(2, WROTE) if b"UPDATE" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a=1"))
        has = GTID.decode().replace(":23", ":1-23")
        stage.show(
            server("db1", Role.PRIMARY, executed=has),
            server("db2", executed=has),
            server("db3", executed=has),
            generation=2,
        )
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}
        assert stage.sent(b"WAIT_FOR") == []

    on_stage(play, script)


def test_without_a_primary_a_replica_takes_settings_and_gains_no_writes_by_that() -> None:
    """A driver's first SET must not need the primary; who took it is still asked for the session's writes."""
    text = b"00000000-0000-0000-0000-000000000001:10"
    gtid = bytes((3, len(text) + 2, 0, len(text))) + text

    async def play(stage: Stage) -> None:
        await stage.send(query("UPDATE t SET a = 1"))
        assert stage.client.session.writes == 1
        stage.show(server("db1", state=State.DOWN), server("db2"), primary=None, generation=2)
        assert (await stage.send(query("SET time_zone = '+01:00'")))[4] == 0
        assert stage.sent(b"SET time_zone") == ["db2"]
        await stage.send(query("SELECT 1"))
        assert stage.sent(b"WAIT_FOR_EXECUTED_GTID_SET") == ["db2"]

    def script(name: str, command: bytes) -> bytes | None:
        if b"WAIT_FOR" in command:
            return row("0")
        return ok(state=gtid) if b"UPDATE" in command else by_name(name, command)

    on_stage(play, script)


def test_a_ping_leaves_the_warnings_of_the_statement_before() -> None:
    """Connector/Python pings before each statement: SHOW WARNINGS is still asked where the read ran."""

    async def play(stage: Stage) -> None:
        for _ in range(2):
            await stage.send(query("SELECT 1"))
            assert await stage.send(packet(b"\x0e")) == ok()
            await stage.send(query("SHOW WARNINGS"))
        assert stage.sent(b"SHOW WARNINGS") == stage.sent(b"SELECT 1")

    on_stage(play)


def test_a_connection_lost_between_its_answer_and_its_use_is_not_used() -> None:
    """The answer to a wait has come, and before anybody goes on the monitor says that the server is down.

    Nobody would ever answer what is sent there: the read is asked of another server.
    """
    gtid = "00000000-0000-0000-0000-000000000001:10"
    report = bytes((3, len(gtid) + 2, 0, len(gtid))) + gtid.encode()
    lost: list[str] = []

    async def play(stage: Stage) -> None:
        def script(name: str, command: bytes) -> bytes | None:
            if b"WAIT_FOR" in command:
                loop = stage.gateway.loop
                if not lost:
                    lost.append(name)
                    # Behind the answer's arrival, and before the task that waits for it goes on.
                    loop.call_soon(lambda: loop.call_soon(stage.opened[name].abort, "it is down"))
                return row("0")
            return ok(state=report) if b"INSERT" in command else by_name(name, command)

        stage.script = script
        await stage.send(query("INSERT INTO t VALUES (1)"))
        answer = await stage.send(query("SELECT a FROM t"))
        assert lost
        assert answer in {row(name) for name in {"db1", "db2", "db3"} - set(lost)}

    on_stage(play)
