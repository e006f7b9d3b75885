"""Servers that have what the primary lacks."""

from rwrouter.cluster.divergence import SETTLED, Divergence
from rwrouter.cluster.gtid import GtidSet

A, B = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "3e11fa47-71ca-11e1-9e33-c80aa9429563"


def look(divergence: Divergence, now: float, primary: str, other: str) -> list[str]:
    """Take in two positions; return the alarms."""
    divergence.look(now, GtidSet.parse(primary), {"db2": GtidSet.parse(other)})
    return list(divergence.alarms("db1"))


def test_what_is_written_past_the_primary_is_told_until_it_is_gone() -> None:
    """After a while, with its name; a server that is rebuilt is no longer told of."""
    divergence = Divergence()
    assert look(divergence, 0.0, f"{A}:1-9", f"{A}:1-9,{B}:1") == []
    assert look(divergence, SETTLED - 1, f"{A}:1-9", f"{A}:1-9,{B}:1") == []
    (alarm,) = look(divergence, SETTLED, f"{A}:1-12", f"{A}:1-12,{B}:1-2")
    assert alarm.startswith(f"db2 has transactions that the primary db1 lacks ({B}:1)")
    assert look(divergence, SETTLED + 1, f"{A}:1-13", f"{A}:1-13") == []


def test_a_replica_is_ahead_of_what_the_primary_said_for_a_moment_and_for_ever_anew() -> None:
    """On a busy primary it always is: the primary has that a moment later."""
    divergence = Divergence()
    for second in range(60):
        assert look(divergence, float(second), f"{A}:1-{second * 10 + 1}", f"{A}:1-{second * 10 + 5}") == []


def test_nothing_is_told_without_gtids() -> None:
    """Where the primary tells no position, nobody is ahead."""
    divergence = Divergence()
    for second in range(20):
        assert look(divergence, float(second), "", f"{A}:1-5") == []


def test_what_the_primary_has_lost_is_told() -> None:
    """MariaDB, too: the replica's domain has got further."""
    divergence = Divergence()
    look(divergence, 0.0, "0-1-40", "0-1-42")
    assert "(0-0-42)" in look(divergence, SETTLED, "0-1-40", "0-1-42")[0]
