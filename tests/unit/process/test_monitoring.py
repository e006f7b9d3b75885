"""The edge of the monitor: threads and time-outs. Servers are modelled by links."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from rwrouter.cluster.monitor import Probe
from rwrouter.cluster.probes import Answer, Failure, Greeted, Topic
from rwrouter.config.model import MonitorSettings, ServerSettings, Settings
from rwrouter.model import Snapshot, State
from rwrouter.process.link import Link
from rwrouter.process.monitoring import Monitoring

GREETED = Greeted("5.5.5-10.11.19-MariaDB", 0, 8)


def settings(interval: float = 0.01) -> Settings:
    return Settings(
        servers=(ServerSettings(address="a:1", name="a"), ServerSettings(address="b:2", name="b")),
        monitor=MonitorSettings(user="m", password=SecretStr("p"), interval=interval, timeout=0.05),
    )


def answered(probe: Probe, *, read_only: bool) -> Answer:
    facts = {"version": "10", "uuid": "", "server_id": probe.address.port, "read_only": int(read_only)}
    return Answer(
        GREETED,
        {Topic.FACTS: [facts | {"executed": "", "now": 0}], Topic.REPLICATION: [], Topic.RIGHTS: []},
    )


def run_until(settings: Settings, done: Callable[[Monitoring, Snapshot], bool]) -> Monitoring:
    """Run the monitor until a snapshot is as wanted, at most ten seconds; return it."""

    async def run() -> Monitoring:
        def look(snapshot: Snapshot) -> None:
            if done(monitoring, snapshot):
                monitoring.close()

        monitoring = Monitoring(settings, look)
        async with asyncio.timeout(10):
            await monitoring.run()
        return monitoring

    return asyncio.run(run())


def test_a_hung_server_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One never answers: the other is probed again and again, and the hung one is down by its time-out."""
    freed, asked = threading.Event(), []

    def ask(_: Link, probe: Probe) -> Answer | Failure:
        asked.append(probe.server)
        if probe.server == "b":
            freed.wait(10)
        return answered(probe, read_only=False)

    monkeypatch.setattr(Link, "ask", ask)
    found = run_until(settings(), lambda _, snapshot: "within" in snapshot.server("b").reason).snapshot
    freed.set()
    assert found.server("a").state is State.UP
    assert found.server("b").reason == "no answer within 0.25 s"  # five times the time-out: it was never up
    assert asked.count("a") > 2


def test_workers_words_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker saw, and what a person decides, is taken at once; a decree needs no probe."""
    monkeypatch.setattr(Link, "ask", lambda _, probe: answered(probe, read_only=probe.server == "b"))
    told: list[str] = []

    def tell(monitoring: Monitoring, snapshot: Snapshot) -> bool:
        if snapshot.primary == "a" and not told:
            told.append("once")
            monitoring.nudge("a", "1290")
            monitoring.failed("b")
            monitoring.decree("b", State.DISABLED)
        return snapshot.server("b").state is State.DISABLED

    found = run_until(settings(interval=60.0), tell).snapshot
    assert found.server("b").reason == "disabled by a person"


def test_a_reload_changes_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another password the connections are made anew, and servers that go are forgotten."""
    monkeypatch.setattr(Link, "ask", lambda _, probe: answered(probe, read_only=False))
    monitoring = run_until(settings(), lambda _, snapshot: bool(snapshot.alarms))
    other = settings().model_copy(
        update={
            "monitor": MonitorSettings(user="other"),
            "servers": (ServerSettings(address="a:1", name="a"),),
        }
    )
    monitoring.reconfigure(other)
    assert [server.name for server in monitoring.snapshot.servers] == ["a"]
