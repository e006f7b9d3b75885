"""Group Replication of MySQL's servers: the statements that form a group of one primary, and bring members back.

What they set is persisted, so that a member that was killed joins again by itself when it starts, as in
production. A group of which every member has ended must be formed anew by one of them: `bootstrap`.

Sources: "Group Replication System Variables", "Bootstrapping the Group" in MySQL's manual; seen on 9.7.4.
"""

import uuid
from collections.abc import Sequence
from typing import Final

from rwrouter.sandbox.options import Account

PLUGIN: Final = {"plugin_load_add": "group_replication.so"}
MEMBERS: Final = (
    "SELECT MEMBER_PORT AS port, MEMBER_STATE AS state, MEMBER_ROLE AS role "
    "FROM performance_schema.replication_group_members"
)
JOIN: Final = "START GROUP_REPLICATION"


def options() -> dict[str, str]:
    """Return what each member has in its option file, besides what every server of a sandbox has."""
    return dict(PLUGIN)


def settings(name: str, own: int, all_ports: Sequence[int]) -> dict[str, str | int]:
    """Return the variables of one member: *own* is the port on which it speaks with the others.

    *name* is the group's UUID, *all_ports* are those of all members.
    """
    return {
        "group_replication_group_name": name,
        "group_replication_local_address": f"127.0.0.1:{own}",
        "group_replication_group_seeds": ",".join(f"127.0.0.1:{port}" for port in all_ports),
        "group_replication_ip_allowlist": "127.0.0.1/8",
        "group_replication_recovery_get_public_key": "ON",
        "group_replication_member_expel_timeout": 0,  # a test need not wait: 5 s until a member is suspected
        "group_replication_start_on_boot": "ON",
    }


def prepare(name: str, own: int, all_ports: Sequence[int], account: Account, reader: Account) -> list[str]:
    """Return what makes a server ready to be a member; *account* is that of recovery.

    *reader* may look at the members afterwards: the router's monitor needs that to understand a group.
    """
    quoted = {
        key: f"'{value}'" if isinstance(value, str) else value
        for key, value in settings(name, own, all_ports).items()
    }
    return [
        "SET sql_log_bin = 0",
        f"GRANT BACKUP_ADMIN, CONNECTION_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO '{account.user}'@'%'",
        f"GRANT SELECT ON performance_schema.* TO '{reader.user}'@'%'",
        "SET sql_log_bin = 1",
        *(f"SET PERSIST {variable} = {value}" for variable, value in quoted.items()),
        (
            f"CHANGE REPLICATION SOURCE TO SOURCE_USER = '{account.user}', "
            f"SOURCE_PASSWORD = '{account.password}' FOR CHANNEL 'group_replication_recovery'"
        ),
    ]


def bootstrap() -> list[str]:
    """Return what makes a prepared server, which is in no group, the first member of a new one."""
    variable = "group_replication_bootstrap_group"
    return [f"SET GLOBAL {variable} = ON", JOIN, f"SET GLOBAL {variable} = OFF"]


def new_name() -> str:
    """Return a name for a group."""
    return str(uuid.uuid4())
