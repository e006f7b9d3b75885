"""The numbers, against those that a client in the field uses."""

from types import ModuleType

import pytest
from pymysql.constants import CLIENT, COMMAND, SERVER_STATUS

from rwrouter.protocol import flags

NOT_THEIRS = {
    "CLIENT_CAPABILITIES",
    "CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA",
    "CLIENT_HANDLE_EXPIRED_PASSWORDS",
}
NOT_THEIRS |= {"COM_REGISTER_SLAVE", "COM_END"}


@pytest.mark.parametrize(
    ("theirs", "prefix"),
    [(CLIENT, "CLIENT_"), (COMMAND, ""), (SERVER_STATUS, "")],
    ids=lambda given: str(given)[:40],
)
def test_numbers_agree_with_a_client(theirs: ModuleType, prefix: str) -> None:
    """Each flag and command that PyMySQL knows by the same name has the same number here."""
    named = {prefix + name: value for name, value in vars(theirs).items() if name.isupper()}
    ours = {name: getattr(flags, name) for name in named.keys() - NOT_THEIRS}
    assert ours == {name: value for name, value in named.items() if name not in NOT_THEIRS}


def test_no_two_capabilities_share_a_bit() -> None:
    """Every capability is one bit of its own (CLIENT_MYSQL is MariaDB's word for bit 0)."""
    bits = [
        value
        for name, value in vars(flags).items()
        if name.startswith(("CLIENT_", "MARIADB_")) and name != "CLIENT_MYSQL"
    ]
    assert all(bit.bit_count() == 1 for bit in bits)
    assert len(set(bits)) == len(bits)
