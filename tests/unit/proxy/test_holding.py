"""Statements that wait for a primary: who waits, what ends it, and what is never run again."""

import asyncio
from dataclasses import replace

import pytest

from rwrouter.errors import TooManyHeld
from rwrouter.model import Role
from rwrouter.proxy import holding
from rwrouter.sql import plans
from tests.unit.proxy.stage import Script, Stage, by_name, error, ok, on_stage, packet, query, row, server

READ_ONLY = (
    "The MySQL server is running with the --super-read-only option so it cannot execute this statement"
)
IN_TRANSACTION = 3  # SERVER_STATUS_IN_TRANS, and autocommit on
NO_AUTOCOMMIT = 0


def nobody(stage: Stage) -> None:
    """The monitor finds no primary."""
    stage.show(server("db1"), server("db2"), server("db3"), primary=None, generation=2)


def promoted(stage: Stage, name: str = "db2") -> None:
    """The monitor finds *name* to be the primary."""
    servers = [server(one, Role.PRIMARY if one == name else Role.REPLICA) for one in ("db1", "db2", "db3")]
    stage.show(*servers, primary=name, generation=3)


def refusing(*names: str, code: int = 1290) -> Script:
    """Servers called *names* are read-only."""

    def script(name: str, command: bytes) -> bytes | None:
        if name in names and any(word in command for word in (b"INSERT", b"UPDATE", b"CALL")):
            return error(code, READ_ONLY)
        return by_name(name, command)

    return script


def test_a_write_waits_for_the_new_primary() -> None:
    """Nobody is primary: nothing is sent, nothing is answered; then it runs once, on the new one."""

    async def play(stage: Stage) -> None:
        nobody(stage)
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == b""
        assert stage.gateway.totals().held_now == 1
        promoted(stage)
        await stage.settle()
        assert stage.transport.take() == ok()
        assert stage.sent(b"INSERT") == ["db2"]
        assert (stage.gateway.totals().held_now, stage.gateway.counters.held) == (0, 1)

    on_stage(play)


def test_a_write_that_the_primary_refused_unrun_waits_too() -> None:
    """1290: the primary is doubted, the monitor is told once, and the write runs on the new primary."""

    async def play(stage: Stage) -> None:
        told = []
        stage.gateway.nudge = lambda name, _why, *, failed: told.append((name, failed))
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == b""
        assert told == [("db1", False)]
        promoted(stage)
        await stage.settle()
        assert stage.transport.take() == ok()
        assert stage.sent(b"INSERT") == ["db1", "db2"]

    on_stage(play, refusing("db1"))


def test_a_doubt_ends_when_the_monitor_has_looked() -> None:
    """The same primary, found writable after the doubt, gets the write again; an older snapshot ends no doubt."""

    async def play(stage: Stage) -> None:
        await stage.send(query("INSERT INTO t VALUES (1)"))
        stage.script = by_name
        stage.gateway.update(replace(stage.gateway.routes.snapshot, generation=2))
        await stage.settle()
        assert stage.transport.take() == b""
        stage.gateway.update(replace(stage.gateway.routes.snapshot, generation=3, confirmed=1))
        await stage.settle()
        assert stage.transport.take() == ok()
        assert stage.sent(b"INSERT") == ["db1", "db1"]

    on_stage(play, refusing("db1"))


def test_the_wait_ends_with_an_error_that_says_how_long_and_why() -> None:
    """9610: the statement has not run, and the session goes on."""

    async def play(stage: Stage) -> None:
        nobody(stage)
        stage.client.data_received(query("INSERT INTO t VALUES (1)"))
        for _ in range(500):
            await asyncio.sleep(0.001)
            if stage.transport.written:
                break
        answer = stage.transport.take()
        assert int.from_bytes(answer[5:7], "little") == 9610
        assert b"within 0.01 s (limits.primary_wait); it has not run: " in answer
        assert not stage.transport.closed
        assert stage.gateway.counters.held_timeouts == 1
        assert len(stage.gateway.holding) == 0
        assert await stage.send(query("SELECT 1")) != b""

    on_stage(play, limits={"primary_wait": 0.01})


