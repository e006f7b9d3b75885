"""The table of the connection phase."""

import pytest

from rwrouter.errors import HandshakeError
from rwrouter.protocol.phase import CLIENT_SPEAKS, ENDED, SERVER_SPEAKS, TABLE, Handshake, State, Step
from rwrouter.protocol.wire import Malformed


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_every_pair_moves_or_breaks(state: State, step: Step) -> None:
    """A step in the table leads to its state; any other breaks the protocol and moves nothing."""
    machine = Handshake(state, 100, is_secure=False)
    if (state, step) in TABLE:
        machine._move(step)
        assert machine.state is TABLE[state, step]
    else:
        with pytest.raises(Malformed, match=step):
            machine._move(step)
        assert machine.state is state


def test_a_state_has_one_speaker_or_is_an_end() -> None:
    """Each state belongs to client, server, TLS or the end; all can be reached; ends are left by nothing."""
    assert not CLIENT_SPEAKS & SERVER_SPEAKS
    assert CLIENT_SPEAKS | SERVER_SPEAKS | ENDED | {State.TLS} == set(State)
    assert {state for state, _ in TABLE} == set(State) - ENDED
    assert set(TABLE.values()) == set(State) - {State.START, State.COMMAND, State.FAILED}


def test_an_end_of_the_connection_is_a_failure_but_after_the_end() -> None:
    """A peer that goes away in mid-handshake is named with the state; after DONE nothing is wrong."""

    class Ours(Handshake):
        _turn = CLIENT_SPEAKS
        _breach = HandshakeError

    machine = Ours(State.GREETED, 100, is_secure=False)
    machine.receive_eof()
    assert machine.state is State.FAILED
    assert str(machine.error) == "the client went away during the handshake, in state GREETED"
    machine = Ours(State.DONE, 100, is_secure=False)
    machine.receive_eof()
    assert machine.error is None
