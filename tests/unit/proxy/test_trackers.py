"""A client's own session_track_* variables, on a stage whose servers have them."""

import re

import pytest

from rwrouter.protocol.flags import (
    SESSION_TRACK_GTIDS,
    SESSION_TRACK_STATE_CHANGE,
    SESSION_TRACK_SYSTEM_VARIABLES,
)
from rwrouter.protocol.resultset import build_text_result
from rwrouter.sql.trackers import GTIDS, NAMES, SCHEMA, STATE_CHANGE, SYSTEM_VARIABLES
from tests.unit.proxy.stage import CAPABILITIES, Stage, by_name, error, ok, on_stage, packet, query, row

DEFAULTS = dict(zip(NAMES, ("autocommit", "1", "0", "OFF", "OFF"), strict=True))
CHANGED = bytes((SESSION_TRACK_STATE_CHANGE, 2, 1)) + b"1"
GTID = b"00000000-0000-0000-0000-000000000001:10"
WROTE = bytes((SESSION_TRACK_GTIDS, len(GTID) + 2, 0, len(GTID))) + GTID
_ASSIGNED = re.compile(rb"(?:@@SESSION\.)?(session_track_\w+)\s*=\s*('[^']*'|\w+)")


class Servers:
    """What each server's connection has for its trackers; it does as a server would with a SET of them."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, str]] = {}
        self.at: list[tuple[str, dict[str, str]]] = []  # what stood where a statement of the client's ran

    def answer(self, name: str, command: bytes) -> bytes | None:
        """Stand in for the servers."""
        values = self.values.setdefault(name, DEFAULTS.copy())
        if b"mine" in command:
            self.at.append((name, values.copy()))
        if b"wrong" in command:
            return error(1231)
        if command[5:].startswith(b"SET"):
            for variable, value in _ASSIGNED.findall(command):
                text = value.decode().strip("'")
                values[variable.decode()] = DEFAULTS[variable.decode()] if text == "DEFAULT" else text
        if b"SELECT CAST(DATABASE()" in command:
            row = ["", *(values[variable] for variable in NAMES)]
            return build_text_result(["x"] * len(row), [row], CAPABILITIES)
        if b"session_variables" in command:
            rows = [["time_zone", "UTC" if self.at else "SYSTEM"], ["timestamp", str(len(self.at))]]
            return build_text_result(["a", "b"], rows, CAPABILITIES)
        if b"INSERT" in command:
            return ok(state=WROTE)
        if b"PREPARE" in command:
            return ok(state=CHANGED)
        return by_name(name, command)

    def shown(self, name: str) -> dict[str, str]:
        """Return the trackers of a server's connection."""
        return self.values[name]


@pytest.mark.parametrize("between", ["SHOW WARNINGS", "GET DIAGNOSTICS @a = NUMBER", ""])
def test_they_are_set_among_the_clients_own_and_then_followed(between: str) -> None:
    """The server answers, as it would directly; the router's own are put back before the next statement."""
    servers = Servers()

    async def play(stage: Stage) -> None:
        assert await stage.send(query("PREPARE s FROM 'SELECT 1'")) == ok()
        assert await stage.send(query("SET session_track_state_change = 1 /* mine */")) == ok()
        assert servers.at[0] == ("db1", servers.at[0][1] | {STATE_CHANGE: "0", SCHEMA: "1"})
        assert stage.sent(b"CAST(DATABASE()") == []
        if between:  # what the router would ask first would take the answer away
            await stage.send(query(between))
            assert stage.sent(b"CAST(DATABASE()") == []
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}
        assert stage.sent(b"CAST(DATABASE()") == ["db1"]
        assert await stage.send(query("PREPARE s FROM 'SELECT 1'")) == ok(state=CHANGED)
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok()
        assert stage.client.session.writes == 1
        assert servers.shown("db1")[GTIDS] == "OWN_GTID"
        assert len(stage.sent(b"CAST(DATABASE()")) == 1

    on_stage(play, servers.answer)


def test_a_client_is_told_gtids() -> None:
    """And no more of the rest than before."""
    servers = Servers()

    async def play(stage: Stage) -> None:
        await stage.send(query("SET session_track_gtids = OWN_GTID, sql_mode = ''"))
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok(state=WROTE)
        assert await stage.send(query("PREPARE s FROM 'SELECT 1'")) == ok()
        await stage.send(packet(b"\x1f"))
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok()
        assert stage.client.session.writes == 2  # the router is told all the same

    on_stage(play, servers.answer)