@pytest.mark.parametrize("limit", [{"held_statements": 1}, {"held_bytes": 40}])
def test_the_queue_is_bounded(limit: dict[str, int]) -> None:
    """One more than may wait gets 9611 at once; the place of one whose client has gone is free."""

    async def play(stage: Stage) -> None:
        nobody(stage)
        stage.client.data_received(query("INSERT INTO t VALUES (1)"))
        await stage.settle()
        with pytest.raises(TooManyHeld):
            await stage.gateway.holding.for_primary(stage.client, 20)
        stage.client.connection_lost(None)
        await stage.settle()
        assert len(stage.gateway.holding) == 0

    on_stage(play, limits=limit)


def test_first_come_first_served() -> None:
    """Turns are given in the order in which statements came, a bounded number at once."""

    async def play(stage: Stage) -> None:
        nobody(stage)
        order: list[int] = []

        async def one(number: int) -> None:
            await stage.gateway.holding.for_primary(stage.client, 1)
            order.append(number)

        tasks = [stage.gateway.spawn(one(number)) for number in range(200)]
        await stage.settle()
        tasks[3].cancel()
        await stage.settle()
        promoted(stage)
        await stage.settle()
        assert order == [number for number in range(200) if number != 3]

    on_stage(play)


def test_writes_and_transactions_are_held_for_a_switchover_and_reads_are_not() -> None:
    """The primary is there, and takes none until the release."""

    async def play(stage: Stage) -> None:
        stage.gateway.holding.hold("db2")
        assert await stage.send(query("SELECT 1")) != b""
        assert await stage.send(query("BEGIN")) == b""
        promoted(stage)
        await stage.settle()
        assert stage.transport.take() == b""
        stage.gateway.holding.release()
        await stage.settle()
        assert stage.transport.take() == ok()
        assert stage.sent(b"BEGIN") == ["db2"]

    on_stage(play)


