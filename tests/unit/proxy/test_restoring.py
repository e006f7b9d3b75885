"""A connection is brought to the state of the session before it is used."""

from tests.unit.proxy.stage import Stage, by_name, ok, on_stage, packet, query, row


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
