"""What one server is now, by what is known of it and of the cluster around it: role, state, lag."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rwrouter.cluster import group
from rwrouter.cluster.discovery import Seat, followed, stray_source
from rwrouter.cluster.health import ramp
from rwrouter.cluster.lag import Evidence, Positions, behind_heartbeat, is_near
from rwrouter.cluster.watched import Watched
from rwrouter.config.model import ReadSettings
from rwrouter.model import Flavor, Lag, Role, Server, State

PRIMARY_LAG: Final = Lag(0.0, "is the primary")


@dataclass(frozen=True, slots=True)
class View:
    """The cluster around a server, at one moment."""

    primary: str | None
    source: Watched | None  # the primary, or the last one: replicas are measured by it
    source_lost: float | None  # when that was seen last, if it does not answer now
    seats: Sequence[Seat]  # of those that could be primary
    ours: Sequence[Seat]  # of those that belong to this set, also while they are down
    positions: Positions  # of the primary
    reads: ReadSettings


def judge(one: Watched, now: float, view: View) -> Server:
    """Return what *one* is at *now*; its lag is measured where it has just answered."""
    role = _role(one, view)
    if one.health.is_up and role is not Role.PRIMARY and one.answered_at == now:
        one.lag = one.meter.measure(now, _evidence(one, view), view.source_lost)
    elif role is Role.PRIMARY:
        one.lag = PRIMARY_LAG
    elif one.lag is PRIMARY_LAG:
        one.lag = Lag(None, "not probed since it was the primary")
    state, reason = _state(one, role, view.reads)
    facts = one.seen.facts if one.seen is not None else None
    since = None if one.returned_at is None else now - one.returned_at
    return Server(
        name=one.name,
        address=one.address,
        role=role,
        state=state,
        reason=reason,
        lag=one.lag,
        weight=one.settings.weight if one.weight is None else one.weight,
        ramp=1.0 if since is None else ramp(since, view.reads.slow_start),
        flavor=facts.flavor if facts else Flavor.MYSQL,
        version=facts.version if facts else "",
        uuid=facts.uuid if facts else "",
        server_id=facts.server_id if facts else 0,
        executed=facts.executed if facts else "",
        zone=one.settings.zone,
    )


def _role(one: Watched, view: View) -> Role:
    if one.name == view.primary:
        return Role.PRIMARY
    if one.seen is None or one.twin:
        return Role.UNKNOWN
    if one.seen.facts.is_read_only or one.seen.member or followed(one.seen, view.seats):
        return Role.REPLICA
    return Role.UNKNOWN


def _evidence(one: Watched, view: View) -> Evidence:
    assert one.seen is not None  # noqa: S101  only who has answered is measured
    source, member = view.source, one.seen.member
    return Evidence(
        channels=one.seen.channels,
        applier=one.applier,
        skew=one.clock.offset - source.clock.offset if source is not None else 0.0,
        heartbeat=_behind_heartbeat(one, source),
        missing_since=view.positions.missing_since(one.executed),
        has_positions=bool(view.positions) and bool(one.executed),
        is_member=member is not None and member.state == group.ONLINE,
        group_trouble=group.trouble(one.seen),
        stray_source=stray_source(one.seen, view.ours) if one.found is not None else "",
    )


def _behind_heartbeat(one: Watched, source: Watched | None) -> float | None:
    if source is None or source.seen is None:
        return None
    since = one.answered_at - source.answered_at
    return behind_heartbeat(one.heartbeats, source.heartbeats, source.seen.facts.server_id, since)


def _state(one: Watched, role: Role, reads: ReadSettings) -> tuple[State, str]:
    if one.twin:
        return State.DOWN, f"is the same server as {one.twin}, at another address: list it once"
    if one.decreed is not None:
        return one.decreed, f"{one.decreed} by a person"
    if not one.health.is_up:
        return State.DOWN, one.health.why
    if role is Role.PRIMARY:
        return State.UP, one.trouble
    resume = reads.max_lag / 2 if reads.resume_lag is None else reads.resume_lag
    one.is_near = is_near(one.lag, was_near=one.is_near, leave=reads.max_lag, resume=resume)
    if one.is_near:
        return State.UP, ""
    if one.lag.seconds is None:
        return State.LAGGING, one.lag.why
    limit = (
        f"comes back at {resume:g} s" if one.lag.seconds <= reads.max_lag else f"limit {reads.max_lag:g} s"
    )
    return State.LAGGING, f"is {one.lag.seconds:.1f} s behind ({limit}; {one.lag.why})"
