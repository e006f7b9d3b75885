"""Where a command goes that is no plain read of a free session."""

from tests.unit.proxy.stage import Stage, by_name, ok, on_stage, packet, query, row


def test_a_transaction_stays_where_it_began() -> None:
    """From BEGIN to COMMIT, as the server's flags say, everything is asked of one connection."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"COMMIT" in command:
            return ok(2)
        return ok(3) if b"BEGIN" in command or b"UPDATE" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        for sql in ("BEGIN", "UPDATE t SET a=1", "COMMIT"):
            await stage.send(query(sql))
        assert stage.sent(b"BEGIN") == stage.sent(b"UPDATE") == stage.sent(b"COMMIT") == ["db1"]
        assert stage.client.home is None
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}

    on_stage(play, script)


def test_a_lost_insert_id_ends_the_session_that_asks_for_it() -> None:
    """Another connection would answer 0; what does not ask goes on."""

    def script(name: str, command: bytes) -> bytes | None:
        return packet(b"\x00\x01\x07\x02\x00\x00\x00", 1) if b"INSERT" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("INSERT INTO t VALUES ()"))
        stage.opened["db1"].connection_lost(None)
        await stage.settle()
        assert await stage.send(query("SELECT 1"))
        assert b"its last insert id was lost" in await stage.send(query("SELECT LAST_INSERT_ID()"))
        assert stage.transport.closed

    on_stage(play, script)
