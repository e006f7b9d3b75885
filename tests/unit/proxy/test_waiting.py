"""Which writes a read waits for."""

from dataclasses import replace

import pytest

from rwrouter.model import Lag, Role
from tests.unit.proxy.stage import Stage, by_name, ok, on_stage, query, row, server

UUID = "00000000-0000-0000-0000-000000000001"
AHEAD = f"{UUID}:1-12"


def asks(answer: str | None, waited: str = "0") -> object:
    """Return a script in which the primary has executed *answer*, and a wait for it gives *waited*."""

    def script(name: str, command: bytes) -> bytes | None:
        if b"gtid_executed" in command:
            assert name == "db1", "the primary alone knows of all writes"
            return row(answer) if answer is not None else None
        if b"WAIT_FOR" in command:
            return row(waited)
        return by_name(name, command)

    return script


GLOBAL = {"reads": {"primary_weight": 0, "consistency": "global"}}


def test_a_global_read_waits_for_all_that_the_primary_has() -> None:
    """It is asked anew for each read, and the replica waits for just that."""

    async def play(stage: Stage) -> None:
        for _ in range(2):
            stage.log.clear()
            assert await stage.send(query("SELECT a FROM t")) in {row("db2"), row("db3")}
            assert stage.sent(b"gtid_executed") == ["db1"]
            assert len(stage.sent(AHEAD.encode())) == 1

    on_stage(play, asks(AHEAD), **GLOBAL)  # type: ignore[arg-type]


def test_what_the_monitor_has_seen_there_costs_no_wait() -> None:
    """A replica known to have executed all of it is read at once."""

    async def play(stage: Stage) -> None:
        stage.show(server("db1", Role.PRIMARY), server("db2", executed=AHEAD), generation=2)
        assert await stage.send(query("SELECT a FROM t")) == row("db2")
        assert stage.sent(b"WAIT_FOR") == []

    on_stage(play, asks(AHEAD), **GLOBAL)  # type: ignore[arg-type]


@pytest.mark.parametrize(("answer", "waited"), [("", "0"), (AHEAD, "1")])
def test_a_global_read_that_no_replica_can_answer_goes_to_the_primary(answer: str, waited: str) -> None:
    """Without GTIDs nobody knows, and a replica that does not get there in time must not answer."""

    async def play(stage: Stage) -> None:
        assert await stage.send(query("SELECT a FROM t")) == row("db1")

    on_stage(play, asks(answer, waited), **GLOBAL)  # type: ignore[arg-type]


def test_a_primary_that_does_not_tell_its_position_is_not_waited_for() -> None:
    """The question ends with the time for a connection; the read is answered with an error or by the primary."""

    async def play(stage: Stage) -> None:
        stage.client.data_received(query("SELECT a FROM t"))
        await stage.settle()
        backend = stage.opened["db1"]
        backend.connection_lost(None)
        assert await stage.send(b"") == row("db1")

    on_stage(play, asks(None), **GLOBAL)  # type: ignore[arg-type]


@pytest.mark.parametrize("hint", ["global", "GLOBAL"])
def test_a_hint_asks_for_the_level_of_one_read(hint: str) -> None:
    """The others stay at the session's level."""

    async def play(stage: Stage) -> None:
        await stage.send(query(f"SELECT /* rwrouter: consistency={hint} */ a FROM t"))
        assert stage.sent(b"gtid_executed") == ["db1"]
        await stage.send(query("SELECT a FROM t"))
        assert stage.sent(b"gtid_executed") == ["db1"]

    on_stage(play, asks(AHEAD))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("level", "hint", "waits"),
    [
        ("session", "session", 1),
        ("session", "eventual", 0),
        ("eventual", "session", 1),
        ("eventual", "eventual", 0),
    ],
)
def test_the_sessions_writes_are_waited_for_at_level_session(level: str, hint: str, waits: int) -> None:
    """Whatever the session's own level is, the hint's counts for its read, and for no other."""

    async def play(stage: Stage) -> None:
        stage.show(server("db1", Role.PRIMARY), server("db2"), generation=2)
        await stage.send(query("SELECT a FROM t"))  # the connection to db2 is there now
        stage.client.session.writes += 1
        stage.client.session.position.add(f"{UUID}:11".encode())
        if level == "eventual":
            await stage.send(query("SELECT a FROM t"))
            assert stage.sent(b"WAIT_FOR") == []
        await stage.send(query(f"SELECT /* rwrouter: consistency={hint} */ a FROM t"))
        assert len(stage.sent(b"WAIT_FOR")) == waits
        if level == "session":
            await stage.send(query("SELECT a FROM t"))
            assert len(stage.sent(b"WAIT_FOR")) == 1, "an eventual read does not spare the next its wait"

    settings = {"reads": {"primary_weight": 0, "consistency": level}}
    on_stage(play, asks(AHEAD), **settings)  # type: ignore[arg-type]


