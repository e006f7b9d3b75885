"""What happened in the cluster, for the log: told by two snapshots, the one before and the one after."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from rwrouter.model import Server, Snapshot, State


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, for the log: one line of key=value."""

    level: str  # info, warning or error
    name: str
    fields: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        pairs = ("event", self.name), *self.fields
        return " ".join(f"{key}={value if _is_plain(value) else json.dumps(value)}" for key, value in pairs)

    @classmethod
    def of(cls, level: str, name: str, **fields: str) -> "Event":
        """Return the event of *fields*, in their order."""
        return cls(level, name, tuple(fields.items()))


def changes(old: Snapshot, new: Snapshot, asked: Collection[str], *, is_first_look: bool) -> Iterator[Event]:
    """Yield what changed from *old* to *new*.

    *asked*: the servers that were probed at least once; of the others nothing is known that could be told.
    *is_first_look*: not all were, so what is amiss may be so only for the moment.
    """
    known = {server.name: server for server in old.servers}
    for server in new.servers:
        before = known.get(server.name)
        if before is None and server.name not in asked:
            continue
        if before is None or before.state is not server.state or before.role is not server.role:
            yield _of_server(before, server)
    if old.primary != new.primary:
        level = "info" if new.primary else "error"
        yield Event.of(level, "primary_changed", old=old.primary or "none", new=new.primary or "none")
    for alarm in new.alarms:
        if alarm not in old.alarms:
            yield Event.of("warning", "alarm", what=alarm)
    for alarm in old.alarms:
        if alarm not in new.alarms:
            yield Event.of("info", "alarm_over", what=alarm)
    if new.problem and new.problem != old.problem and not is_first_look:
        yield Event.of("error", "cannot_serve", why=new.problem)


def _of_server(before: Server | None, server: Server) -> Event:
    fields = {
        "server": server.name,
        "address": str(server.address),
        "role": str(server.role),
        "was": f"{before.role},{before.state}" if before else "new",
        "lag": "unknown" if server.lag.seconds is None else f"{server.lag.seconds:.3f}s",
    }
    if server.reason:
        fields["why"] = server.reason
    return Event.of("info" if server.state is State.UP else "warning", f"server_{server.state}", **fields)


def _is_plain(value: str) -> bool:
    return bool(value) and not any(mark in value for mark in ' "=\n\t')
