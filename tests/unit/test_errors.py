"""The hierarchy of errors."""

from rwrouter import errors
from rwrouter.errors import RouterError


def _classes() -> list[type[RouterError]]:
    return [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, RouterError)]


def test_codes_are_ones_that_clients_can_take() -> None:
    """No code belongs to client libraries, and each fits a signed 16-bit number."""
    for error in _classes():
        assert 1000 <= error.code < 32768
        assert not 2000 <= error.code <= 2999
        assert not 5000 <= error.code <= 5999
        assert len(error.sqlstate) == 5


def test_codes_of_the_router_have_one_meaning_each() -> None:
    """A number from 9600 to 9699 is used by one class."""
    own = [error.code for error in _classes() if 9600 <= error.code <= 9699]
    assert len(own) == len(set(own))
