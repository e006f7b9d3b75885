"""What happened in the cluster, as the log has it."""

import pytest

from rwrouter.cluster.events import Event, changes
from rwrouter.model import Address, Lag, Role, Server, Snapshot, State

UP = Server("db1", Address("db1", 3306), Role.PRIMARY, State.UP, "", Lag(0.0, "is the primary"))
DOWN = Server(
    "db1", Address("db1", 3306), Role.UNKNOWN, State.DOWN, "connection refused", Lag(None, "silent")
)


def test_events_are_one_line_of_pairs() -> None:
    """Values with blanks or quotes are quoted as JSON."""
    event = Event("info", "server_up", (("server", "db1"), ("why", 'said "no"\n')))
    assert str(event) == 'event=server_up server=db1 why="said \\"no\\"\\n"'


@pytest.mark.parametrize(
    ("case", "old", "new", "events"),
    [
        (
            "a server comes",
            Snapshot(),
            Snapshot(servers=(UP,), primary="db1"),
            [
                "event=server_up server=db1 address=db1:3306 role=primary was=new lag=0.000s",
                "event=primary_changed old=none new=db1",
            ],
        ),
        (
            "it goes",
            Snapshot(servers=(UP,), primary="db1"),
            Snapshot(servers=(DOWN,), problem="no primary: db1 connection refused"),
            [
                (
                    "event=server_down server=db1 address=db1:3306 role=unknown was=primary,up lag=unknown "
                    'why="connection refused"'
                ),
                "event=primary_changed old=db1 new=none",
                'event=cannot_serve why="no primary: db1 connection refused"',
            ],
        ),
        ("it stays", Snapshot(servers=(UP,), primary="db1"), Snapshot(servers=(UP,), primary="db1"), []),
        (
            "alarms",
            Snapshot(alarms=("a", "b")),
            Snapshot(alarms=("b", "c")),
            ["event=alarm what=c", "event=alarm_over what=a"],
        ),
    ],
)
def test_changes_are_told_once(case: str, old: Snapshot, new: Snapshot, events: list[str]) -> None:
    """Each of them is one line, and what stays is none."""
    assert [str(event) for event in changes(old, new, {"db1"}, is_first_look=False)] == events, case


def test_nothing_is_amiss_before_all_were_asked() -> None:
    """A server that was not probed yet is not told of, nor that nobody can be served."""
    new = Snapshot(servers=(DOWN,), problem="no primary")
    assert list(changes(Snapshot(), new, (), is_first_look=True)) == []
