"""The shared words."""

import pytest

from rwrouter.model import Address, Server, Snapshot


def test_address_prints_as_one_writes_it() -> None:
    """An IPv6 address has brackets, so that its port can be told."""
    assert str(Address("db1", 3306)) == "db1:3306"
    assert str(Address("::1", 3306)) == "[::1]:3306"


def test_snapshot_finds_a_server_by_name() -> None:
    """A server is found by its name; an unknown name is a KeyError."""
    server = Server("db1", Address("db1", 3306))
    assert Snapshot(servers=(server,)).server("db1") is server
    with pytest.raises(KeyError):
        Snapshot().server("db1")
