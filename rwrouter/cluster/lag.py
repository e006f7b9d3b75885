"""How far a replica is behind, and whether that is near enough to read from it.

What the best source at hand says, and a proof against it:

    commit timestamps      performance_schema, if it may be read: age of the oldest transaction not yet
                           applied, to the millisecond; the clocks' difference is taken out
    heartbeat table        if one is set: how much older the replica's copy is than the primary's, as fine as it is
                           written; by the primary's clock alone, so that clocks and time zones do not matter
    Seconds_Behind_Source  whole seconds, always there; blind to what the receiver has not fetched
    GTID positions         since when the primary has had what this server has not: a lower bound that none of
                           the others can hide, as fine as the probing interval

A stopped applier has no lag that one could trust: it is unknown, never 0. A receiver that has lost its source
leaves the last lag growing with the clock, for that is its upper bound; while the source itself does not
answer nobody writes, so that nothing grows.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rwrouter.cluster.gtid import GtidSet
from rwrouter.cluster.probes import Applier, Channel, Receiver
from rwrouter.model import Lag

_POSITIONS: Final = 1024  # looks at a busy primary that are remembered: 17 minutes at one a second


class Positions:
    """What the primary had executed, and when it was seen."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, GtidSet]] = []  # ascending in both; only changes

    def note(self, now: float, executed: GtidSet) -> None:
        """Take in that the primary says at *now* that it has *executed* this."""
        if not self._seen or not self._seen[-1][1].contains(executed):
            if self._seen and not executed.contains(self._seen[-1][1]):
                self._seen.clear()  # another primary, or its GTIDs were reset
            self._seen.append((now, executed))
            del self._seen[:-_POSITIONS]

    def forget(self) -> None:
        """Forget what was seen: the primary is another."""
        self._seen.clear()

    def missing_since(self, executed: GtidSet) -> float | None:
        """Return when the first transaction was seen that *executed* lacks; None if it lacks none."""
        at = bisect_left(self._seen, True, key=lambda seen: not executed.contains(seen[1]))
        return self._seen[at][0] if at < len(self._seen) else None

    def __bool__(self) -> bool:
        return bool(self._seen and self._seen[-1][1])


def behind_heartbeat(
    own: Mapping[int, float], primary: Mapping[int, float], server_id: int, since: float
) -> float | None:
    """Return for how long a replica with the heartbeats *own* lacks what the *primary* had *since* seconds ago.

    *server_id* is the primary's: after a switchover the row of the one before stays, and grows old.
    """
    if not primary:
        return None
    writer = server_id if server_id in primary else max(primary, key=primary.__getitem__)
    if writer not in own:
        return None
    behind = primary[writer] - own[writer]
    return behind + max(0.0, since) if behind > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one round of probes tells of a replica's lag."""

    channels: tuple[Channel, ...]
    applier: tuple[Applier, ...] = ()  # empty where it may not be read
    skew: float = 0.0  # seconds that the replica's clock is ahead of its source's
    missing_since: float | None = None  # see Positions
    has_positions: bool = False  # whether both the primary's position and its own are known
    heartbeat: float | None = None  # seconds that its heartbeat is older than the primary's; None without one
    is_member: bool = False  # of a replication group, and ONLINE there
    group_trouble: str = ""  # why what a member has can't be relied on, see cluster/group.py
    stray_source: str = (
        ""  # HOST:PORT from which a server that nobody listed replicates, if that is none of ours
    )


class LagMeter:
    """The lag of one server over time."""

    def __init__(self) -> None:
        self._known: Lag | None = None  # the last that was measured with a receiver at work
        self._at = 0.0

    def measure(self, now: float, evidence: Evidence, source_lost: float | None = None) -> Lag:
        """Return the lag at *now*. *source_lost* is when the primary last answered, if it does not now."""
        until = now if source_lost is None else min(now, source_lost)
        channels = evidence.channels
        if evidence.group_trouble:
            # Who is ONLINE and sees no majority had all a moment ago; what others write since, it can't know.
            return (
                self._grown(now, evidence.group_trouble)
                if evidence.is_member
                else self._unknown(evidence.group_trouble)
            )
        if not channels and not evidence.is_member:
            return self._unknown("is not a replica")
        if evidence.stray_source:
            return self._unknown(f"replicates from {evidence.stray_source}, which is none of these servers")
        for channel in channels:
            if not channel.is_applying:
                return self._unknown(f"applier stopped: {channel.applier_error or 'by hand'}")
        for channel in channels:
            if channel.receiver is Receiver.YES:
                continue
            gave_up = source_lost is not None and channel.error
            if channel.receiver is Receiver.NO and not gave_up:
                return self._unknown(f"receiver stopped: {channel.error or 'by hand'}")
            why = f"receiver has lost its source: {channel.error or 'it is connecting'}"
            return self._grown(until, why)
        self._known, self._at = _best(until, evidence), now
        return self._known

    def grown(self, now: float, why: str) -> Lag:
        """Return the upper bound of the lag at *now*, if the server could not be asked because of *why*."""
        return self._grown(now, why)

    def _grown(self, until: float, why: str) -> Lag:
        if self._known is None or self._known.seconds is None:
            return Lag(None, why)
        return Lag(round(self._known.seconds + max(0.0, until - self._at), 3), why)

    def _unknown(self, why: str) -> Lag:
        self._known = None
        return Lag(None, why)


def _best(until: float, evidence: Evidence) -> Lag:
    found = []
    commits = _from_commits(evidence.applier, evidence.skew)
    if commits is not None:
        found.append(commits)
    if commits is None or not all(one.is_exact for one in evidence.applier):
        if evidence.heartbeat is not None:
            found.append(Lag(round(evidence.heartbeat, 3), "heartbeat table"))
        status = _from_status(evidence.channels)
        found += [] if status is None else [status]
    if evidence.has_positions:
        since = evidence.missing_since
        found.append(Lag(0.0 if since is None else round(max(0.0, until - since), 3), "GTID positions"))
    if not found:
        return Lag(None, "neither Seconds_Behind_Source nor GTIDs tell it")
    return max(
        found, key=lambda lag: lag.seconds or 0.0
    )  # each is a lower bound; the first of equals is best


def _from_commits(applier: Sequence[Applier], skew: float) -> Lag | None:
    if not applier:
        return None
    ages = [one.now - skew - one.oldest for one in applier if one.oldest is not None]
    return Lag(round(max(0.0, *ages, 0.0), 3), "commit timestamps")


def _from_status(channels: Sequence[Channel]) -> Lag | None:
    behind = [channel.behind for channel in channels if channel.behind is not None]
    if len(behind) < len(channels) or not behind:
        return None
    return Lag(max(behind), "Seconds_Behind_Source")


def is_near(lag: Lag, *, was_near: bool, leave: float, resume: float) -> bool:
    """Tell whether a replica with this *lag* may be read from.

    One that may already, leaves above *leave* seconds; one that may not, comes back at *resume* or below.
    Unknown is never near.
    """
    return lag.seconds is not None and lag.seconds <= (leave if was_near else resume)
