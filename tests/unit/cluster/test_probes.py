"""What is asked of which server, and how its answers are read."""

from collections.abc import Mapping

import pytest

from rwrouter.cluster.gtid import GtidSet
from rwrouter.cluster.probes import (
    NEEDED,
    Applier,
    Greeted,
    Receiver,
    Refusal,
    Topic,
    flavor_of,
    number_of,
    questions,
    read_applier,
    read_channels,
    read_dumps,
    read_facts,
    read_group,
    read_heartbeats,
    read_replicas,
    read_rights,
    read_routines,
)
from rwrouter.model import Flavor

GREETED = Greeted("9.7.4", 0, 255)
MYSQL_STATUS: dict[str, object] = {
    "Source_Host": "db1", "Source_Port": 3306, "Source_UUID": "u1", "Source_Server_Id": 1,
    "Replica_IO_Running": "Yes", "Replica_SQL_Running": "Yes", "Seconds_Behind_Source": 3,
    "Last_IO_Error": "", "Last_SQL_Error": "", "Channel_Name": "main",
}  # fmt: skip


@pytest.mark.parametrize(
    ("version", "flavor", "number"),
    [
        ("9.7.4-2", Flavor.MYSQL, (9, 7, 4)),
        ("8.0.36-28", Flavor.MYSQL, (8, 0, 36)),
        ("5.5.5-10.11.19-MariaDB-0+deb12u1-log", Flavor.MARIADB, (10, 11, 19)),
        ("11.4.2-MariaDB", Flavor.MARIADB, (11, 4, 2)),
        ("5.5.5", Flavor.MYSQL, (5, 5, 5)),
        ("nonsense", Flavor.MYSQL, (0, 0, 0)),
    ],
)
def test_a_greeting_tells_whose_server_it_is(
    version: str, flavor: Flavor, number: tuple[int, int, int]
) -> None:
    """MariaDB puts 5.5.5- before its own version, for old clients."""
    assert flavor_of(version) is flavor
    assert number_of(version) == number


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("9.7.4", "SHOW REPLICA STATUS"),
        ("8.0.22", "SHOW REPLICA STATUS"),
        ("8.0.21", "SHOW SLAVE STATUS"),
        ("5.5.5-10.6.1-MariaDB", "SHOW ALL SLAVES STATUS"),
    ],
)
def test_a_plain_round_is_two_questions(version: str, status: str) -> None:
    """Facts first, then replication, in the words of that version."""
    asked = questions(version, NEEDED)
    assert [question.topic for question in asked] == [Topic.FACTS, Topic.REPLICATION]
    assert asked[1].sql == status


def test_mariadb_is_not_asked_what_it_does_not_know() -> None:
    """Commit times and groups are tables of MySQL's."""
    asked = {question.topic for question in questions("10.11.1-MariaDB", Topic)}
    assert asked == set(Topic) - {Topic.APPLIER, Topic.GROUP, Topic.HEARTBEAT}
    assert {question.topic for question in questions("9.7.4", Topic, "a.b")} == set(Topic)


@pytest.mark.parametrize(
    ("said", "is_read_only"), [(0, False), (1, True), ("ON", True), ("OFF", False), ("NO_LOCK", True)]
)
def test_facts(said: object, is_read_only: bool) -> None:
    """Read-only is a number in MySQL, and a word in newer MariaDB; line breaks leave the GTID set."""
    row = {
        "version": "9.7.4",
        "uuid": "u",
        "server_id": 7,
        "read_only": said,
        "executed": "a:1,\nb:2",
        "now": "1.5",
    }
    facts = read_facts([row], GREETED)
    assert (facts.is_read_only, facts.executed, facts.server_id, facts.now) == (
        is_read_only,
        "a:1,b:2",
        7,
        1.5,
    )


@pytest.mark.parametrize(
    "rows", [[], [{"version": "1"}], [{"version": "9", "uuid": "", "server_id": "x", "read_only": 0}]]
)
def test_facts_that_no_server_gives_are_refused(rows: list[Mapping[str, object]]) -> None:
    """A missing row or column, or a word for a number, raises ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"missing|number"):
        read_facts(rows, GREETED)


def test_old_words_and_new_ones_are_read_alike() -> None:
    """SHOW SLAVE STATUS and MariaDB's columns give the same channel."""
    old = {
        name.replace("Source", "Master").replace("Replica", "Slave"): value
        for name, value in MYSQL_STATUS.items()
    }
    channels = read_channels([MYSQL_STATUS])
    assert channels == read_channels([old])
    assert (channels[0].name, channels[0].source_uuid, channels[0].behind) == ("main", "u1", 3.0)
    assert read_channels([]) == ()


@pytest.mark.parametrize(
    ("said", "receiver"),
    [
        ("Yes", Receiver.YES),
        ("No", Receiver.NO),
        ("Connecting", Receiver.CONNECTING),
        ("Preparing", Receiver.CONNECTING),
    ],
)
def test_receivers(said: str, receiver: Receiver) -> None:
    """What is neither Yes nor No is on its way."""
    row = MYSQL_STATUS | {"Replica_IO_Running": said, "Seconds_Behind_Source": None}
    assert read_channels([row])[0].receiver is receiver
    assert read_channels([row])[0].behind is None


