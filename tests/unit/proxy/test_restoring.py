"""A connection is brought to the state of the session before it is used."""

from dataclasses import replace

from rwrouter.model import Role
from tests.unit.proxy.stage import Stage, by_name, error, ok, on_stage, packet, query, row, server


def test_the_sessions_variables_are_brought_along() -> None:
    """What the primary's tracker reported is set on a replica before its next statement, once."""
    changed = b"\x00\x0f\x08sql_mode\x05ANSIX"

    def script(name: str, command: bytes) -> bytes | None:
        if b"SET sql_mode" in command:
            return ok(2, changed)
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("SET sql_mode='ANSI'"))
        for _ in range(4):
            await stage.send(query("SELECT 1"))
        brought = [name for name, data in stage.log if b"@@SESSION.sql_mode='ANSIX'" in data]
        assert sorted(brought) == ["db2", "db3"]

    on_stage(play, script)


def test_what_is_opened_after_a_reset_is_reset_too() -> None:
    """A reset leaves other character sets than a login: the session has the same on every server."""

    async def play(stage: Stage) -> None:
        await stage.send(packet(b"\x1f"))
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}
        assert stage.sent(b"\x1f") == ["db1", *stage.sent(b"SELECT 1")]

    on_stage(play)


def test_another_server_at_the_address_is_left() -> None:
    """It refutes the proof of who it is: the read goes elsewhere, its circuit opens, and the monitor is told."""

    def script(name: str, command: bytes) -> bytes | None:
        if name == "db2" and b"server_uuid='u2'" in command:
            return error(1231, "Variable 'session_track_schema' can't be set to the value of '7'")
        return by_name(name, command)

    async def play(stage: Stage) -> None:
        told: list[str] = []
        stage.gateway.nudge = lambda name, why, *, failed: told.append(f"{name} {failed}: {why}")
        two = replace(server("db2"), uuid="u2")
        stage.show(server("db1", Role.PRIMARY), two, generation=2)
        assert await stage.send(query("SELECT 1")) == row("db1")
        assert stage.sent(b"SELECT 1") == ["db1"]
        assert told[0] == "db2 True: db2: another server answers at its address"
        assert stage.gateway.routes.endpoints["db2"].circuit.is_open(stage.gateway.loop.time())
        assert await stage.send(query("SELECT 2")) == row("db1")

    on_stage(play, script)
