"""A reading transaction on a replica that meets what only the primary can run."""

from tests.unit.proxy.stage import Stage, by_name, error, ok, on_stage, query, row

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
        assert stage.sent(b"COMMIT") == [replica]
        await stage.send(query("COMMIT"))
        assert stage.sent(b"COMMIT") == [replica, "db1"]
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}

    on_stage(play, script)


def test_without_a_primary_the_session_ends() -> None:
    """The client is told why."""

    async def play(stage: Stage) -> None:
        await stage.send(query("START TRANSACTION READ ONLY"))
        stage.gateway.routes.primary = None
        assert b"no primary" in await stage.send(query("INSERT INTO t VALUES (1)"))
        assert stage.transport.closed

    on_stage(play, script)
