"""Each question to a server: its SQL, and how to read the answer.

A round of questions goes over one connection that stays open, so it costs one round trip a question: two for
a plain replica. Which questions are due is the monitor's business (`monitor.py`); how they are carried, that
of `process/monitoring.py`.

Sources: "SHOW REPLICA STATUS Statement", "Replication Tables" (performance_schema) and "System Variables" in
MySQL's manual; "SHOW REPLICA STATUS", "Global Transaction ID" in MariaDB's. Seen on MySQL 9.7.4 and MariaDB
10.11.19.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from rwrouter.cluster.gtid import GtidSet
from rwrouter.model import Flavor

Row = Mapping[str, object]


class Topic(StrEnum):
    """What a question is about."""

    FACTS = "facts"  # who it is, whether it may be written to, what it has executed
    REPLICATION = "replication"  # its sources, and whether receiver and applier run
    APPLIER = "applier"  # MySQL: commit times of what is being applied
    HEARTBEAT = "heartbeat"  # a table that is written on the primary again and again
    GROUP = "group"  # MySQL: the members of Group Replication
    REPLICAS = "replicas"  # who has registered as its replica, and where that listens
    DUMPS = "dumps"  # the hosts of those that fetch its binary log
    ROUTINES = "routines"  # stored functions that only read
    RIGHTS = "rights"  # what the monitor's account may do everywhere


NEEDED: Final = frozenset({Topic.FACTS, Topic.REPLICATION})  # without them nothing is known of a server


@dataclass(frozen=True, slots=True)
class Question:
    """One statement, and what it is about."""

    topic: Topic
    sql: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's error to one question, by its own number and words."""

    code: int
    message: str

    @property
    def is_missing_right(self) -> bool:
        """Whether a GRANT would mend it."""
        return self.code in MISSING_RIGHT


@dataclass(frozen=True, slots=True)
class Greeted:
    """What the server's greeting said when the connection was made."""

    version: str  # as in the packet: MariaDB puts "5.5.5-" before its own
    capabilities: int
    collation: int  # 0-255


@dataclass(frozen=True, slots=True)
class Answer:
    """A round that was answered, question by question; *greeted* is of the connection that was used."""

    greeted: Greeted
    answers: Mapping[Topic, Sequence[Row] | Refusal]


@dataclass(frozen=True, slots=True)
class Failure:
    """A round that failed as a whole. *code* is the server's or the client library's, 0 without one."""

    why: str
    code: int = 0
    is_timeout: bool = False  # it was silent, not absent


# ER_DBACCESS_DENIED, ER_TABLEACCESS_DENIED, ER_COLUMNACCESS_DENIED, ER_SPECIFIC_ACCESS_DENIED
MISSING_RIGHT: Final = frozenset({1044, 1142, 1143, 1227})

