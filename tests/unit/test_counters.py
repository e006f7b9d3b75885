"""Counters."""

from rwrouter.counters import (
    SERVER_COUNTERS,
    WORKER_COUNTERS,
    ServerCounters,
    WorkerCounters,
    gauges,
    help_of,
    server_values,
    sum_of_workers,
    worker_values,
)


def test_values_stand_in_the_order_of_the_names() -> None:
    """The order of the names is the layout of the scoreboard."""
    assert worker_values(WorkerCounters(*range(len(WORKER_COUNTERS)))) == list(range(len(WORKER_COUNTERS)))
    assert server_values(ServerCounters(*range(len(SERVER_COUNTERS)))) == list(range(len(SERVER_COUNTERS)))


def test_each_counter_says_what_it_counts() -> None:
    """Metrics and documentation take their words from here."""
    assert all(help_of(WorkerCounters).values())
    assert all(help_of(ServerCounters).values())
    assert gauges(ServerCounters) == {"connections", "outstanding", "circuits_open", "circuits_capped"}
    assert gauges(WorkerCounters) == {"clients", "sessions_pinned", "held_now"}


def test_sums() -> None:
    """A sum has each column's sum; of no workers it is zero."""
    assert sum_of_workers([WorkerCounters(clients=1), WorkerCounters(clients=2, errors=3)]) == WorkerCounters(
        clients=3, errors=3
    )
    assert sum_of_workers([]) == WorkerCounters()
