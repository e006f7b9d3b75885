"""What forbids a switchover, and its steps with their SQL."""

from dataclasses import replace

import pytest

from rwrouter.cluster.gtid import GtidSet
from rwrouter.cluster.probes import Channel, Member, Receiver
from rwrouter.cluster.standing import Credentials, Standing
from rwrouter.cluster.steps import Forbidden, Kind, Order, Plan
from rwrouter.cluster.switchover import make_plan, still_missing
from rwrouter.model import Flavor

UUIDS = {
    name: f"0000000{number}-0000-0000-0000-000000000000"
    for number, name in enumerate(("db1", "db2", "db3"), 1)
}
ORDER = Order("db2", "admin", "topsecret")


def standing(name: str, source: str = "", flavor: Flavor = Flavor.MYSQL) -> Standing:
    """A server that is well, and replicates from *source* if that is given."""
    mysql = flavor is Flavor.MYSQL
    channel = Channel(
        "", source, 3306, UUIDS.get(source, "") if mysql else "", 0, Receiver.YES, True, 0.0, ""
    )
    return Standing(
        name=name,
        flavor=flavor,
        version=(8, 4, 0) if mysql else (10, 11, 6),
        uuid=UUIDS[name] if mysql else "",
        host=name,
        port=3306,
        is_read_only=bool(source),
        is_super_read_only=bool(source),
        has_gtids=True,
        has_binlog=True,
        executed=GtidSet.parse(f"{UUIDS['db1']}:1-9" if mysql else "0-1-9"),
        channels=(channel,) if source else (),
        positions_itself=frozenset({""}) if source else frozenset(),
        credentials={"": Credentials("repl", "hidden", retry=3)} if source and mysql else None,
    )


def three(flavor: Flavor = Flavor.MYSQL) -> dict[str, Standing]:
    """A primary db1, and its replicas."""
    return {
        "db1": standing("db1", flavor=flavor),
        "db2": standing("db2", "db1", flavor),
        "db3": standing("db3", "db1", flavor),
    }


def sql(plan: Plan, step: str, *, undo: bool = False) -> list[str]:
    """Return what a step runs, as it is shown."""
    return [
        f"{action.server}: {statement}"
        for one in plan.steps
        if one.name == step
        for action in one.actions
        for statement in (action.undo if undo else action.statements)
    ]


def test_the_steps_on_mysql() -> None:
    """In their order, each with its SQL, the passwords hidden."""
    plan = make_plan(ORDER, "db1", three(), {})
    assert [step.name for step in plan.steps] == [
        "hold",
        "drain",
        "fence",
        "catch up",
        "detach",
        "repoint",
        "verify",
        "open",
        "recognise",
        "release",
        "forget",
    ]
    assert sql(plan, "fence")[-1:] == ["db1: SET GLOBAL super_read_only = 1"]
    assert sql(plan, "fence", undo=True) == ["db1: SET GLOBAL read_only = 0"]
    assert sql(plan, "detach") == ["db2: STOP REPLICA"]
    assert sql(plan, "repoint") == [
        (
            "db1: CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'db2', SOURCE_PORT = 3306, SOURCE_USER = 'repl', "
            "SOURCE_PASSWORD = '***', SOURCE_CONNECT_RETRY = 3, SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1, "
            "SOURCE_AUTO_POSITION = 1"
        ),
        "db1: START REPLICA",
        "db3: STOP REPLICA",
        "db3: CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'db2', SOURCE_PORT = 3306, SOURCE_AUTO_POSITION = 1",
        "db3: START REPLICA",
    ]
    assert sql(plan, "repoint", undo=True)[:2] == ["db1: STOP REPLICA", "db1: RESET REPLICA ALL"]
    assert "SOURCE_HOST = 'db1'" in sql(plan, "repoint", undo=True)[3]
    assert sql(plan, "open", undo=True) == ["db2: SET GLOBAL super_read_only = 1"]
    assert "hidden" not in str([sql(plan, step.name) for step in plan.steps])
    assert [step.is_cleanup for step in plan.steps] == [False] * 10 + [True]