def test_a_begin_whose_connection_was_made_ready_too_late_waits() -> None:
    """Writes are held since: on the old primary its transaction would begin, and could not write."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("BEGIN"))
        await stage.settle()
        stage.gateway.holding.hold("db2")
        stage.script = by_name
        stage.opened["db1"].data_received(ok())
        await stage.settle()
        assert stage.sent(b"BEGIN") == []
        promoted(stage)
        stage.gateway.holding.release()
        await stage.settle()
        assert stage.sent(b"BEGIN") == ["db2"]

    on_stage(play, lambda name, command: None if b"SET" in command else by_name(name, command))


def test_a_transaction_goes_on_while_writes_are_held() -> None:
    """What has begun may end; what begins after it waits."""

    def script(name: str, command: bytes) -> bytes | None:
        return ok(IN_TRANSACTION) if b"BEGIN" in command or b"INSERT" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("BEGIN"))
        stage.gateway.holding.hold("db2")
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok(IN_TRANSACTION)
        assert await stage.send(query("COMMIT")) == ok()
        assert await stage.send(query("BEGIN")) == b""

    on_stage(play, script)


def test_the_next_transaction_waits_with_autocommit_off_too() -> None:
    """It would begin with the next statement, and a switchover would wait for its end again and again."""

    async def play(stage: Stage) -> None:
        stage.script = lambda _name, _command: ok(NO_AUTOCOMMIT)
        await stage.send(query("SET autocommit=0"))
        stage.script = lambda _name, command: ok(NO_AUTOCOMMIT | (b"INSERT" in command))
        await stage.send(query("INSERT INTO t VALUES (1)"))
        stage.gateway.holding.hold("db2")
        assert stage.gateway.holding.under_way() == 1
        await stage.send(query("COMMIT"))
        assert stage.gateway.holding.under_way() == 0
        assert await stage.send(query("INSERT INTO t VALUES (2)")) == b""
        promoted(stage)
        stage.gateway.holding.release()
        await stage.settle()
        assert stage.sent(b"(2)") == ["db2"]

    on_stage(play)


def test_in_a_transaction_the_servers_error_is_passed_on() -> None:
    """Drivers know what to do about 1290; the session is not ended, and its ROLLBACK goes where the transaction is."""

    async def play(stage: Stage) -> None:
        stage.script = lambda _name, _command: ok(IN_TRANSACTION)
        await stage.send(query("BEGIN"))
        promoted(stage)
        stage.script = refusing("db1")
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == error(1290, READ_ONLY)
        await stage.send(query("ROLLBACK"))
        assert stage.sent(b"ROLLBACK") == ["db1"]
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok()
        assert stage.sent(b"INSERT") == ["db1", "db2"]

    on_stage(play)


@pytest.mark.parametrize(
    "sql", ["CALL p()", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", "SELECT f(1)"]
)
def test_what_may_have_run_in_part_is_not_run_again(sql: str) -> None:
    """A procedure, or several statements: the refusal may have come after the first change."""

    async def play(stage: Stage) -> None:
        assert await stage.send(query(sql)) == error(1290, READ_ONLY)
        promoted(stage)
        await stage.settle()
        assert stage.sent(sql.encode()) == ["db1"]

    on_stage(
        play,
        lambda name, command: by_name(name, command) if b"SET" in command else error(1290, READ_ONLY),
    )


@pytest.mark.parametrize(
    ("code", "text", "is_unrun"),
    [
        (1290, READ_ONLY, True),
        (1290, "The MariaDB server is running with the --read-only option so it cannot execute", True),
        (1290, "running with the --secure-file-priv option so it cannot execute this statement", False),
        (1836, "Running in read-only mode", True),
        (1047, "WSREP has not yet prepared node for application use", True),
        (1047, "Unknown command", False),
        (1053, "Server shutdown in progress", False),
        (1317, "Query execution was interrupted", False),
    ],
)
def test_which_errors_say_that_nothing_was_changed(code: int, text: str, is_unrun: bool) -> None:
    """Only those of a server that takes no writes; a killed statement is not one of them."""
    assert holding.refused_unrun(code, error(code, text)[4:]) is is_unrun


def test_a_session_with_autocommit_off_moves_between_two_transactions() -> None:
    """Its next statement goes to the new primary, where autocommit is switched off before it."""

    async def play(stage: Stage) -> None:
        stage.script = lambda _name, _command: ok(NO_AUTOCOMMIT)
        await stage.send(query("SET autocommit=0"))
        promoted(stage)
        await stage.send(query("INSERT INTO t VALUES (1)"))
        assert stage.sent(b"INSERT") == ["db2"]
        assert stage.sent(b"@@SESSION.autocommit=0") == ["db2"]
        assert stage.client.home is stage.client.backends[stage.gateway.routes.endpoints["db2"]]
        stage.script = by_name
        await stage.send(query("SET autocommit=1"))
        stage.show(server("db1"), server("db2", Role.PRIMARY), primary="db2", generation=4)
        assert await stage.send(query("SELECT 1")) == row("db1")

    on_stage(play)


def test_a_session_tied_to_what_is_no_primary_any_more_ends_after_the_error() -> None:
    """A temporary table can't be brought along: the error is the server's, and the driver connects anew."""

    async def play(stage: Stage) -> None:
        await stage.send(query("CREATE TEMPORARY TABLE x (a INT)"))
        promoted(stage)
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == error(1290, READ_ONLY)
        assert stage.transport.closed

    on_stage(play, refusing("db1"))


def test_a_lost_begin_begins_elsewhere() -> None:
    """Nothing has begun for the client: BEGIN waits for the next primary as a write does."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("BEGIN"))
        await stage.settle()
        stage.script = by_name
        nobody(stage)
        stage.opened["db1"].connection_lost(None)
        promoted(stage)
        await stage.settle()
        assert stage.transport.take() == ok()
        assert stage.sent(b"BEGIN") == ["db1", "db2"]

    on_stage(play, lambda name, command: None if b"BEGIN" in command else by_name(name, command))