def test_a_status_without_its_columns_is_refused() -> None:
    """A missing column raises ValueError that names it."""
    with pytest.raises(ValueError, match="Seconds_Behind_Source"):
        read_channels([{"Source_Host": "db1"}])
    with pytest.raises(ValueError, match="applying_since"):
        read_applier([{}], GtidSet())
    with pytest.raises(ValueError, match="uuid"):
        read_group([{}])


A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


@pytest.mark.parametrize(
    ("case", "row", "oldest", "is_exact"),
    [
        ("idle", {"queued": f"{A}:4", "queued_at": "50"}, None, True),
        ("nothing ever came", {"queued": "", "queued_at": None}, None, True),
        ("applying", {"queued": f"{A}:7", "queued_at": "99", "applying_since": "90.5"}, 90.5, True),
        ("the coordinator holds an older one", {"applying_since": "70", "waiting_since": "60"}, 60.0, True),
        ("waiting for SOURCE_DELAY", {"queued": f"{A}:5", "queued_at": "80"}, 80.0, False),
        ("no GTIDs", {"queued": "ANONYMOUS", "queued_at": "80"}, 80.0, False),
    ],
)
def test_appliers(case: str, row: dict[str, object], oldest: float | None, is_exact: bool) -> None:
    """The oldest transaction that is worked at tells the lag; else the newest not applied bounds it."""
    nothing: dict[str, object] = {"queued": "", "applying_since": None, "waiting_since": None}
    full = {"channel": "", "now": "100"} | nothing | row
    assert read_applier([full], GtidSet.parse(f"{A}:1-4")) == (Applier("", 100.0, oldest, is_exact),), case


def test_groups_routines_and_rights() -> None:
    """Members have roles; functions are named as they are called; rights are words in capitals."""
    row = {"uuid": "u1", "host": "db1", "port": 3306, "state": "ONLINE", "role": "PRIMARY"}
    members = read_group([row, row | {"uuid": "u2", "role": "SECONDARY"}])
    assert [member.is_primary for member in members] == [True, False]
    assert read_routines([{"home": "Shop", "name": "Price"}]) == {"shop.price"}
    assert read_rights([{"name": "show_routine"}]) == {"SHOW_ROUTINE"}
    assert Refusal(1142, "no").is_missing_right
    assert not Refusal(1064, "what?").is_missing_right


@pytest.mark.parametrize(
    "row",
    [
        {"Server_Id": 2, "Host": "db2", "Port": 3306, "Source_Id": 1, "Replica_UUID": "u2"},
        {"Server_id": 2, "Host": "db2", "Port": 3306, "Master_id": 1, "Slave_UUID": "u2"},
        {"Server_id": 2, "Host": "db2", "Port": "3306", "Master_id": 1},
    ],
)
def test_replicas_are_read_in_each_dialect(row: Mapping[str, object]) -> None:
    """SHOW REPLICAS, SHOW SLAVE HOSTS, and that of MariaDB, which has no uuid."""
    (replica,) = read_replicas([row])
    assert (replica.host, replica.port, replica.server_id) == ("db2", 3306, 2)
    assert replica.uuid == ("u2" if len(row) == 5 else "")
    with pytest.raises(ValueError, match="port"):
        read_replicas([{"Server_id": 2, "Host": "db2"}])


def test_dump_threads_are_read_by_their_hosts() -> None:
    """Each host once, without the port it comes from; skip_name_resolve leaves it out (seen on 9.7.4)."""
    rows: list[Mapping[str, object]] = [
        {"host": "10.0.0.2:51000"},
        {"host": "10.0.0.2:51001"},
        {"host": "db2"},
        {"host": None},
    ]
    assert read_dumps(rows[:2]) == ("10.0.0.2",)
    assert read_dumps(rows[2:]) == ("db2",)


@pytest.mark.parametrize("ts", ["2026-11-27T12:00:00.250000", "2026-11-27 12:00:00.250000"])
def test_heartbeats_are_read_by_who_wrote_them(ts: str) -> None:
    """In pt-heartbeat's layout; the table's name is quoted, for it is the user's."""
    (question,) = questions("9.7.4", [Topic.HEARTBEAT], "my-schema.heartbeat")
    assert question.sql == "SELECT server_id, ts FROM `my-schema`.`heartbeat`"
    assert read_heartbeats([{"server_id": 1, "ts": ts}]) == {1: 1795780800.25}
    assert questions("9.7.4", [Topic.HEARTBEAT]) == ()


@pytest.mark.parametrize(
    "row", [{"server_id": 1}, {"server_id": 1, "ts": "soon"}, {"server_id": "x", "ts": None}]
)
def test_what_is_no_heartbeat_is_refused(row: Mapping[str, object]) -> None:
    """With ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"heartbeat|isoformat|number"):
        read_heartbeats([row])
