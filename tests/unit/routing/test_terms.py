"""What a session's reads ask for."""

from rwrouter.routing.terms import Terms, Wish, combine


def test_the_first_layer_that_asks_wins_in_each_point() -> None:
    """A layer that is silent lets the next speak."""
    layers = [("a", Wish(max_lag=1.0)), ("b", Wish("global", 2.0)), ("c", Wish("primary"))]
    assert combine(layers, "session") == Terms("global", "b", 1.0, "a")
    assert combine([], "session") == Terms("session", "reads.consistency")


def test_which_reads_need_no_choice() -> None:
    """Those of sessions that take any reader."""
    assert Terms("session", "").need_no_choice
    assert Terms("eventual", "").need_no_choice
    assert not Terms("global", "").need_no_choice
    assert not Terms("session", "", 1.0, "").need_no_choice
