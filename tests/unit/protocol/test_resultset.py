"""The router's own small result sets."""

import pytest

from rwrouter.protocol import response
from rwrouter.protocol.flags import CLIENT_DEPRECATE_EOF, COM_QUERY
from rwrouter.protocol.response import Reply
from rwrouter.protocol.resultset import build_text_result, first_value


@pytest.mark.parametrize("capabilities", [0, CLIENT_DEPRECATE_EOF])
@pytest.mark.parametrize(
    ("value", "text"),
    [(0, b"0"), (None, None), ("db1", b"db1"), ("x" * 251, b"x" * 251), ("y" * 70000, b"y" * 70000)],
)
def test_what_is_built_can_be_read(capabilities: int, value: str | int | None, text: bytes | None) -> None:
    """A built result set is one whole reply, and its first value comes out again."""
    data = build_text_result(["a", "b"], [[value, 2], ["x", None]], capabilities)
    reply = Reply(capabilities)
    reply.begin(COM_QUERY)
    assert reply.receive(data) == data
    assert reply.state == response.DONE
    assert first_value(data, capabilities) == text


def test_no_rows() -> None:
    """An empty result set has no first value."""
    assert first_value(build_text_result(["a"], [], 0), 0) is None