def test_a_transaction_that_is_lost_ends_as_a_dying_server_ends_it() -> None:
    """The connection closes without a packet: to a driver it is "lost connection", which it knows how to retry."""

    async def play(stage: Stage) -> None:
        stage.script = lambda _name, _command: ok(IN_TRANSACTION)
        await stage.send(query("BEGIN"))
        stage.script = lambda _name, _command: None
        stage.client.data_received(query("INSERT INTO t VALUES (1)"))
        await stage.settle()
        stage.opened["db1"].connection_lost(None)
        assert stage.transport.take() == b""
        assert stage.transport.closed

    on_stage(play)


def test_what_the_session_remembers_runs_anywhere_while_there_is_no_primary() -> None:
    """Drivers ping and SET at their start: an application that reads goes on. autocommit=0 ties to no replica."""

    async def play(stage: Stage) -> None:
        nobody(stage)
        assert await stage.send(packet(b"\x0e")) == ok()
        assert await stage.send(query("SET time_zone='+00:00'")) == ok()
        stage.script = lambda _name, _command: ok(NO_AUTOCOMMIT)
        assert await stage.send(query("SET autocommit=0")) == ok(NO_AUTOCOMMIT)
        assert stage.client.home is None
        stage.script = by_name
        assert await stage.send(query("SELECT 1")) == b""  # it begins a transaction: that waits
        promoted(stage)
        await stage.settle()
        assert stage.sent(b"SELECT 1") == ["db2"]

    on_stage(play)


def test_a_waiting_statement_can_be_killed() -> None:
    """KILL QUERY of one's own statement: 1317, at once, and the session goes on."""

    async def play(stage: Stage) -> None:
        nobody(stage)
        await stage.send(query("INSERT INTO t VALUES (1)"))
        assert stage.gateway.kill(stage.client.number, stage.client.account, query_only=True)
        await stage.settle()
        assert int.from_bytes(stage.transport.take()[5:7], "little") == 1317
        promoted(stage)
        assert await stage.send(query("INSERT INTO t VALUES (2)")) == ok()
        assert stage.sent(b"INSERT") == ["db2"]

    on_stage(play)


def test_a_read_waits_while_everything_is_gone() -> None:
    """The first server that comes back answers it."""

    async def play(stage: Stage) -> None:
        stage.show(primary=None, generation=2)
        stage.refuse = dict.fromkeys(("db1", "db2", "db3"), OSError("refused"))
        assert await stage.send(query("SELECT 1")) == b""
        stage.refuse = {}
        stage.gateway.routes.endpoints["db3"].circuit.succeeded()
        stage.show(server("db3"), primary=None, generation=3)
        await stage.settle()
        assert stage.transport.take() == row("db3")

    on_stage(play)


def test_a_read_that_is_lost_waits_its_own_time() -> None:
    """However long ago an earlier statement of the session waited: that wait has ended."""

    async def play(stage: Stage) -> None:
        nobody(stage)
        assert await stage.send(query("UPDATE t SET a=1")) == b""  # it waits, and is done
        stage.show(generation=3)
        await stage.settle()
        assert stage.transport.take() == ok()
        stage.client.held_until = stage.gateway.loop.time() - 1  # as it is after the wait's time
        stage.script = lambda name, command: None if b"SELECT" in command else by_name(name, command)
        stage.client.data_received(query("SELECT 1"))
        await stage.settle()
        lost = stage.client.current
        assert lost is not None
        stage.refuse = dict.fromkeys(("db1", "db2", "db3"), OSError("refused"))
        for backend in tuple(stage.client.backends.values()):
            backend.connection_lost(None)
        await stage.settle()
        assert stage.transport.take() == b""
        stage.refuse, stage.script = {}, by_name
        stage.gateway.routes.endpoints["db3"].circuit.succeeded()
        stage.show(server("db3"), primary=None, generation=4)
        await stage.settle()
        assert stage.transport.take() == row("db3")

    on_stage(play)


def test_remembered_effects() -> None:
    """Nothing but variables and the schema."""
    assert holding.is_remembered(plans.SETS_VARIABLE)
    assert not holding.is_remembered(0)
    assert not holding.is_remembered(plans.SETS_VARIABLE | plans.USER_VARIABLE)
