"""A planned change of the primary: what forbids it, and the steps, each with its way back.

    hold        the router's workers hold writes and the opening of transactions
    drain       open transactions on the old primary end, within a bounded time
    fence       the old primary takes no more writes
    catch up    the candidate has all that the old primary has
    detach      the candidate stops replicating
    repoint     the old primary, and whoever followed it, follow the candidate
    verify      all of them have reached it
    open        the candidate takes writes
    recognise   the router's monitor sees that it is the primary
    release     writes flow
    forget      the candidate drops its old source; what fails here is told, and not undone

In Group Replication the group does what lies between `drain` and `recognise`: `elect`. A step that fails is undone,
and all before it, last first; until `release` no write of the router has reached the candidate, so nothing is lost.

Values only: `process/switching.py` carries the steps out.
"""

from collections.abc import Mapping, Sequence

from rwrouter.cluster import dialect
from rwrouter.cluster.probes import Channel, Receiver, Row, read_channels
from rwrouter.cluster.standing import Credentials, Standing
from rwrouter.cluster.steps import MARGIN, Action, Forbidden, Kind, Order, Plan, Statement, Step
from rwrouter.model import Flavor


def still_missing(rows: Sequence[Row], source: Standing) -> str:
    """Return why a replica with the status *rows* does not follow *source* yet; "" if it does. Raises ValueError."""
    for channel in read_channels(rows):
        if (channel.source_host, channel.source_port) == (source.host, source.port):
            if channel.receiver is Receiver.YES and channel.is_applying:
                return ""
            return channel.error or f"it has not reached {source.host}:{source.port}"
    return f"it does not follow {source.host}:{source.port}"


def make_plan(order: Order, old: str, standings: Mapping[str, Standing], missing: Mapping[str, str]) -> Plan:
    """Return how *order* is carried out. Raises Forbidden.

    *old*: the primary now. *missing*: servers that could not be asked, and why.
    """
    problems = [f"{name} {missing[name]}" for name in (old, order.to) if name in missing]
    if problems:
        raise Forbidden(problems)
    one, other = standings[old], standings[order.to]
    warnings = tuple(
        f"{name} {why}: it goes on following {old}, if it does, until it is changed by hand"
        for name, why in missing.items()
    )
    if one.member is not None or other.member is not None:
        return Plan(one, other, _group_steps(order, one, other), warnings)
    followers = [each for each in standings.values() if each is not other and _channel(each, one) is not None]
    _check(order, one, other, followers)
    credentials = _credentials(order, one, other)
    return Plan(one, other, _steps(order, one, other, followers, credentials), warnings)


# -- what forbids it


def _channel(one: Standing, source: Standing) -> Channel | None:
    """Return the channel by which *one* follows *source*."""
    for channel in one.channels:
        if channel.receiver is Receiver.NO and not channel.is_applying:
            continue
        if channel.source_uuid and source.uuid:
            if channel.source_uuid == source.uuid:
                return channel
        elif (channel.source_host, channel.source_port) == (source.host, source.port):
            return channel
    return None


def _check(order: Order, old: Standing, new: Standing, followers: Sequence[Standing]) -> None:
    problems = []
    channel = _channel(new, old)
    if channel is None:
        raise Forbidden(
            [f"{new.name} does not replicate from {old.name}: only a replica of the primary can take over"]
        )
    if channel.receiver is not Receiver.YES or not channel.is_applying:
        problems.append(
            f"{new.name} does not replicate: {channel.error or 'a thread of its replication is stopped'}"
        )
    elif channel.behind is None or channel.behind > order.max_lag:
        behind = "an unknown time" if channel.behind is None else f"{channel.behind:g} s"
        problems.append(
            f"{new.name} is {behind} behind (limit {order.max_lag:g} s): wait, or allow more by --max-lag"
        )
    problems += [
        f"{one.name} has no GTIDs: set gtid_mode=ON" for one in (old, new, *followers) if not one.has_gtids
    ]
    if not new.has_binlog:
        problems.append(
            f"{new.name} has no binary log of what it replicates: set log_bin and log_replica_updates"
        )
    if not old.executed.contains(new.executed):
        problems.append(
            f"{new.name} has transactions that {old.name} has not: they would spread, or stop replication; "
            "bring both to the same set first"
        )
    for one in (new, *followers):
        its = _channel(one, old)
        if its is not None and its.name not in one.positions_itself:
            how = "MASTER_USE_GTID=slave_pos" if one.flavor is Flavor.MARIADB else "SOURCE_AUTO_POSITION=1"
            problems.append(f"{one.name} follows {old.name} by file and position: change it to {how}")
    problems += [
        f"{one.name} ({_text(one.version)}) is older than {new.name} ({_text(new.version)}), and could not follow it"
        for one in (old, *followers)
        if one.version[:2] < new.version[:2]
    ]
    if problems:
        raise Forbidden(problems)


