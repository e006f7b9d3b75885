"""Group Replication of three real members: the group says who is primary, and only with a majority."""

from collections.abc import Iterator

import pytest

from rwrouter.model import Flavor, Role, State
from rwrouter.sandbox import Sandbox, Topology
from tests.integration.harness import eventually, start
from tests.integration.watch import Watch

PATIENCE = 90.0  # seconds: a group takes 5 to suspect a member, and more on a busy machine


@pytest.fixture(scope="module")
def group() -> Iterator[Sandbox]:
    """Run three members, of which the first begins as the primary."""
    with start(Flavor.MYSQL, topology=Topology.GROUP) as sandbox:
        yield sandbox


def primary_of(group: Sandbox) -> str:
    """Return the name of the primary, by the group's own word."""
    return next((name for name, member in group.members().items() if member == ("ONLINE", "PRIMARY")), "")


def test_the_groups_members_and_their_roles_are_found(group: Sandbox) -> None:
    """One primary, the others replicas without lag, by commit timestamps."""
    group.server(primary_of(group)).query("CREATE DATABASE IF NOT EXISTS members")
    with Watch(group) as watch:
        watch.until(lambda seen: {server.state for server in seen.servers} == {State.UP})
        watch.until(lambda seen: {server.lag.seconds for server in seen.servers} == {0.0})
        assert watch.snapshot.primary == primary_of(group)
        roles = sorted(server.role for server in watch.snapshot.servers)
        assert roles == [Role.PRIMARY, Role.REPLICA, Role.REPLICA]
        why = {server.lag.why for server in watch.snapshot.servers}
        assert why == {"is the primary", "commit timestamps"}


def test_the_whole_group_is_found_from_one_member(group: Sandbox) -> None:
    """By its view: no further right is needed."""
    secondary = next(server for server in group.servers if server.name != primary_of(group))
    with Watch(group, servers=[secondary]) as watch:
        watch.until(lambda seen: [server.state for server in seen.servers] == [State.UP] * 3)
        assert watch.snapshot.primary == group.server(primary_of(group)).address


def test_a_new_primary_is_followed_when_the_group_changes_it(group: Sandbox) -> None:
    """A switchover within the group is seen, and the old primary is a replica."""
    before = primary_of(group)
    other = next(server for server in group.servers if server.name != before)
    with Watch(group) as watch:
        watch.until(lambda seen: seen.primary == before)
        uuid = other.value("SELECT @@server_uuid")
        other.query(f"SELECT group_replication_set_as_primary('{uuid}')")
        watch.until(lambda seen: seen.primary == other.name, PATIENCE)
        watch.until(lambda seen: seen.server(before).role is Role.REPLICA, PATIENCE)
        watch.until(lambda seen: seen.server(before).state is State.UP, PATIENCE)


def test_a_killed_primary_is_replaced_and_comes_back_as_a_replica(group: Sandbox) -> None:
    """The router follows the election; the others are read meanwhile."""
    old = group.server(primary_of(group))
    with Watch(group) as watch:
        watch.until(lambda seen: seen.primary == old.name)
        old.kill()
        watch.until(lambda seen: seen.primary not in (None, old.name), PATIENCE)
        assert watch.snapshot.primary == primary_of(group)
        others = [server for server in group.servers if server is not old]
        assert {watch.snapshot.server(server.name).state for server in others} == {State.UP}
        group.server(primary_of(group)).query("CREATE DATABASE IF NOT EXISTS missed")
        old.start()
        group.wait_grouped()
        watch.until(lambda seen: seen.server(old.name).state is State.UP, PATIENCE)
        assert old.value("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'missed'") == 1
        assert watch.snapshot.server(old.name).role is Role.REPLICA
    group.wait_grouped()


def test_the_primary_of_a_minority_is_no_primary(group: Sandbox) -> None:
    """It is writable to its own eye; but what it is sent would wait, so that nobody is the primary."""
    primary = group.server(primary_of(group))
    others = [server for server in group.servers if server is not primary]
    with Watch(group, max_lag=3.0) as watch:
        watch.until(lambda seen: seen.primary == primary.name)
        try:
            for server in others:
                server.pause()
            watch.until(lambda seen: seen.primary is None, PATIENCE)
            assert primary.value("SELECT @@global.read_only") == 0
            problem = f"{primary.name} has lost the majority of its group: it reaches 1 of 3 members"
            assert problem in watch.snapshot.problem
            watch.until(lambda seen: seen.server(primary.name).state is State.LAGGING, PATIENCE)
            assert "lost the majority" in watch.snapshot.server(primary.name).reason
        finally:
            for server in others:
                server.resume()
        watch.until(lambda seen: seen.primary is not None, PATIENCE)
        eventually(lambda: watch.snapshot.primary == primary_of(group), "the group's own primary", PATIENCE)
    group.wait_grouped()
