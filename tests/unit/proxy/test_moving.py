"""A reading transaction on a replica that meets what only the primary can run."""

from tests.unit.proxy.stage import Stage, by_name, error, ok, on_stage, packet, query, row

OPEN = 2 | 1 | 0x2000


def script(name: str, command: bytes) -> bytes | None:
    """Servers in which a transaction begins and ends."""
    if b"START TRANSACTION" in command:
        return ok(OPEN)
    if b"COMMIT" in command:
        return ok(2)
    if b"INSERT" in command:
        return error(1792)
    if b"gtid_executed" in command:
        return row("00000000-0000-0000-0000-000000000001:1-9")
    return by_name(name, command)


def test_the_transaction_goes_on_on_the_primary() -> None:
    """It ends on the replica, begins anew on the primary, and all that follows is run there."""

    async def play(stage: Stage) -> None:
        await stage.send(query("START TRANSACTION READ ONLY"))
        home = stage.client.home
        assert home is not None
        replica = home.endpoint.server.name
        assert replica != "db1"
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == error(1792)
        assert stage.sent(b"START TRANSACTION READ ONLY") == [replica, "db1"]
        assert stage.sent(b"COMMIT") == stage.sent(b"COMMIT AND NO CHAIN NO RELEASE") == [replica]
        await stage.send(query("COMMIT"))
        assert stage.sent(b"COMMIT") == [replica, "db1"]
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}

    on_stage(play, script)


def test_a_read_is_prepared_where_the_transaction_is() -> None:
    """It goes on on the replica; what may write is prepared on the primary, and takes it there."""

    def prepared(name: str, command: bytes) -> bytes | None:
        if command[4] == 0x16:
            return packet(b"\x00\x07" + bytes(10), 1)
        return script(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("START TRANSACTION READ ONLY"))
        home = stage.client.home
        assert home is not None
        stage.log.clear()
        await stage.send(packet(b"\x16SELECT a FROM t"))
        assert [name for name, data in stage.log if data[4] == 0x16] == ["db1"], "as always, first"
        assert stage.client.home is home
        assert stage.client.session.only_reads
        stage.gateway.routes.primary = None
        assert (await stage.send(packet(b"\x16SELECT b FROM t")))[4] == 0
        assert stage.log[-1][0] == home.endpoint.server.name, "without a primary, on the replica"
        stage.gateway.routes.primary = stage.gateway.routes.endpoints["db1"]
        await stage.send(packet(b"\x16DELETE FROM t"))
        assert stage.client.home is not home
        stage.log.clear()
        assert (await stage.send(packet(b"\x16SELECT c FROM t")))[4] == 0
        assert [name for name, _ in stage.log] == ["db1"], "in the transaction, which is there now"
        assert stage.client.is_running is False

    on_stage(play, prepared)


def test_without_a_primary_the_session_ends() -> None:
    """The client is told why."""

    async def play(stage: Stage) -> None:
        await stage.send(query("START TRANSACTION READ ONLY"))
        stage.gateway.routes.primary = None
        assert b"no primary" in await stage.send(query("INSERT INTO t VALUES (1)"))
        assert stage.transport.closed

    on_stage(play, script)
