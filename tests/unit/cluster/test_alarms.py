"""What is wrong, in sentences for people."""

import pytest

from rwrouter.cluster.alarms import alarms_of, missing_rights, problem_of
from rwrouter.cluster.health import Health
from rwrouter.cluster.topology import Election
from rwrouter.cluster.watched import Watched
from rwrouter.config.model import ServerSettings
from rwrouter.model import Address, Lag, Role, Server, State


def down(name: str, reason: str) -> Server:
    """Return a server that is out for *reason*."""
    return Server(name, Address(name, 3306), Role.UNKNOWN, State.DOWN, reason, Lag(None, reason))


def watched(name: str) -> Watched:
    """Return a server of which nothing is known yet."""
    return Watched(name, Address(name, 3306), ServerSettings(address=name), Health(2, 2))


@pytest.mark.parametrize(
    ("servers", "election", "problem"),
    [
        ((), Election(None, "", ()), "no server is configured"),
        ((down("db1", "refused"),), Election("db2", "", ()), ""),
        (
            (down("db1", "refused"), down("db2", "")),
            Election(None, "no server is writable", ()),
            "no primary: no server is writable; db1 refused; db2 unknown",
        ),
    ],
)
def test_why_nobody_can_be_served(servers: tuple[Server, ...], election: Election, problem: str) -> None:
    """Server by server; nothing where one can."""
    said = problem_of(servers, election)
    assert said.startswith(problem)
    assert bool(said) == bool(problem)


def test_a_problem_fits_into_an_error() -> None:
    """It is cut, and says so."""
    said = problem_of([down(f"db{n}", "é" * 100) for n in range(9)], Election(None, "", ()))
    assert len(said.encode()) <= 512
    assert said.endswith("...")


def test_alarms_name_the_server_and_what_to_do() -> None:
    """Trouble, the same server listed twice, a heartbeat that can't be read."""
    one, other = watched("db1"), watched("db2")
    one.trouble, other.twin = "is full", "db1"
    one.no_heartbeat = other.no_heartbeat = "no such table (1146)"
    assert list(alarms_of([one, other], "percona.heartbeat")) == [
        "db1 is full",
        "db2 is the same server as db1: list it once",
        "monitor.heartbeat = percona.heartbeat can't be read on db1, db2: no such table (1146)",
    ]
    assert list(alarms_of([watched("db1")], "percona.heartbeat")) == []


def test_a_right_is_missed_once() -> None:
    """However many servers miss it, with what it would be good for."""
    one, other = watched("db1"), watched("db2")
    one.missing = other.missing = frozenset({"SHOW_ROUTINE on *.*"})
    assert list(missing_rights([one, other])) == [
        (
            "the monitor's account lacks SHOW_ROUTINE on *.*, to tell which stored functions only read: their calls go "
            "to the primary"
        )
    ]
