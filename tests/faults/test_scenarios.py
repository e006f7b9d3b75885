"""The short scenarios of the lab, and those of their bounds that need a closer look; `make faultlab` runs all."""

from collections.abc import Iterator

import pytest

from rwrouter.model import Flavor
from tests.faults.lab import Lab, Run, perform
from tests.faults.load import Client, Load
from tests.faults.network import why_not
from tests.faults.scenarios import SCENARIOS
from tests.integration.harness import missing

TIME_OUT = 5.0  # of the monitor in the test of a hung replica: far above what a busy machine adds


class LabKeeper:
    """Keeps one lab for several scenarios; a scenario that changes roles gets one of its own after it."""

    def __init__(self) -> None:
        self._lab: Lab | None = None

    def lab(self) -> Lab:
        """Return a lab that is whole."""
        if self._lab is None:
            self._lab = Lab(Flavor.MYSQL)
        return self._lab

    def drop(self) -> None:
        """End it."""
        lab, self._lab = self._lab, None
        if lab is not None:
            lab.close()


@pytest.fixture(scope="module")
def keeper() -> Iterator[LabKeeper]:
    """Keep the lab of this file."""
    if reason := why_not():
        missing(reason)
    kept = LabKeeper()
    yield kept
    kept.drop()


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if one.short])
def test_a_fault_costs_no_more_than_it_must(keeper: LabKeeper, name: str) -> None:
    """Errors are within the scenario's bounds; no read is stale, no result wrong, no write lost or done twice."""
    one = SCENARIOS[name]
    lab = keeper.lab()
    try:
        outcome = perform(one, lab)
    except BaseException:
        keeper.drop()
        raise
    log = lab.target.log()
    if one.spoils:
        keeper.drop()
    assert outcome.broken(one.bounds) == [], f"{outcome}\n{log[-4000:]}"
    assert "Traceback" not in log, log


def test_a_hung_replica_costs_a_time_out_once() -> None:
    """SIGSTOP: who reads from it waits for the time-out once; who writes or reads elsewhere notices nothing."""
    if reason := why_not():
        missing(reason)

    def slow(client: Client, load: Load) -> list[float]:
        return [
            trouble.waited
            for trouble in load.ledger.trouble
            if trouble.client == client.number and trouble.waited > TIME_OUT * 0.8
        ]

    settings = f'[monitor]\ntimeout = "{TIME_OUT:g}s"\nfall = 1\n'
    with Lab(Flavor.MYSQL, settings=settings) as lab:
        load = Load(lab.target.connect, ["reads"] * 3 + ["writes"] * 2 + ["elsewhere"] * 2)
        with load:
            assert load.settle(), load.ledger.trouble
            load.ledger.trouble.clear()
            victim = lab.replicas[0]
            victim.pause()
            assert load.settle(), load.ledger.trouble
            victim.resume()
            assert load.settle(), load.ledger.trouble
    ledger = load.ledger
    assert not ledger.errors(), ledger.trouble
    assert not ledger.wrong
    for client in load.clients:
        waits = slow(client, load)
        if client.number > 3:
            assert waits == [], f"client {client.number} did not use the hung replica: {waits}"
        else:
            assert len(waits) <= 1, f"client {client.number} waited more than once: {waits}"
    assert any(slow(client, load) for client in load.clients[:3]), "somebody has met the hung replica"


def test_the_lab_sees_what_it_is_for() -> None:
    """A load that is told of a lost, a doubled and a half-done write finds them."""
    if reason := why_not():
        missing(reason)
    with Lab(Flavor.MARIADB) as lab:

        def lie(run: Run) -> None:
            """Change the data behind the clients' backs."""
            ledger = run.load.ledger
            run.fault()
            ledger.acknowledged.append("never written")
            ledger.transactions.append(("half", "other half"))
            ledger.refused.append("ghost")
            lab.primary.query("INSERT INTO faults.w (tag) VALUES ('twice'), ('twice'), ('half'), ('ghost')")
            lab.primary.query("UPDATE faults.fixed SET v = 'changed' WHERE id = 100")
            lab.wait_in_sync()
            run.hold(3)

        outcome = perform(SCENARIOS["replica_killed"].with_fault(lie), lab)
    assert outcome.lost == ["never written"]
    assert outcome.doubled == ["twice"]
    assert outcome.torn == ["half"]
    assert outcome.ghosts == ["ghost"]
    assert outcome.wrong
