"""The circuit of one server, step by step."""

from hypothesis import given
from hypothesis import strategies as st

from rwrouter.proxy.circuit import CAPPED_SECONDS, LONGEST_PAUSE, Circuit


def test_it_is_closed_at_first() -> None:
    """Any number may open connections."""
    circuit = Circuit()
    assert circuit.is_closed
    assert [circuit.ask(0.0, 0), circuit.ask(0.0, 1000)] == ["", ""]


def test_a_failure_opens_it_and_then_one_may_try() -> None:
    """All others wait for the outcome of the trial."""
    circuit = Circuit()
    circuit.failed(10.0)
    assert circuit.is_open(10.5)
    assert circuit.ask(10.5, 0) == "it failed a moment ago, and is left alone"
    assert not circuit.is_open(11.0)
    assert circuit.ask(11.0, 0) == ""
    assert circuit.ask(11.0, 0) == "it failed a moment ago, and one is trying it"
    circuit.succeeded()
    assert circuit.is_closed
    assert [circuit.ask(11.0, 0), circuit.ask(11.0, 0)] == ["", ""]


def test_a_trial_that_fails_opens_it_for_twice_as_long() -> None:
    """Up to a limit."""
    circuit, now, pauses = Circuit(), 0.0, []
    for _ in range(8):
        circuit.failed(now)
        pauses.append(circuit.open_until - now)
        now = circuit.open_until
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_many_that_fail_at_a_time_are_one_failure() -> None:
    """A hundred clients were connecting when it went."""
    circuit = Circuit()
    for _ in range(100):
        circuit.failed(5.0)
    assert circuit.open_until == 6.0


def test_a_trial_whose_client_goes_leaves_it_to_the_next() -> None:
    """Nobody would ever close it else."""
    circuit = Circuit()
    circuit.failed(0.0)
    assert circuit.ask(1.0, 0) == ""
    circuit.abandoned()
    assert circuit.ask(1.0, 0) == ""


def test_when_the_monitor_has_reached_it_one_may_try_at_once() -> None:
    """One, not all."""
    circuit = Circuit()
    circuit.failed(0.0)
    circuit.reached(0.3)
    assert [bool(circuit.ask(0.3, 0)), bool(circuit.ask(0.3, 0))] == [False, True]


def test_a_full_server_caps_what_is_opened_and_stays() -> None:
    """What is open counts; the cap grows by one a second, and ends."""
    circuit = Circuit()
    circuit.full(0.0, 5)
    assert circuit.is_closed
    assert circuit.ask(0.0, 5) == "it was full with 5 connections of this worker"
    assert circuit.ask(0.0, 4) == ""
    assert [circuit.ask(2.0, 6), bool(circuit.ask(2.0, 7))] == ["", True]
    assert circuit.is_capped(CAPPED_SECONDS - 1)
    assert not circuit.is_capped(CAPPED_SECONDS)
    assert circuit.ask(CAPPED_SECONDS, 1000) == ""


@given(st.lists(st.sampled_from(["ask", "succeeded", "failed", "abandoned", "reached", "wait"])))
def test_never_two_trials_at_a_time_and_never_shut_for_good(steps: list[str]) -> None:
    """Whatever happens: and when time passes, somebody may try again."""
    circuit, now, trials = Circuit(), 100.0, 0
    for step in steps:
        match step:
            case "ask":
                trial = not circuit.is_closed
                if circuit.ask(now, 0) == "" and trial:
                    trials += 1
            case "wait":
                now += 0.7
            case "succeeded" | "abandoned":
                getattr(circuit, step)()
                trials = 0
            case "failed" | "reached":
                getattr(circuit, step)(now)
                trials = trials if step == "reached" else 0
        assert trials <= 1
    circuit.abandoned()
    assert circuit.ask(now + LONGEST_PAUSE, 0) == ""
