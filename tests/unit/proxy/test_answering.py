"""Statements that speak to the router, not to a server."""

from tests.unit.proxy.stage import Stage, on_stage, query, server


def test_without_a_primary_the_router_tells_the_connection_id() -> None:
    """It knows it, and the replicas do not."""

    async def play(stage: Stage) -> None:
        stage.show(server("db2"), primary=None, generation=2)
        await stage.settle()
        assert str(stage.client.number).encode() in await stage.send(query("SELECT CONNECTION_ID()"))
        assert stage.sent(b"CONNECTION_ID") == []

    on_stage(play)


def test_what_a_rule_denies_reaches_no_server() -> None:
    """The error is the rule's own."""

    async def play(stage: Stage) -> None:
        assert b"not today" in await stage.send(query("DELETE FROM t"))
        assert stage.log == []

    on_stage(play, rules=[{"regex": "^delete", "deny": "not today"}])
