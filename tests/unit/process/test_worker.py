"""The worker's start message."""

import pickle
import socket

import pytest

from rwrouter.config.model import Settings
from rwrouter.process import worker


def test_the_start_message_is_read_to_its_last_byte_and_no_further() -> None:
    """What the master sends after it belongs to the channel."""
    start = worker.Start(Settings(), 0, 1, (3,), 4, b"pem", "c", "k")
    left, right = socket.socketpair()
    body = pickle.dumps(start)
    left.sendall(len(body).to_bytes(4, "little") + body + b"next")
    assert worker._receive_start(right) == start
    assert right.recv(10) == b"next"
    left.close()
    right.close()


def test_anything_else_is_refused() -> None:
    """A message of another kind is a bug."""
    left, right = socket.socketpair()
    body = pickle.dumps("hello")
    left.sendall(len(body).to_bytes(4, "little") + body)
    with pytest.raises(TypeError):
        worker._receive_start(right)
    left.close()
    right.close()