_FACTS: Final = {
    Flavor.MYSQL: (
        "SELECT @@version AS version, @@global.server_uuid AS uuid, @@global.server_id AS server_id, "
        "@@global.read_only AS read_only, @@global.gtid_executed AS executed, "
        "@@hostname AS hostname, @@port AS port, UNIX_TIMESTAMP(NOW(6)) AS now"
    ),
    Flavor.MARIADB: (
        "SELECT @@version AS version, '' AS uuid, @@global.server_id AS server_id, "
        "@@global.read_only AS read_only, @@global.gtid_current_pos AS executed, "
        "@@hostname AS hostname, @@port AS port, UNIX_TIMESTAMP(NOW(6)) AS now"
    ),
}
_APPLIER: Final = (
    "SELECT UNIX_TIMESTAMP(NOW(6)) AS now, q.CHANNEL_NAME AS channel, q.LAST_QUEUED_TRANSACTION AS queued, "
    "UNIX_TIMESTAMP(NULLIF(q.LAST_QUEUED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, 0)) AS queued_at, "
    "UNIX_TIMESTAMP(MIN(NULLIF(w.APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, 0))) AS applying_since, "
    "UNIX_TIMESTAMP(MIN(NULLIF(c.PROCESSING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, 0))) AS waiting_since "
    "FROM performance_schema.replication_connection_status q "
    "JOIN performance_schema.replication_applier_status_by_worker w USING (CHANNEL_NAME) "
    "LEFT JOIN performance_schema.replication_applier_status_by_coordinator c USING (CHANNEL_NAME) "
    "WHERE q.CHANNEL_NAME <> 'group_replication_recovery' GROUP BY channel, queued, queued_at"
)
GROUP: Final = (
    "SELECT MEMBER_ID AS uuid, MEMBER_HOST AS host, MEMBER_PORT AS port, MEMBER_STATE AS state, "
    "MEMBER_ROLE AS role FROM performance_schema.replication_group_members WHERE MEMBER_ID <> ''"
)
_DUMPS: Final = "SELECT DISTINCT HOST AS host FROM {} WHERE COMMAND LIKE 'Binlog Dump%'"
_ROUTINES: Final = (
    "SELECT ROUTINE_SCHEMA AS home, ROUTINE_NAME AS name, SQL_DATA_ACCESS AS access "
    "FROM information_schema.ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION' "
    "AND SQL_DATA_ACCESS IN ('NO SQL', 'READS SQL DATA')"
)
_RIGHTS: Final = (
    "SELECT PRIVILEGE_TYPE AS name FROM information_schema.USER_PRIVILEGES "
    "WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') "
    "UNION ALL SELECT CONCAT(PRIVILEGE_TYPE, ' on mysql.proc') FROM information_schema.TABLE_PRIVILEGES "
    "WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') "
    "AND TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'proc'"
)


def flavor_of(version: str) -> Flavor:
    """Tell whose server greets with *version*. Percona Server counts as MySQL."""
    return Flavor.MARIADB if "mariadb" in version.lower() else Flavor.MYSQL


