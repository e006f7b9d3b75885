"""The statements that form a group."""

from rwrouter.sandbox import group
from rwrouter.sandbox.options import Account

RECOVERY = Account("replication", "Secret-1")
MONITOR = Account("monitor", "Secret-2")


def test_members_differ_by_their_own_port_alone() -> None:
    """All have one name and the same seeds."""
    name = group.new_name()
    first, second = (group.settings(name, port, [1, 2]) for port in (1, 2))
    assert {key for key in first if first[key] != second[key]} == {"group_replication_local_address"}
    assert first["group_replication_group_seeds"] == "127.0.0.1:1,127.0.0.1:2"


def test_what_is_granted_is_not_written_to_the_binary_log() -> None:
    """Transactions of a server's own would keep it out of the group."""
    statements = group.prepare(group.new_name(), 1, [1], RECOVERY, MONITOR)
    grants = [at for at, statement in enumerate(statements) if statement.startswith("GRANT")]
    assert statements[0] == "SET sql_log_bin = 0"
    assert all(0 < at < statements.index("SET sql_log_bin = 1") for at in grants)


def test_a_member_comes_back_by_itself() -> None:
    """What it needs is persisted; the switch that forms a second group is not."""
    persisted = [s for s in group.prepare("name", 1, [1], RECOVERY, MONITOR) if "PERSIST" in s]
    assert "SET PERSIST group_replication_start_on_boot = 'ON'" in persisted
    assert not [s for s in persisted if "bootstrap" in s]
    assert group.bootstrap()[-1] == "SET GLOBAL group_replication_bootstrap_group = OFF"
