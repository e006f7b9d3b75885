"""How a server is told to stop, start and follow, and to take writes or none: in the words of its kind and version."""

from typing import Final

from rwrouter.cluster.standing import Credentials, Standing
from rwrouter.cluster.steps import Statement
from rwrouter.model import Flavor

MODERN_WORDS: Final = (8, 0, 23)
"""From this version of MySQL on: CHANGE REPLICATION SOURCE TO, START REPLICA."""

OPEN: Final = (Statement("SET GLOBAL read_only = 0"),)
"""What makes a server take writes. MySQL's super_read_only goes with it."""


def _words(one: Standing) -> tuple[str, str, str]:
    """Return how the server called *one* says it: prefix of options, CHANGE, noun of START and STOP."""
    if one.flavor is Flavor.MYSQL and one.version >= MODERN_WORDS:
        return "SOURCE", "CHANGE REPLICATION SOURCE TO", "REPLICA"
    return "MASTER", "CHANGE MASTER TO", "SLAVE"


def _named(sql: str, channel: str) -> Statement:
    """Return *sql*, for one *channel* where it has a name: MySQL names it at the end."""
    if not channel:
        return Statement(sql)
    return Statement(f"{sql} FOR CHANNEL %s", (channel,))


def stop(one: Standing, channel: str) -> Statement:
    """Return what ends the replication of *channel*; "" is the one without a name."""
    return _named(f"STOP {_words(one)[2]}", channel)


def start(one: Standing, channel: str) -> Statement:
    """Return what begins it again."""
    return _named(f"START {_words(one)[2]}", channel)


def forget(one: Standing, channel: str) -> Statement:
    """Return what makes *one* forget its source, so that it does not follow it after a restart."""
    return _named(f"RESET {_words(one)[2]} ALL", channel)


def status(one: Standing) -> Statement:
    """Return what asks how its replication goes."""
    if one.flavor is Flavor.MARIADB:
        return Statement("SHOW ALL SLAVES STATUS")
    return Statement(f"SHOW {_words(one)[2]} STATUS")


def change(
    one: Standing,
    channel: str,
    source: tuple[str, int],
    credentials: Credentials | None = None,
    is_encrypted: bool = False,
) -> Statement:
    """Return what makes *one* follow *source*; without *credentials* it keeps those that it has."""
    word, verb, _ = _words(one)
    parts = [f"{word}_HOST = %s", f"{word}_PORT = %s"]
    arguments: list[str | int | float] = [*source]
    secrets = set()
    if credentials is not None:
        parts += [f"{word}_USER = %s", f"{word}_PASSWORD = %s", f"{word}_CONNECT_RETRY = %s"]
        secrets.add(3)
        arguments += [credentials.user, credentials.password, credentials.retry]
        parts.append(f"{word}_SSL = {int(is_encrypted)}")
        if one.flavor is Flavor.MYSQL:
            parts.append(f"GET_{word}_PUBLIC_KEY = {int(credentials.gets_public_key)}")
    parts.append(
        "MASTER_USE_GTID = slave_pos" if one.flavor is Flavor.MARIADB else f"{word}_AUTO_POSITION = 1"
    )
    sql = f"{verb} {', '.join(parts)}"
    if channel:
        sql, arguments = f"{sql} FOR CHANNEL %s", [*arguments, channel]
    return Statement(sql, tuple(arguments), frozenset(secrets))


def prepare_to_follow(old: Standing) -> tuple[Statement, ...]:
    """MariaDB: what a primary has written itself is no part of the position from which a replica begins."""
    if old.flavor is Flavor.MYSQL:
        return ()
    return (Statement("SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos"),)


def close(one: Standing) -> tuple[Statement, ...]:
    """Return what makes *one* take no writes: on MySQL not even of those who may write to a read-only server."""
    return (
        Statement(
            "SET GLOBAL super_read_only = 1" if one.flavor is Flavor.MYSQL else "SET GLOBAL read_only = 1"
        ),
    )
