"""Histories from seeds: the promises hold, and a bug planted in the router is found."""

import time
from collections.abc import Callable, Iterable

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


# -- the simulator finds what it is for: each of these plants a bug in the router


def reads_do_not_wait(patch: pytest.MonkeyPatch) -> None:
    """The wait for the session's own writes is left out."""

    async def never(*_arguments: object) -> None:
        """Take the server for one that has it all."""

    patch.setattr(waiting, "_reach", never)


def sessions_read_what_is_older(patch: pytest.MonkeyPatch) -> None:
    """A session that keeps to one server asks for no position when it leaves that."""

    def forgetful(self: Sticky, reader: Endpoint | None) -> None:
        self._reader = reader

    patch.setattr(Sticky, "_keep_to", forgetful)


def lost_writes_are_run_again(patch: pytest.MonkeyPatch) -> None:
    """A write that was lost on its way is run again."""
    honest = recovery.lost_in_statement

    def careless(client: ClientConnection, backend: BackendConnection, why: str) -> None:
        if client.plan.target is Target.PRIMARY and client.session.free and client.retries < 2:
            recovery._retry(client, backend.endpoint, Where.PRIMARY)
        else:
            honest(client, backend, why)

    patch.setattr(recovery, "lost_in_statement", careless)


def transactions_wander(patch: pytest.MonkeyPatch) -> None:
    """A transaction does not tie the session to its connection."""
    honest = Session.on_reply

    def loose(self: Session, effects: int, status: int, states: Iterable[bytes]) -> None:
        honest(self, effects, status, states)
        if status & SERVER_STATUS_IN_TRANS:
            self.free = True

    patch.setattr(Session, "on_reply", loose)


def statements_leave_their_transaction(patch: pytest.MonkeyPatch) -> None:
    """A statement that a primary refused in a transaction waits for the next one, too."""
    patch.setattr(holding, "is_movable", lambda _client: True)


def statements_are_held_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Nobody tells the waiting that the primary is there, and no time ends their wait."""
    patch.setattr(holding.Holding, "_flow", lambda _holding: None)
    patch.setattr(holding, "until", lambda _client: 1e9)


def state_is_not_brought_along(patch: pytest.MonkeyPatch) -> None:
    """A session's variables are not set on its next connection."""
    patch.setattr(restoring, "assignments", lambda *_variables: [])


def half_sent_results_are_run_again(patch: pytest.MonkeyPatch) -> None:
    """A read is run again though a part of its result has been passed on."""
    honest = recovery.lost_in_statement

    def careless(client: ClientConnection, backend: BackendConnection, why: str) -> None:
        client.started = False
        honest(client, backend, why)

    patch.setattr(recovery, "lost_in_statement", careless)


def another_is_killed(patch: pytest.MonkeyPatch) -> None:
    """KILL ends the statement of another client."""
    honest = killing.kill

    async def careless(
        gateway: Gateway, target: ClientConnection, account: Account, *, query_only: bool
    ) -> tuple[int, str, str] | None:
        others = [one for one in gateway.clients.values() if one is not target and one.current is not None]
        return await honest(gateway, others[0] if others else target, account, query_only=query_only)

    patch.setattr(killing, "kill", careless)


def held_writes_are_sent_twice(patch: pytest.MonkeyPatch) -> None:
    """A write that was lost on its way is held for the next primary, as if it had not run."""
    honest = recovery.lost_in_statement

    def careless(client: ClientConnection, backend: BackendConnection, why: str) -> None:
        is_write = client.plan.target is Target.PRIMARY and holding.can_run_elsewhere(client)
        if not (is_write and recovery._wait_for_primary(client, backend, b"\xff\x0a\x05#HY000lost")):
            honest(client, backend, why)

    patch.setattr(recovery, "lost_in_statement", careless)


SEEN: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    reads_do_not_wait: "stale read",
    sessions_read_what_is_older: "time went back",
    lost_writes_are_run_again: "",
    transactions_wander: "",
    statements_leave_their_transaction: "",
    statements_are_held_for_ever: "waits since",
    state_is_not_brought_along: "variables",
    half_sent_results_are_run_again: "",
    another_is_killed: "nobody asked for that",
    held_writes_are_sent_twice: "",
}
"""What is planted -> what the broken promise says; "" where a bug shows in more than one way."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", SEEN, ids=lambda plant: plant.__name__)
def test_finds(monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    """A bug in the router breaks a promise within some hundred histories."""
    plant(monkeypatch)
    found = first_failure(range(1000))
    assert found is not None
    assert SEEN[plant] in found[1]


def test_snapshot_of_the_model_is_the_routers_own() -> None:
    """The monitor of a history is the real one: it finds the primary by itself."""
    history = History(3)
    history.run()
    assert isinstance(history.watch.monitor.snapshot, Snapshot)
    assert history.watch.monitor.snapshot.primary == history.primary.name
