"""From what servers say to what the router reaches."""

import pytest

from rwrouter.cluster.addresses import AddressMap
from rwrouter.config.model import AddressSettings
from rwrouter.model import Address

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
MAP = AddressMap(
    AddressSettings(says=says, reach=reach)
    for says, reach in {
        "mysql-1:3306": "127.0.0.1:33061",
        "mysql-1": "10.0.0.1",
        "mysql-2": "[::1]:33062",
        "mysql-3": "[::1]",
        UUID: "db9:3399",
    }.items()
)


@pytest.mark.parametrize(
    ("host", "port", "uuid", "reached"),
    [
        ("mysql-1", 3306, "", "127.0.0.1:33061"),
        ("MySQL-1", 3306, "", "127.0.0.1:33061"),
        ("mysql-1", 3307, "", "10.0.0.1:3307"),
        ("mysql-2", 9, "", "[::1]:33062"),
        ("mysql-3", 9, "", "[::1]:9"),
        ("mysql-1", 3306, UUID.upper(), "db9:3399"),
        ("elsewhere", 3306, "", "elsewhere:3306"),
    ],
)
def test_the_most_precise_entry_wins(host: str, port: int, uuid: str, reached: str) -> None:
    """A server_uuid before HOST:PORT before HOST, which keeps the port where none is given."""
    assert str(MAP.reach(Address(host, port), uuid)) == reached