def number_of(version: str) -> tuple[int, int, int]:
    """Return major, minor and patch of a *version* as servers write it; zeros if it has none."""
    match = re.match(r"(?:5\.5\.5-(?=\d+\.\d))?(\d+)\.(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def questions(version: str, topics: Iterable[Topic], heartbeat: str = "") -> tuple[Question, ...]:
    """Return what to ask a server that greeted with *version*, the facts first.

    A topic that this kind of server knows nothing of is left out. *heartbeat* is that table's SCHEMA.TABLE.
    """
    flavor = flavor_of(version)
    sql: dict[Topic, str] = {
        Topic.FACTS: _FACTS[flavor],
        Topic.REPLICAS: "SHOW SLAVE HOSTS",
        Topic.DUMPS: _DUMPS.format("information_schema.PROCESSLIST"),
        Topic.ROUTINES: _ROUTINES,
        Topic.RIGHTS: _RIGHTS,
    }
    if heartbeat:
        sql[Topic.HEARTBEAT] = "SELECT server_id, ts FROM `" + heartbeat.replace(".", "`.`") + "`"  # noqa: S608  checked
    if flavor is Flavor.MARIADB:
        sql[Topic.REPLICATION] = "SHOW ALL SLAVES STATUS"
    else:
        word = "REPLICA" if number_of(version) >= (8, 0, 22) else "SLAVE"
        sql[Topic.REPLICATION] = f"SHOW {word} STATUS"
        sql |= {Topic.APPLIER: _APPLIER, Topic.GROUP: GROUP}
        if number_of(version) >= (8, 0, 22):
            sql |= {
                Topic.REPLICAS: "SHOW REPLICAS",
                Topic.DUMPS: _DUMPS.format("performance_schema.processlist"),
            }
    wanted = set(topics)
    return tuple(Question(topic, sql[topic]) for topic in Topic if topic in wanted and topic in sql)


@dataclass(frozen=True, slots=True)
class Facts:
    """Who a server says it is."""

    flavor: Flavor
    version: str
    uuid: str  # MySQL's server_uuid; "" on MariaDB
    server_id: int
    is_read_only: bool
    executed: str  # as text; "" without GTIDs
    now: float  # its clock, in seconds since 1970
    hostname: str = ""
    port: int = 0

    def is_of_same_server(self, other: "Facts") -> bool:
        """Tell whether who says this has said *other* before: by server_uuid and server_id."""
        return (self.uuid, self.server_id) == (other.uuid, other.server_id)


def read_facts(rows: Sequence[Row], greeted: Greeted) -> Facts:
    """Read the answer to FACTS. Raises ValueError if it has not one row with all columns."""
    try:
        row = rows[0]
        return Facts(
            flavor=flavor_of(greeted.version),
            version=str(row["version"]),
            uuid=str(row["uuid"] or ""),
            server_id=_int(row["server_id"]),
            is_read_only=bool(_int(row["read_only"])),
            executed="".join(str(row["executed"] or "").split()),
            now=_float(row["now"]),
            hostname=str(row.get("hostname") or ""),
            port=_int(row.get("port") or 0),
        )
    except (IndexError, KeyError) as exc:
        raise ValueError(f"an answer that no MySQL server gives: {exc!r} is missing") from exc


class Receiver(StrEnum):
    """What the thread does that fetches from the source."""

    YES = "Yes"
    CONNECTING = "Connecting"  # wants to, cannot
    NO = "No"


@dataclass(frozen=True, slots=True)
class Channel:
    """One source of a replica."""

    name: str
    source_host: str
    source_port: int
    source_uuid: str
    source_id: int
    receiver: Receiver
    is_applying: bool
    behind: float | None  # Seconds_Behind_Source
    error: str  # of receiver or applier, else ""
    applier_error: str = ""

    @property
    def is_stopped(self) -> bool:
        """Whether both threads are stopped: how a replica is left that was made a primary by hand."""
        return self.receiver is Receiver.NO and not self.is_applying


def read_channels(rows: Sequence[Row]) -> tuple[Channel, ...]:
    """Read SHOW REPLICA STATUS in any of its dialects; no row for a server that is no replica.

    Raises ValueError if a column is missing.
    """
    try:
        return tuple(_channel({_modern(name): value for name, value in row.items()}) for row in rows)
    except KeyError as exc:
        raise ValueError(f"a replica status without {exc}") from exc


def _channel(row: Row) -> Channel:
    behind = row["Seconds_Behind_Source"]
    receiver = str(row["Replica_IO_Running"])
    return Channel(
        name=str(row.get("Channel_Name") or row.get("Connection_name") or ""),
        source_host=str(row["Source_Host"]),
        source_port=_int(row["Source_Port"]),
        source_uuid=str(row.get("Source_UUID") or ""),
        source_id=_int(row["Source_Server_Id"]),
        # MariaDB says "Preparing" between two tries
        receiver=Receiver(receiver) if receiver in {"Yes", "No"} else Receiver.CONNECTING,
        is_applying=row["Replica_SQL_Running"] == "Yes",
        behind=None if behind is None else float(_int(behind)),
        error=str(row.get("Last_SQL_Error") or row.get("Last_IO_Error") or ""),
        applier_error=str(row.get("Last_SQL_Error") or ""),
    )


def _modern(column: str) -> str:
    return column.replace("Master", "Source").replace("Slave", "Replica")


@dataclass(frozen=True, slots=True)
class Applier:
    """What performance_schema tells of one channel. Times are seconds since 1970 by the clocks named."""

    channel: str
    now: float  # the replica's clock, when it answered
    oldest: (
        float | None
    )  # the source's clock, when a transaction was committed that is not applied; None: none
    is_exact: bool  # whether that is the oldest one; else it is the newest, and the lag at least so long


def read_applier(rows: Sequence[Row], executed: GtidSet) -> tuple[Applier, ...]:
    """Read the answer to APPLIER, of a server that has *executed* this. Raises ValueError.

    Coordinator and workers name what they work at, but nothing while SOURCE_DELAY makes them wait, and
    forget what they applied when they are restarted (seen on 9.7.4). So whether all is applied that was
    received is told by the GTID received last.
    """
    try:
        found = []
        for row in rows:
            times = [time for name in ("applying_since", "waiting_since") if (time := _float(row[name]))]
            queued = str(row["queued"] or "")
            is_caught_up = not queued or (":" in queued and executed.contains(GtidSet.parse(queued)))
            oldest = min(times) if times else (None if is_caught_up else _float(row["queued_at"]) or None)
            found.append(
                Applier(str(row["channel"] or ""), _float(row["now"]), oldest, bool(times) or is_caught_up)
            )
        return tuple(found)
    except KeyError as exc:
        raise ValueError(f"an applier status without {exc}") from exc


def read_heartbeats(rows: Sequence[Row]) -> dict[int, float]:
    """Read the answer to HEARTBEAT: server_id of who wrote it -> when, in seconds of its own clock and time zone.

    pt-heartbeat's layout: `ts` is text, 2013-05-06T12:00:00.001230, UTC or local as its writer was told; a blank for
    the T, and a real date, are understood too. Raises ValueError.
    """
    try:
        return {
            _int(row["server_id"]): datetime.fromisoformat(str(row["ts"])).replace(tzinfo=UTC).timestamp()
            for row in rows
        }
    except KeyError as exc:
        raise ValueError(f"a heartbeat without {exc}") from exc


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a replication group, as one of them sees it."""

    uuid: str
    host: str
    port: int
    state: str  # ONLINE, RECOVERING, OFFLINE, ERROR, UNREACHABLE
    is_primary: bool


def read_group(rows: Sequence[Row]) -> tuple[Member, ...]:
    """Read the answer to GROUP: empty where there is no group. Raises ValueError."""
    try:
        return tuple(
            Member(
                uuid=str(row["uuid"]),
                host=str(row["host"]),
                port=_int(row["port"]),
                state=str(row["state"]),
                is_primary=row["role"] == "PRIMARY",
            )
            for row in rows
        )
    except KeyError as exc:
        raise ValueError(f"a group without {exc}") from exc


@dataclass(frozen=True, slots=True)
class Replica:
    """One that has registered with its source, by what it reports of itself."""

    host: str  # "" without report_host
    port: int
    uuid: str  # "" on MariaDB
    server_id: int


def read_replicas(rows: Sequence[Row]) -> tuple[Replica, ...]:
    """Read the answer to REPLICAS, in any of its dialects. Raises ValueError."""
    try:
        return tuple(
            Replica(
                host=str(row["host"] or ""),
                port=_int(row["port"]),
                uuid=str(row.get("replica_uuid") or row.get("slave_uuid") or ""),
                server_id=_int(row["server_id"]),
            )
            for row in ({name.lower(): value for name, value in row.items()} for row in rows)
        )
    except KeyError as exc:
        raise ValueError(f"a list of replicas without {exc}") from exc


def read_dumps(rows: Sequence[Row]) -> tuple[str, ...]:
    """Read the answer to DUMPS: hosts, without the ports from which they come."""
    hosts = (str(row["host"] or "").rpartition(":")[0] or str(row["host"] or "") for row in rows)
    return tuple(dict.fromkeys(host for host in hosts if host))


def read_routines(rows: Sequence[Row]) -> frozenset[str]:
    """Read the answer to ROUTINES: "schema.function" in lower case, of functions that only read."""
    return frozenset(f"{row['home']}.{row['name']}".lower() for row in rows)


def read_rights(rows: Sequence[Row]) -> frozenset[str]:
    """Read the answer to RIGHTS: names of global privileges, and "SELECT ON MYSQL.PROC", in capitals."""
    return frozenset(str(row["name"]).upper() for row in rows)


def _int(value: object) -> int:
    text = str(value)
    if text.upper() in {"ON", "OFF", "NO_LOCK", "NO_LOCK_NO_ADMIN"}:  # the last two: MariaDB 12's read_only
        return int(text.upper() != "OFF")
    try:
        return int(text)
    except ValueError as exc:
        raise ValueError(f"{text!r} where a number should be") from exc


def _float(value: object) -> float:
    return 0.0 if value is None else float(str(value))