def test_max_lag_passes_over_who_is_further_behind() -> None:
    """A replica whose lag is above the hint's, or unknown, does not answer that read."""
    from dataclasses import replace

    from rwrouter.model import Lag

    async def play(stage: Stage) -> None:
        late, lost = replace(server("db2"), lag=Lag(2.0)), replace(server("db3"), lag=Lag(None))
        stage.show(server("db1", Role.PRIMARY), late, lost, generation=2)
        assert await stage.send(query("SELECT /* rwrouter: max_lag=1s */ a FROM t")) == row("db1")
        assert await stage.send(query("SELECT /* rwrouter: max_lag=3s */ a FROM t")) == row("db2")

    on_stage(play)


def written(lag: float, has: dict[str, str]) -> tuple[list[tuple[str, bytes]], list[bytes], dict[str, int]]:
    """Insert, then read twice: db2 is *lag* seconds behind; *has*: what each answers to a look or wait."""
    gtid = f"{UUID}:10"
    report = bytes((3, len(gtid) + 2, 0, len(gtid))) + gtid.encode()
    asked: list[tuple[str, bytes]] = []
    answers: list[bytes] = []
    counted: dict[str, int] = {}

    def script(name: str, command: bytes) -> bytes | None:
        if b"WAIT_FOR" in command or b"GTID_SUBSET" in command:
            asked.append((name, b"wait" if b"WAIT_FOR" in command else b"look"))
            return row(has[name])
        return ok(state=report) if b"INSERT" in command else by_name(name, command)

    async def play(stage: Stage) -> None:
        late = replace(server("db2"), lag=Lag(lag))
        stage.show(server("db1", Role.PRIMARY), late, server("db3"), generation=2)
        for _ in range(2):
            await stage.send(query("INSERT INTO t VALUES (1)"))
            answers.append(await stage.send(query("SELECT a FROM t")))
        counters = stage.gateway.counters
        for name in ("waits", "wait_timeouts", "waits_skipped", "read_fallbacks"):
            counted[name] = getattr(counters, name)

    on_stage(play, script)
    return asked, answers, counted


def test_a_replica_far_behind_is_looked_at_and_not_waited_for() -> None:
    """Its lag is above reads.wait: where it lacks the write, the other replica answers."""
    asked, answers, counted = written(5.0, {"db2": "1", "db3": "0"})
    assert ("db2", b"look") in asked
    assert ("db2", b"wait") not in asked
    assert answers == [row("db3")] * 2
    assert counted == {"waits": 2, "wait_timeouts": 0, "waits_skipped": 2, "read_fallbacks": 0}


def test_a_lag_that_is_over_costs_nothing() -> None:
    """The look finds the write: what the monitor saw a second ago does not count."""
    asked, answers, _ = written(5.0, {"db2": "0", "db3": "0"})
    assert ("db2", b"look") in asked
    assert row("db2") in answers


def test_after_a_wait_in_vain_the_next_read_only_looks() -> None:
    """One read has waited on each; the second finds nobody either, and the primary answers at once."""
    asked, answers, counted = written(0.0, {"db2": "1", "db3": "1"})
    assert sorted(asked) == [("db2", b"look"), ("db2", b"wait"), ("db3", b"look"), ("db3", b"wait")]
    assert answers == [row("db1")] * 2
    assert counted == {"waits": 2, "wait_timeouts": 2, "waits_skipped": 2, "read_fallbacks": 2}


def test_a_named_session_sees_what_others_of_that_name_wrote() -> None:
    """`session=NAME` waits for all that the primary has, wherever it was written; another level wins over it."""

    async def play(stage: Stage) -> None:
        assert await stage.send(query("SELECT a FROM t /* rwrouter: session=cart7 */")) in {
            row("db2"),
            row("db3"),
        }
        assert stage.sent(b"gtid_executed") == ["db1"]
        assert len(stage.sent(AHEAD.encode())) == 1
        stage.log.clear()
        await stage.send(query("SELECT a FROM t /* rwrouter: session=cart7 consistency=eventual */"))
        await stage.send(query("RWROUTER SET consistency = 'primary'"))
        assert await stage.send(query("SELECT a FROM t /* rwrouter: session=cart7 */")) == row("db1")
        assert stage.sent(b"gtid_executed") == []

    on_stage(play, asks(AHEAD))  # type: ignore[arg-type]
