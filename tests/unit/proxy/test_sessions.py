"""What is shown of a session, and its end by a person."""

import json

from rwrouter.proxy import sessions
from tests.unit.proxy.stage import Stage, by_name, on_stage, query


def test_facts_are_plain_and_name_what_ties() -> None:
    """They go into JSON; literals of statements do not."""

    async def play(stage: Stage) -> None:
        await stage.send(query("SET @x = 'secret'"))
        await stage.send(query("LOCK TABLES t READ"))
        [one] = sessions.all_facts(stage.gateway)
        assert json.loads(json.dumps(one)) == one
        assert (one["tied_by"], one["tied_to"], one["keeps"]) == (["locks_tables"], "db1", ["user_variable"])
        assert one["statement"] == "LOCK TABLES t READ"
        assert not one["is_running"]
        assert "secret" not in json.dumps(one)

    on_stage(play)


def test_a_session_is_ended_with_what_it_runs() -> None:
    """Its statement is killed on the server; a number that is not there is told."""

    def script(name: str, command: bytes) -> bytes | None:
        return None if b"SLEEP" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("SELECT SLEEP(9)"))
        await stage.settle()
        assert not sessions.end(stage.gateway, 7)
        assert sessions.end(stage.gateway, stage.client.number)
        await stage.settle()
        assert stage.transport.closed
        assert stage.sent(b"KILL CONNECTION 100")

    on_stage(play, script)