def _text(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


def _credentials(order: Order, old: Standing, new: Standing) -> Credentials:
    """Return with which account the old primary is to follow. Raises Forbidden."""
    channel = _channel(new, old)
    known = (new.credentials or {}).get(channel.name if channel is not None else "")
    if order.replication_user:
        return Credentials(
            order.replication_user,
            order.replication_password,
            gets_public_key=known.gets_public_key if known is not None else True,
            retry=known.retry if known is not None else 1,
        )
    if known is not None:
        return known
    raise Forbidden(
        [
            f"with which account {old.name} is to replicate from {new.name} is not known"
            + (
                ": MariaDB does not tell it"
                if new.flavor is Flavor.MARIADB
                else ", and mysql.slave_master_info can't be read"
            )
            + "; give --replication-user, and its password in RWROUTER_REPLICATION_PASSWORD"
        ]
    )


# -- the steps


def _hold(order: Order, old: Standing) -> tuple[Step, ...]:
    return (
        Step("hold", Kind.HOLD, "writes and new transactions wait in the router"),
        Step("drain", Kind.DRAIN, f"open transactions on {old.name} end", timeout=order.drain),
    )


def _release(order: Order, new: Standing) -> tuple[Step, ...]:
    return (
        Step(
            "recognise",
            Kind.RECOGNISE,
            f"the router sees that {new.name} is the primary",
            timeout=order.catch_up,
        ),
        Step("release", Kind.RELEASE, f"writes flow to {new.name}"),
    )


def _steps(
    order: Order, old: Standing, new: Standing, followers: Sequence[Standing], credentials: Credentials
) -> tuple[Step, ...]:
    mysql = new.flavor is Flavor.MYSQL
    channel = _channel(new, old)
    name = channel.name if channel is not None else ""
    position = "SELECT @@GLOBAL.gtid_executed" if mysql else "SELECT @@GLOBAL.gtid_binlog_pos"
    wait = "WAIT_FOR_EXECUTED_GTID_SET" if mysql else "MASTER_GTID_WAIT"
    stop, start, forget = dialect.stop(new, name), dialect.start(new, name), dialect.forget(new, name)
    repoint = [
        Action(
            old.name,
            (
                *dialect.prepare_to_follow(old),
                dialect.change(old, "", (new.host, new.port), credentials, name in new.encrypted),
                dialect.start(old, ""),
            ),
            (dialect.stop(old, ""), dialect.forget(old, "")),
        )
    ]
    for one in followers:
        its = _channel(one, old)
        if its is not None:
            halt, go = dialect.stop(one, its.name), dialect.start(one, its.name)
            there, back = (
                dialect.change(one, its.name, where)
                for where in ((new.host, new.port), (its.source_host, its.source_port))
            )
            repoint.append(Action(one.name, (halt, there, go), (halt, back, go)))
    changed = tuple(action.server for action in repoint)
    verified = tuple(
        Action(one.name, (dialect.status(one),)) for one in (old, *followers) if one.name in changed
    )
    return (
        *_hold(order, old),
        Step(
            "fence",
            Kind.RUN,
            f"{old.name} takes no more writes",
            (Action(old.name, dialect.close(old), dialect.OPEN),),
            order.catch_up,
        ),
        Step(
            "catch up",
            Kind.CATCH_UP,
            f"{new.name} gets everything that {old.name} has",
            (
                Action(old.name, (Statement(position),)),
                Action(
                    new.name,
                    (Statement(f"SELECT {wait}(%s, %s)", ("the position of " + old.name, order.catch_up)),),
                ),
            ),
            order.catch_up,
        ),
        Step(
            "detach",
            Kind.RUN,
            f"{new.name} stops replicating",
            (Action(new.name, (stop,), (start,)),),
            order.catch_up,
        ),
        Step("repoint", Kind.RUN, f"{', '.join(changed)} follow {new.name}", tuple(repoint), order.catch_up),
        Step(
            "verify", Kind.VERIFY, f"{', '.join(changed)} have reached {new.name}", verified, order.catch_up
        ),
        Step(
            "open",
            Kind.RUN,
            f"{new.name} takes writes",
            (Action(new.name, dialect.OPEN, dialect.close(new)),),
            order.catch_up,
        ),
        *_release(order, new),
        Step(
            "forget",
            Kind.RUN,
            f"{new.name} drops its old source, so that it does not follow it after a restart",
            (Action(new.name, (forget,)),),
            order.catch_up,
            is_cleanup=True,
        ),
    )


# -- Group Replication


def _group_steps(order: Order, old: Standing, new: Standing) -> tuple[Step, ...]:
    problems = []
    members = {member.uuid: member for member in old.members}
    if old.member is None or new.member is None:
        lone = old.name if old.member is None else new.name
        raise Forbidden([f"{lone} is in no replication group, and the other is: they can't change roles"])
    if new.uuid not in members:
        raise Forbidden([f"{new.name} is in another group than {old.name}"])
    if sum(member.is_primary for member in members.values()) > 1:
        problems.append("the group has several primaries: there is no role to change")
    state = members[new.uuid].state
    if state != "ONLINE":
        problems.append(f"{new.name} is {state} in its group: only an ONLINE member can take over")
    if old.version < (8, 0, 13):
        problems.append(
            f"{old.name} ({_text(old.version)}) can't change the primary of a group: that needs 8.0.13"
        )
    if problems:
        raise Forbidden(problems)
    waits = round(order.catch_up)

    def elect(uuid: str) -> Statement:
        if old.version >= (
            8,
            0,
            29,
        ):  # transactions that are open after that time are rolled back by the server
            return Statement("SELECT group_replication_set_as_primary(%s, %s)", (uuid, waits))
        return Statement("SELECT group_replication_set_as_primary(%s)", (uuid,))

    return (
        *_hold(order, old),
        Step(
            "elect",
            Kind.RUN,
            f"the group makes {new.name} its primary",
            (Action(old.name, (elect(new.uuid),), (elect(old.uuid),)),),
            order.catch_up + 2 * MARGIN,
        ),
        *_release(order, new),
    )
