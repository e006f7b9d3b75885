"""What one server says before a switchover: whether it can give up, or take over, the role of the primary.

More is asked than by the monitor, with the rights of an operator, once. The statements are MySQL's from 8.0 on, and
MariaDB's from 10.6 on; `SHOW GLOBAL VARIABLES` is asked because it leaves out what a server does not know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rwrouter.cluster.gtid import GtidSet
from rwrouter.cluster.probes import (
    GROUP,
    Channel,
    Member,
    Row,
    flavor_of,
    number_of,
    read_channels,
    read_group,
)
from rwrouter.model import Address, Flavor


class Query(StrEnum):
    """What is asked."""

    VARIABLES = "variables"
    STATUS = "status"
    GROUP = "group"
    CREDENTIALS = "credentials"


_VARIABLES: Final = (
    "version",
    "server_uuid",
    "server_id",
    "port",
    "report_host",
    "report_port",
    "read_only",
    "super_read_only",
    "gtid_mode",
    "gtid_executed",
    "gtid_binlog_pos",
    "log_bin",
    "log_replica_updates",
    "log_slave_updates",
)


def queries(version: str) -> Mapping[Query, str]:
    """Return what to ask a server that greeted with *version*. Only CREDENTIALS may be refused."""
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    asked = {Query.VARIABLES: f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})"}
    if flavor_of(version) is Flavor.MARIADB:
        return asked | {Query.STATUS: "SHOW ALL SLAVES STATUS"}
    word = "REPLICA" if number_of(version) >= (8, 0, 22) else "SLAVE"
    return asked | {
        Query.STATUS: f"SHOW {word} STATUS",
        Query.GROUP: GROUP,
        # The password stands there in clear text, for whoever may read the schema mysql.
        Query.CREDENTIALS: (
            "SELECT Channel_name AS channel, User_name AS user, User_password AS password, "
            "Get_public_key AS public_key, Connect_retry AS retry "
            "FROM mysql.slave_master_info WHERE Channel_name NOT LIKE 'group_replication_%'"
        ),
    }


@dataclass(frozen=True, slots=True)
class Credentials:
    """With which account replicas fetch from their source. The password is never printed."""

    user: str
    password: str
    gets_public_key: bool = True
    retry: int = 1  # seconds between two tries to connect

    def __repr__(self) -> str:
        return f"<Credentials of {self.user}>"


@dataclass(frozen=True, slots=True)
class Standing:
    """One server, as it is before the switchover. *host* and *port* are where replicas reach it."""

    name: str
    flavor: Flavor
    version: tuple[int, int, int]
    uuid: str
    host: str
    port: int
    is_read_only: bool
    is_super_read_only: bool
    has_gtids: bool
    has_binlog: bool  # and writes to it what it has replicated
    executed: GtidSet
    channels: tuple[Channel, ...] = ()
    positions_itself: frozenset[str] = frozenset()  # channels that find their place by GTID
    encrypted: frozenset[str] = frozenset()  # channels that use TLS
    members: tuple[Member, ...] = ()
    credentials: Mapping[str, Credentials] | None = None  # by channel; None where they can't be read

    @property
    def member(self) -> Member | None:
        """Return itself as a member of its group; None if it is in none."""
        return next((member for member in self.members if member.uuid == self.uuid), None)


def read_standing(name: str, address: Address, answers: Mapping[Query, Sequence[Row] | None]) -> Standing:
    """Read the *answers* of the server called *name*; None: it may not be asked. Raises ValueError."""
    given = {str(row["Variable_name"]): str(row["Value"]) for row in answers.get(Query.VARIABLES) or ()}
    try:
        version = given["version"]
        flavor = flavor_of(version)
        rows = answers.get(Query.STATUS) or ()
        is_mysql = flavor is Flavor.MYSQL
        return Standing(
            name=name,
            flavor=flavor,
            version=number_of(version),
            uuid=given.get("server_uuid", ""),
            host=given.get("report_host") or address.host,
            port=int(given.get("report_port") or 0) or address.port,
            is_read_only=_is_on(given["read_only"]),
            is_super_read_only=_is_on(given.get("super_read_only", "OFF")),
            has_gtids=given.get("gtid_mode") == "ON" if is_mysql else True,
            has_binlog=_is_on(given["log_bin"])
            and _is_on(given.get("log_replica_updates") or given.get("log_slave_updates", "OFF")),
            executed=GtidSet.parse(given["gtid_executed" if is_mysql else "gtid_binlog_pos"]),
            channels=read_channels([row for row in rows if not _is_groups(row)]),
            positions_itself=frozenset(_channel_of(row) for row in rows if _positions_itself(row)),
            encrypted=frozenset(_channel_of(row) for row in rows if _is_encrypted(row)),
            members=read_group(answers.get(Query.GROUP) or ()),
            credentials=_read_credentials(answers.get(Query.CREDENTIALS)),
        )
    except (KeyError, ValueError) as exc:
        raise ValueError(f"{name} answers as no MySQL or MariaDB server does: {exc}") from exc


def _is_on(value: str) -> bool:
    return value.upper() not in {"OFF", "0", ""}


def _channel_of(row: Row) -> str:
    return str(row.get("Channel_Name") or row.get("Connection_name") or "")


def _is_groups(row: Row) -> bool:
    return _channel_of(row).startswith("group_replication_")


def _positions_itself(row: Row) -> bool:
    if "Using_Gtid" in row:  # MariaDB
        return row["Using_Gtid"] != "No"
    return str(row.get("Auto_Position", "0")) == "1"


def _is_encrypted(row: Row) -> bool:
    return (row.get("Source_SSL_Allowed") or row.get("Master_SSL_Allowed")) == "Yes"


def _read_credentials(rows: Sequence[Row] | None) -> Mapping[str, Credentials] | None:
    if rows is None:
        return None
    return {
        str(row["channel"] or ""): Credentials(
            str(row["user"] or ""),
            str(row["password"] or ""),
            gets_public_key=str(row["public_key"]) == "1",
            retry=int(str(row["retry"])),
        )
        for row in rows
        if row["user"]
    }
