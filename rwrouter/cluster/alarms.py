"""What is wrong, in sentences for people: why nobody can be served, and what should be mended though it works."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from rwrouter.cluster.topology import Election
from rwrouter.cluster.watched import Watched
from rwrouter.errors import MESSAGE_LIMIT
from rwrouter.model import Server, State

NO_ACCOUNT: Final = (
    "the router cannot look at the servers: set monitor.user (or --monitor-user), and its password in "
    "RWROUTER_MONITOR_PASSWORD; the account needs REPLICATION CLIENT on every server"
)

_WORTH: Final[Mapping[str, str]] = {
    "SELECT on performance_schema.*": "lag in milliseconds, and the members of Group Replication",
    "PROCESS on *.*": "which replicas there are that nobody listed (or set discovery = false)",
    "SHOW_ROUTINE on *.*": "which stored functions only read: their calls go to the primary",
    "SELECT on mysql.proc": "which stored functions only read: their calls go to the primary",
}


def problem_of(servers: Sequence[Server], election: Election) -> str:
    """Return why no write can be served, "" where one can."""
    if not servers:
        return "no server is configured: give --server HOST:PORT, or [[servers]] in rwrouter.toml"
    if election.primary is not None:
        return ""
    whys = [
        f"{server.name} {server.reason or server.role}" for server in servers if server.state is State.DOWN
    ]
    disabled = [server.name for server in servers if server.state is State.DISABLED]
    whys += [f"{name} is disabled by a person (`rwrouter enable {name}` ends that)" for name in disabled]
    if election.problem:
        whys.insert(0, election.problem)
    return _short("no primary: " + "; ".join(whys))


def alarms_of(admitted: Collection[Watched], heartbeat: str) -> Iterator[str]:
    """Yield what is amiss with servers that are *admitted*. *heartbeat*: the table of that name, "" for none."""
    yield from (f"{one.name} {one.trouble}" for one in admitted if one.trouble)
    yield from (f"{one.name} is the same server as {one.twin}: list it once" for one in admitted if one.twin)
    silent = [one for one in admitted if one.no_heartbeat]
    if silent and heartbeat:
        names = ", ".join(one.name for one in silent)
        yield f"monitor.heartbeat = {heartbeat} can't be read on {names}: {silent[0].no_heartbeat}"


def rivals(admitted: Collection[Watched], primary: str) -> Iterator[str]:
    """Yield who of those that are *admitted* is writable, and linked with none of them: an old primary that came back.

    It was found, so it is no rival in an election; but who writes there directly parts the data.
    """
    for one in admitted:
        is_writable = one.seen is not None and one.seen.is_writable
        if is_writable and one.found is not None and not one.is_attached and one.name != primary:
            yield (
                f"{one.name} is writable, and neither follows {primary} nor any other of these servers: set read_only "
                "(and super_read_only) there, and make it a replica again"
            )


def missing_rights(admitted: Collection[Watched]) -> Iterator[str]:
    """Yield what the monitor's account lacks on a server that is *admitted*, and what it would be good for."""
    for right in sorted({right for one in admitted for right in one.missing}):
        yield f"the monitor's account lacks {right}, to tell {_WORTH[right]}"


def _short(text: str) -> str:
    encoded = text.encode()
    return (
        text
        if len(encoded) <= MESSAGE_LIMIT
        else encoded[: MESSAGE_LIMIT - 3].decode(errors="ignore") + "..."
    )
