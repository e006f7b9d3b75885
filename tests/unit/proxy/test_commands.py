"""Commands other than queries and prepared statements, on a stage."""

import pytest

from rwrouter.model import Flavor, Greeting, Role, Snapshot
from rwrouter.protocol.flags import CLIENT_MULTI_STATEMENTS
from rwrouter.proxy.gateway import FIRST_NUMBER
from tests.unit.proxy.stage import Stage, by_name, error, ok, on_stage, packet, query, server


@pytest.mark.parametrize("command", [0x00, 0x04, 0x05, 0x0A, 0x0D, 0x0E, 0x0F, 0x1D, 0x20, 0x7F, 0xFF])
def test_every_command_has_a_servers_answer(command: int) -> None:
    """Known or not, it is the primary that answers, word for word."""

    def script(name: str, command: bytes) -> bytes | None:
        return by_name(name, command) if command[4] == 0x03 else error(1047, "Unknown command")

    async def play(stage: Stage) -> None:
        data = packet(bytes((command,)) + b"x")
        assert await stage.send(data) == error(1047, "Unknown command")
        assert ("db1", data) in stage.log

    on_stage(play, script)


def test_multi_statements_off_follows_to_every_connection() -> None:
    """Each is told before its next statement, and those opened later agree on it; and on again."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SELECT 1"))
        (reader,) = set(stage.opened) - {"db1"}
        for option, several in ((b"\x00\x00", True), (b"\x01\x00", False)):
            command = packet(b"\x1b" + option)
            await stage.send(command)
            assert bool(stage.client.account.capabilities & CLIENT_MULTI_STATEMENTS) is several
            for _ in range(4):
                await stage.send(query("SELECT 1"))
            await stage.send(query("DELETE FROM t"))
            told = [name for name, data in stage.log if data == command]
            assert told[0] == reader, "it tells the warnings of the statement before, which ran there"
            assert "db1" in told
            stage.log.clear()
            await stage.send(query("SELECT 1"))
            (reader,) = {name for name, _ in stage.log}
            assert all(backend.several is several for backend in stage.client.backends.values())

    on_stage(play)


def test_a_refused_option_changes_nothing() -> None:
    """An error is passed on, and every connection stays."""

    def script(name: str, command: bytes) -> bytes | None:
        return error(1047) if command[4] == 0x1B else by_name(name, command)

    async def play(stage: Stage) -> None:
        before = stage.client.account
        await stage.send(query("SELECT 1"))
        assert await stage.send(packet(b"\x1b\x07\x00")) == error(1047)
        assert stage.client.account is before
        assert not any(backend.closed for backend in stage.opened.values())

    on_stage(play, script)


@pytest.mark.parametrize("command", [0x12, 0x15, 0x1E])
def test_who_reads_the_binary_log_stays_on_the_primary(command: int) -> None:
    """COM_REGISTER_REPLICA and what follows it are of one connection."""

    def script(name: str, command: bytes) -> bytes | None:
        return packet(b"\xfe\x00\x00\x02\x00", 1) if command[4] in {0x12, 0x1E} else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(packet(bytes((command,)) + bytes(20)))
        assert stage.client.home is stage.opened["db1"]

    on_stage(play, script)


@pytest.mark.parametrize("flavor", list(Flavor))
def test_process_kill_speaks_of_the_routers_ids(flavor: Flavor) -> None:
    """Where servers know it, it is carried out like KILL; a number of theirs, and MySQL 9, answer themselves."""

    async def play(stage: Stage) -> None:
        seen = (server("db1", Role.PRIMARY), server("db2"), server("db3"))
        stage.gateway.update(Snapshot(2, seen, "db1", Greeting("x", 45, 0, flavor), ""))
        nobody = packet(b"\x0c" + (FIRST_NUMBER + 77).to_bytes(4, "little"))
        answer = await stage.send(nobody)
        if flavor is Flavor.MARIADB:
            assert b"Unknown thread id: 1073741901" in answer
            assert stage.log == []
        else:
            assert answer == ok()
            assert stage.log[-1] == ("db1", nobody)
        own = packet(b"\x0c\x05\x00\x00\x00")
        assert await stage.send(own) == ok()
        assert stage.log[-1] == ("db1", own)

    on_stage(play)
