"""Histories from seeds: the promises hold, and a bug planted in the router is found."""

import time
from collections.abc import Iterable

import pytest

from rwrouter.model import Snapshot
from rwrouter.protocol.flags import SERVER_STATUS_IN_TRANS
from rwrouter.proxy import holding, killing, recovery, restoring, waiting
from rwrouter.proxy.backend import BackendConnection
from rwrouter.proxy.client import ClientConnection
from rwrouter.proxy.dial import Account
from rwrouter.proxy.gateway import Gateway
from rwrouter.proxy.servers import Endpoint
from rwrouter.proxy.sticky import Sticky
from rwrouter.routing.decision import Where
from rwrouter.routing.session import Session
from rwrouter.sql.plans import Target
from tests.simulation.history import History, quiet

ONCE_FAILED: tuple[int, ...] = (54, 684)
"""Seeds that have found a bug: they run for ever."""

SECONDS = 60.0
"""How long the unknown seeds run."""

SEEDS = 3000


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quiet()


def first_failure(seeds: Iterable[int]) -> tuple[int, str] | None:
    """Return the first of *seeds* that breaks a promise, and which."""
    for seed in seeds:
        found = History(seed).run()
        if found:
            return seed, found[0]
    return None


def test_seeds_that_once_failed() -> None:
    """A history that has shown a bug keeps all promises."""
    assert first_failure(ONCE_FAILED) is None


@pytest.mark.timeout(300)
def test_promises_hold() -> None:
    """No history of some thousand breaks a promise."""
    end = time.monotonic() + SECONDS
    for seed in range(SEEDS):
        found = History(seed).run()
        assert not found, f"seed {seed}: {found}; python -m tests.simulation.run --seed {seed} --trace"
        if time.monotonic() > end:
            break


def test_seed_gives_one_history() -> None:
    """The same seed gives the same history, to the last byte."""

    def told(seed: int) -> list[str]:
        lines: list[str] = []
        History(seed, lines.append).run()
        return lines

    assert told(11) == told(11)
    assert told(11) != told(12)


# -- the simulator finds what it is for


@pytest.mark.timeout(300)
def test_finds_reads_that_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wait for the session's own writes, a stale read is found."""

    async def never(*_arguments: object) -> None:
        """Take the server for one that has it all."""

    monkeypatch.setattr(waiting, "_reach", never)
    found = first_failure(range(1000))
    assert found is not None
    assert "stale read" in found[1]


@pytest.mark.timeout(300)
def test_finds_sessions_that_read_what_is_older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a session that keeps to one server asks for no position when it leaves that, time goes back."""

    def forgetful(self: Sticky, reader: Endpoint | None) -> None:
        self._reader = reader

    monkeypatch.setattr(Sticky, "_keep_to", forgetful)
    found = first_failure(range(1000))
    assert found is not None
    assert "time went back" in found[1]


@pytest.mark.timeout(300)
def test_finds_writes_that_are_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a write that was lost on its way is run again, a doubled or doubly answered write is found."""
    honest = recovery.lost_in_statement

    def careless(client: ClientConnection, backend: BackendConnection, why: str) -> None:
        if client.plan.target is Target.PRIMARY and client.session.free and client.retries < 2:
            recovery._retry(client, backend.endpoint, Where.PRIMARY)
        else:
            honest(client, backend, why)

    monkeypatch.setattr(recovery, "lost_in_statement", careless)
    found = first_failure(range(1000))
    assert found is not None


@pytest.mark.timeout(300)
def test_finds_transactions_that_wander(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a transaction does not tie the session to its connection, it is found on several."""
    honest = Session.on_reply

    def loose(self: Session, effects: int, status: int, states: Iterable[bytes]) -> None:
        honest(self, effects, status, states)
        if status & SERVER_STATUS_IN_TRANS:
            self.free = True

    monkeypatch.setattr(Session, "on_reply", loose)
    found = first_failure(range(1000))
    assert found is not None


@pytest.mark.timeout(300)
def test_finds_statements_held_out_of_their_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a statement that a primary refused in a transaction waits for the next one too, it is found."""
    monkeypatch.setattr(holding, "is_movable", lambda _client: True)
    found = first_failure(range(1000))
    assert found is not None


@pytest.mark.timeout(300)
def test_finds_statements_that_are_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody tells the waiting that the primary is there, and no time ends their wait, it is found."""
    monkeypatch.setattr(holding.Holding, "_flow", lambda _holding: None)
    monkeypatch.setattr(holding, "until", lambda _client: 1e9)
    found = first_failure(range(1000))
    assert found is not None
    assert "waits since" in found[1]


@pytest.mark.timeout(300)
def test_finds_state_that_is_not_brought_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a session's variables are not set on its next connection, wrong ones are read."""
    monkeypatch.setattr(restoring, "assignments", lambda *_variables: [])
    found = first_failure(range(1000))
    assert found is not None
    assert "variables" in found[1]


@pytest.mark.timeout(300)
def test_finds_results_that_are_run_again_when_half_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a read is run again though a part of its result has been passed on, a malformed reply is found."""
    honest = recovery.lost_in_statement

    def careless(client: ClientConnection, backend: BackendConnection, why: str) -> None:
        client.started = False
        honest(client, backend, why)

    monkeypatch.setattr(recovery, "lost_in_statement", careless)
    found = first_failure(range(1000))
    assert found is not None


@pytest.mark.timeout(300)
def test_finds_kills_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where KILL ends the statement of another client, that one's error is found."""
    honest = killing.kill

    async def careless(
        gateway: Gateway, target: ClientConnection, account: Account, *, query_only: bool
    ) -> tuple[int, str, str] | None:
        others = [one for one in gateway.clients.values() if one is not target and one.current is not None]
        return await honest(gateway, others[0] if others else target, account, query_only=query_only)

    monkeypatch.setattr(killing, "kill", careless)
    found = first_failure(range(1000))
    assert found is not None
    assert "nobody asked for that" in found[1]


@pytest.mark.timeout(300)
def test_finds_held_writes_that_are_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a write that was lost on its way is held for the next primary, as if it had not run, it is found twice."""
    honest = recovery.lost_in_statement

    def careless(client: ClientConnection, backend: BackendConnection, why: str) -> None:
        is_write = client.plan.target is Target.PRIMARY and holding.can_run_elsewhere(client)
        if not (is_write and recovery._wait_for_primary(client, backend, b"\xff\x0a\x05#HY000lost")):
            honest(client, backend, why)

    monkeypatch.setattr(recovery, "lost_in_statement", careless)
    found = first_failure(range(1000))
    assert found is not None


def test_snapshot_of_the_model_is_the_routers_own() -> None:
    """The monitor of a history is the real one: it finds the primary by itself."""
    history = History(3)
    history.run()
    assert isinstance(history.watch.monitor.snapshot, Snapshot)
    assert history.watch.monitor.snapshot.primary == history.primary.name
