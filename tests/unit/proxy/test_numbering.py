"""Connection ids that servers tell, and those that clients are told."""

from rwrouter.protocol.resultset import Heading, build_result
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.gateway import FIRST_NUMBER
from rwrouter.proxy.servers import Endpoint
from tests.unit.proxy.stage import CAPABILITIES, Stage, error, ok, on_stage, packet, query

HERE = 100  # the stage's connections have this id on each server


def listing(*ids: int, name: str = "Id", binary: bool = False) -> bytes:
    """Build a result set whose first column has *ids*."""
    columns = (Heading(name, is_number=True), Heading("User"))
    return build_result(columns, [(n, "app") for n in ids], CAPABILITIES, status=2, binary=binary)


def script(name: str, command: bytes) -> bytes | None:
    """Answer as a server does."""
    if command[4] == 0x16:
        return packet(b"\x00\x07\x00\x00\x00" + bytes(7), 1)
    if command[4] == 0x17:
        return listing(HERE, binary=True)
    if b"connection_id" in command:
        return listing(HERE, name="c")
    return listing(5, HERE, 6) if b"PROCESSLIST" in command else ok()


def test_a_client_is_told_the_id_of_its_greeting() -> None:
    """The metadata are the server's: names, cases and aliases are those of the statement."""

    async def play(stage: Stage) -> None:
        reply = await stage.send(query("select connection_id() as c"))
        assert reply == listing(FIRST_NUMBER, name="c")
        assert stage.sent(b"connection_id") == ["db1"]

    on_stage(play, script)


def test_a_prepared_statement_tells_the_same() -> None:
    """Free, and in a transaction."""

    async def play(stage: Stage) -> None:
        await stage.send(packet(b"\x16SELECT CONNECTION_ID()"))
        for sql in ("DO 0", "BEGIN"):
            await stage.send(query(sql))
            reply = await stage.send(packet(b"\x17\xff\xff\xff\xff\x00\x01\x00\x00\x00"))
            assert reply == listing(FIRST_NUMBER, binary=True), sql

    on_stage(play, lambda name, command: ok(3) if b"BEGIN" in command else script(name, command))


def test_a_process_list_has_the_ids_that_kill_takes() -> None:
    """Of the router's clients; the others keep the server's, which the primary takes."""

    async def play(stage: Stage) -> None:
        assert await stage.send(query("SHOW FULL PROCESSLIST")) == listing(5, FIRST_NUMBER, 6)
        backend = stage.client.backends[_primary(stage)]
        assert backend.borrower is stage.client

    on_stage(play, script)


def test_a_reply_in_pieces_is_collected() -> None:
    """Nothing is passed on before the whole is here, and nothing is lost."""

    async def play(stage: Stage) -> None:
        backend = await _unanswered(stage)
        whole = listing(5, HERE, 6)
        for at in range(0, len(whole), 7):
            assert stage.transport.take() == b""
            backend.data_received(whole[at : at + 7])
        assert stage.transport.take() == listing(5, FIRST_NUMBER, 6)

    on_stage(play, script)


def test_an_error_is_passed_on_and_a_lost_connection_told() -> None:
    """As of any other statement."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SELECT connection_id()"))
        stage.script = lambda _name, _command: error(1227)
        assert await stage.send(query("SHOW PROCESSLIST")) == error(1227)
        (await _unanswered(stage)).connection_lost(None)
        await stage.settle()
        assert b"went away" in stage.transport.take()

    on_stage(play, script)


def test_without_a_primary_the_router_answers() -> None:
    """A driver that asks at its start has not to wait."""

    async def play(stage: Stage) -> None:
        stage.gateway.holding.doubt(_primary(stage), "it is asked")
        reply = await stage.send(query("SELECT CONNECTION_ID()"))
        assert str(FIRST_NUMBER).encode() in reply
        assert not stage.sent(b"CONNECTION_ID")

    on_stage(play, script)


async def _unanswered(stage: Stage) -> BackendConnection:
    """Ask for a process list that does not come; return the connection that was asked."""
    await stage.send(query("SELECT connection_id()"))
    stage.script = lambda _name, _command: None
    await stage.send(query("SHOW PROCESSLIST"))
    return stage.client.backends[_primary(stage)]


def _primary(stage: Stage) -> Endpoint:
    primary = stage.gateway.routes.primary
    assert primary is not None
    return primary