def test_they_are_shown_as_the_client_has_set_them() -> None:
    """In a transaction, too; and a list that has none of them is shown at once."""
    servers = Servers()

    async def play(stage: Stage) -> None:
        await stage.send(query("SET session_track_schema = 0"))
        await stage.send(query("BEGIN"))
        await stage.send(query("SELECT @@session_track_schema /* mine */"))
        await stage.send(query("SHOW VARIABLES WHERE Value = 1 AND 'mine' LIKE Variable_name"))
        assert [(name, values[SCHEMA]) for name, values in servers.at] == [("db1", "0")] * 2
        assert servers.at[1][1] | {SCHEMA: "0"} == DEFAULTS | {SCHEMA: "0"}
        await stage.send(query("COMMIT"))
        assert servers.shown("db1")[SCHEMA] == "1"
        before = len(stage.log)
        await stage.send(query("SHOW VARIABLES LIKE 'sql_mode'"))
        assert len(stage.log) == before + 1

    on_stage(play, servers.answer)


def test_the_servers_own_error() -> None:
    """A value that it refuses changes nothing, and is followed by no other."""
    servers = Servers()

    async def play(stage: Stage) -> None:
        assert await stage.send(query("SET session_track_gtids = 'wrong'")) == error(1231)
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok()
        assert stage.client.session.writes == 1
        assert stage.client.laid_open is None

    on_stage(play, servers.answer)


def test_what_a_procedure_sets_is_reported() -> None:
    """Its text shows nothing; the server's tracker does."""
    pair = bytes((len(GTIDS),)) + GTIDS.encode() + b"\x03OFF"
    pair = bytes((SESSION_TRACK_SYSTEM_VARIABLES, len(pair))) + pair
    servers = Servers()

    def script(name: str, command: bytes) -> bytes | None:
        if b"CALL" in command:
            servers.shown(name)[GTIDS] = "OFF"
            return ok(state=pair)
        return servers.answer(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("SET session_track_gtids = OWN_GTID"))
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok(state=WROTE)
        assert await stage.send(query("CALL p()")) == ok()
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok()
        assert servers.shown("db1")[GTIDS] == "OWN_GTID"

    on_stage(play, script)


def test_variables_that_a_new_list_kept_quiet_about_are_learned() -> None:
    """They are compared before and after: each replica is given them."""
    servers = Servers()

    async def play(stage: Stage) -> None:
        await stage.send(
            query("SET session_track_system_variables = 'sql_mode', time_zone = 'UTC' /* mine */")
        )
        await stage.send(query("SELECT 1"))
        assert stage.client.session.variables == {b"time_zone": b"UTC"}
        reader = stage.sent(b"SELECT 1")[0]
        assert stage.sent(b"@@SESSION.time_zone='UTC'") == [reader]
        assert stage.client.session.trackers[SYSTEM_VARIABLES] == b"sql_mode"

    on_stage(play, servers.answer)


def test_a_connection_that_is_lost_takes_what_was_set_with_it() -> None:
    """Nobody can be asked any more."""
    servers = Servers()

    async def play(stage: Stage) -> None:
        await stage.send(query("SET session_track_schema = 0"))
        stage.opened["db1"].connection_lost(None)
        assert await stage.send(query("SELECT 1")) in {row("db2"), row("db3")}
        assert stage.client.session.trackers == {}

    on_stage(play, servers.answer)


def test_without_a_primary_a_replica_takes_them() -> None:
    """They are remembered, like all that a session sets."""
    servers = Servers()

    async def play(stage: Stage) -> None:
        stage.show(primary=None, generation=2)
        assert await stage.send(query("SET session_track_schema = 0 /* mine */")) == ok()
        assert servers.at[0][0] != "db1"
        await stage.send(query("SELECT 1"))
        assert stage.client.session.trackers == {SCHEMA: b"0"}

    on_stage(play, servers.answer)


def test_the_routers_own_gtids_are_not_taken_for_the_clients() -> None:
    """In a transaction they can't be switched off for a statement that sets another list: what is read is not its."""
    servers = Servers()

    def in_transaction(name: str, command: bytes) -> bytes | None:
        if b"BEGIN" in command or b"mine" in command:
            servers.answer(name, command)
            return ok(3)
        return servers.answer(name, command)

    async def play(stage: Stage) -> None:
        await stage.send(query("BEGIN"))
        await stage.send(query("SET session_track_system_variables = DEFAULT /* mine */"))
        await stage.send(query("COMMIT"))
        assert stage.client.session.trackers.get(GTIDS, b"OFF") == b"OFF"
        assert await stage.send(query("INSERT INTO t VALUES (1)")) == ok()
        assert stage.client.session.writes

    on_stage(play, in_transaction)