def test_the_steps_on_mariadb() -> None:
    """What the old primary has written itself becomes its position; the account is the one that is given."""
    order = replace(ORDER, replication_user="repl", replication_password="hidden")
    plan = make_plan(order, "db1", three(Flavor.MARIADB), {})
    assert sql(plan, "repoint")[:2] == [
        "db1: SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos",
        (
            "db1: CHANGE MASTER TO MASTER_HOST = 'db2', MASTER_PORT = 3306, MASTER_USER = 'repl', "
            "MASTER_PASSWORD = '***', MASTER_CONNECT_RETRY = 1, MASTER_SSL = 0, MASTER_USE_GTID = slave_pos"
        ),
    ]
    assert sql(plan, "fence")[-1:] == ["db1: SET GLOBAL read_only = 1"]
    with pytest.raises(Forbidden, match="MariaDB does not tell it; give --replication-user"):
        make_plan(ORDER, "db1", three(Flavor.MARIADB), {})


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("db2", {"channels": ()}, "db2 does not replicate from db1"),
        ("db2", {"has_binlog": False}, "db2 has no binary log of what it replicates"),
        ("db2", {"executed": GtidSet.parse(f"{UUIDS['db2']}:1")}, "db2 has transactions that db1 has not"),
        ("db2", {"positions_itself": frozenset()}, "db2 follows db1 by file and position"),
        ("db3", {"positions_itself": frozenset()}, "db3 follows db1 by file and position"),
        ("db1", {"has_gtids": False}, "db1 has no GTIDs"),
        ("db1", {"version": (8, 0, 40)}, r"db1 \(8.0.40\) is older than db2 \(8.4.0\)"),
        ("db2", {"credentials": None}, "mysql.slave_master_info can't be read; give --replication-user"),
    ],
)
def test_what_forbids_it(name: str, changes: dict[str, object], why: str) -> None:
    """Each with what to do about it."""
    standings = three()
    standings[name] = replace(standings[name], **changes)  # type: ignore[arg-type]
    with pytest.raises(Forbidden, match=why):
        make_plan(ORDER, "db1", standings, {})


@pytest.mark.parametrize(
    ("behind", "receiver", "why"),
    [
        (99.0, Receiver.YES, "is 99 s behind"),
        (None, Receiver.YES, "unknown"),
        (0.0, Receiver.CONNECTING, "broken"),
    ],
)
def test_a_candidate_that_is_behind(behind: float | None, receiver: Receiver, why: str) -> None:
    """It is refused before anything is held."""
    standings = three()
    one = standings["db2"]
    channel = one.channels[0]
    channel = Channel("", "db1", 3306, channel.source_uuid, 0, receiver, True, behind, "it is broken")
    standings["db2"] = replace(one, channels=(channel,))
    with pytest.raises(Forbidden, match=why):
        make_plan(ORDER, "db1", standings, {})


def test_servers_that_can_not_be_asked() -> None:
    """The two that change roles must be there; another one is left out, and that is said."""
    with pytest.raises(Forbidden, match="db2 is down"):
        make_plan(ORDER, "db1", three(), {"db2": "is down"})
    standings = three()
    del standings["db3"]
    plan = make_plan(ORDER, "db1", standings, {"db3": "is down"})
    assert "db3" not in str(sql(plan, "repoint"))
    assert plan.warnings[0].startswith("db3 is down")


def group(state: str = "ONLINE", primaries: tuple[str, ...] = ("db1",)) -> dict[str, Standing]:
    """Three members of a group."""
    members = tuple(
        Member(uuid, name, 3306, state if name == "db2" else "ONLINE", name in primaries)
        for name, uuid in UUIDS.items()
    )
    return {name: replace(standing(name), members=members) for name in UUIDS}


def test_the_steps_of_group_replication() -> None:
    """The group does it, and the way back is the same function."""
    plan = make_plan(ORDER, "db1", group(), {})
    assert [step.kind for step in plan.steps] == [
        Kind.HOLD,
        Kind.DRAIN,
        Kind.RUN,
        Kind.RECOGNISE,
        Kind.RELEASE,
    ]
    assert sql(plan, "elect") == [f"db1: SELECT group_replication_set_as_primary('{UUIDS['db2']}', 10)"]
    assert sql(plan, "elect", undo=True) == [
        f"db1: SELECT group_replication_set_as_primary('{UUIDS['db1']}', 10)"
    ]


def test_what_forbids_it_in_a_group() -> None:
    """A member that is not ONLINE, a group of many primaries, a server outside."""
    with pytest.raises(Forbidden, match="db2 is RECOVERING"):
        make_plan(ORDER, "db1", group("RECOVERING"), {})
    with pytest.raises(Forbidden, match="several primaries"):
        make_plan(ORDER, "db1", group(primaries=("db1", "db2")), {})
    with pytest.raises(Forbidden, match="db2 is in no replication group"):
        make_plan(ORDER, "db1", group() | {"db2": standing("db2", "db1")}, {})


def test_when_a_replica_follows() -> None:
    """Both threads run, and the source is the right one."""
    row = {
        "Channel_Name": "",
        "Source_Host": "db2",
        "Source_Port": 3306,
        "Source_Server_Id": 2,
        "Replica_IO_Running": "Yes",
        "Replica_SQL_Running": "Yes",
        "Seconds_Behind_Source": 0,
    }
    source = standing("db2")
    assert still_missing([row], source) == ""
    assert still_missing([], source) == "it does not follow db2:3306"
    assert (
        still_missing([row | {"Replica_IO_Running": "Connecting"}], source) == "it has not reached db2:3306"
    )
    assert still_missing([row | {"Replica_IO_Running": "No", "Last_IO_Error": "denied"}], source) == "denied"
