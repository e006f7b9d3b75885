"""`rwrouter switchover` on real servers, under load: no error, no lost or doubled write, and every failure undone."""

import asyncio
from collections.abc import Collection, Iterable, Iterator

import pymysql
import pytest

from rwrouter.cluster.probes import Row
from rwrouter.cluster.steps import Order, Statement, Step
from rwrouter.config.model import ServerTlsSettings
from rwrouter.model import Address, Flavor, Role, Server, Snapshot, State
from rwrouter.process.hands import OperatorHands, StepFailed
from rwrouter.process.progress import Report
from rwrouter.process.switching import Switchover
from rwrouter.sandbox import Sandbox, SandboxServer, Topology
from tests.integration.harness import eventually
from tests.switchover.command import switch
from tests.switchover.load import Load, in_sync
from tests.switchover.scenarios import (
    SCHEMA,
    back_and_forth,
    killed_in_a_group,
    make_table,
    running,
    sandbox_of,
)

PAUSE = 2.0
"""Seconds between two acknowledged writes that a switchover may cost, on a machine that has nothing else to do."""

BUSY = 5.0
"""As much more is allowed here: other tests may run beside this one."""


@pytest.fixture(scope="module")
def group() -> Iterator[Sandbox]:
    """Run a group of three."""
    with sandbox_of(Flavor.MYSQL, Topology.GROUP) as sandbox:
        yield sandbox


@pytest.fixture(scope="module", params=list(Flavor))
def started(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Run a primary and two replicas."""
    with sandbox_of(request.param) as sandbox:
        yield sandbox


@pytest.fixture
def replicas(started: Sandbox) -> Iterator[Sandbox]:
    """Give them; their roles are as they were after each test, also after one that has failed half-way."""
    yield started
    writable = [one for one in started.servers if one.value("SELECT @@GLOBAL.read_only") == 0]
    if len(writable) == 1 and writable[0] is not started.primary:
        switch_back(started, writable[0])


def assert_roles(sandbox: Sandbox, primary: SandboxServer) -> None:
    """All others are read-only and follow *primary*, which takes writes: a row written there is everywhere."""
    word = "REPLICA" if sandbox.flavor is Flavor.MYSQL else "SLAVE"
    assert primary.value("SELECT @@GLOBAL.read_only") == 0
    for server in sandbox.servers:
        if server is primary:
            continue
        assert server.value("SELECT @@GLOBAL.read_only") == 1
        if sandbox.flavor is Flavor.MYSQL:
            assert server.value("SELECT @@GLOBAL.super_read_only") == 1
        rows = server.query(f"SHOW {word} STATUS")
        port = rows[0].get("Source_Port") or rows[0].get("Master_Port")
        assert (len(rows), port) == (1, primary.port)
    primary.query(f"INSERT INTO {SCHEMA}.t (k) VALUES (1)")
    in_sync(sandbox, primary)


def test_no_client_notices(replicas: Sandbox) -> None:
    """There and back under load, on MySQL and MariaDB."""
    outcome = back_and_forth(replicas, 2, 4, "small", writes=30)
    assert outcome.verdict.is_clean, outcome.verdict
    assert outcome.verdict.pause < PAUSE + BUSY
    assert_roles(replicas, replicas.primary)


def test_no_client_notices_in_a_group(group: Sandbox) -> None:
    """The same by Group Replication."""
    outcome = back_and_forth(group, 2, 4, "small", writes=30)
    assert outcome.verdict.is_clean, outcome.verdict
    assert outcome.verdict.pause < PAUSE + BUSY


def test_the_primary_of_a_group_is_killed(group: Sandbox) -> None:
    """Reads go on without an error; writes wait and go on; what was in flight may fail, once a client."""
    outcome = killed_in_a_group(group, 4, "small")
    assert outcome.verdict.keeps_promises, outcome.verdict
    assert outcome.verdict.read_errors == ()
    assert outcome.verdict.reads_in_pause > 0
    assert len(outcome.verdict.write_errors) <= 4


# -- every failure is undone


class Gate:
    """The router's part, for servers without a router: it sees what the servers are."""

    def __init__(self, sandbox: Sandbox, *, is_blind: bool = False) -> None:
        self.held: list[str] = []
        self._sandbox = sandbox
        self._is_blind = is_blind

    def hold(self, candidate: str) -> None:
        """Note."""
        self.held.append(candidate)

    def release(self) -> None:
        """Note."""
        self.held.append("")

    async def drained(self, limit: float) -> int:  # noqa: ARG002
        """Nobody is there."""
        return 0

    def end_transactions(self) -> None:
        """Nobody is there."""

    async def recognised(self, name: str, limit: float) -> bool:  # noqa: ARG002
        """Tell whether *name* takes writes."""
        server = self._sandbox.server(name)
        writable = await asyncio.to_thread(server.value, "SELECT @@GLOBAL.read_only") == 0
        return writable and not (self._is_blind and name != self._sandbox.primary.name)


Told = tuple[str, str]
"""A server, and the SQL that it was told. Positions and names are no part of it: they differ from run to run."""


class Hands(OperatorHands):
    """The operator's, of which one statement fails, once: the first that is not *spared*, before or after it is done.

    No statement is found by its number: how often a step looks at a server is for the servers' pace to decide.
    """

    def __init__(
        self, order: Order, sandbox: Sandbox, spared: Collection[Told] | None = None, *, before: bool = False
    ) -> None:
        """*spared*: None spares all."""
        addresses = {server.name: Address(server.host, server.port) for server in sandbox.servers}
        super().__init__(order, addresses, ServerTlsSettings())
        self.failed: Told | None = None
        self._spared = spared
        self._before = before

    async def run(self, server: str, statement: Statement, limit: float) -> list[Row]:
        """Run it, or fail."""
        told = (server, statement.sql)
        fails = self._spared is not None and self.failed is None and told not in self._spared
        if fails:
            self.failed = told
        if fails and self._before:
            raise StepFailed("made to fail")
        rows = await super().run(server, statement, limit)
        if fails:
            raise StepFailed("made to fail")
        return rows


def order_of(sandbox: Sandbox, to: str) -> Order:
    """Return the order of root."""
    root, replication = sandbox.accounts.root, sandbox.accounts.replication
    return Order(to, root.user, root.password, replication.user, replication.password)


def carry_out(primary: SandboxServer, sandbox: Sandbox, gate: Gate, hands: Hands, order: Order) -> Report:
    """Run one switchover from *primary*, in this process."""
    servers = tuple(
        Server(
            one.name,
            Address(one.host, one.port),
            Role.PRIMARY if one is primary else Role.REPLICA,
            State.UP,
            "",
        )
        for one in sandbox.servers
    )

    async def play() -> Report:
        switchover = Switchover(order, Snapshot(1, servers, primary.name, None, ""), gate, hands)
        await switchover.run()
        return switchover.report

    return asyncio.run(play())


def switch_back(sandbox: Sandbox, primary: SandboxServer) -> None:
    """Make the sandbox's first server the primary again, instead of *primary*, by a switchover without a fault."""
    order = order_of(sandbox, sandbox.primary.name)
    report = carry_out(primary, sandbox, Gate(sandbox), Hands(order, sandbox), order)
    assert report.state == "done", report.as_json()
    assert_roles(sandbox, sandbox.primary)


def statements_of(steps: Iterable[Step]) -> set[Told]:
    """Return all that is said to servers in *steps*, but for the ways back."""
    return {
        (action.server, statement.sql)
        for step in steps
        for action in step.actions
        for statement in action.statements
    }


@pytest.mark.timeout(600)
def test_a_failure_at_each_statement_is_undone(replicas: Sandbox) -> None:
    """After it has been done: the roles are as they were, replication runs, and writes flow again.

    What fails when writes flow already is told, and not undone.
    """
    candidate = replicas.replicas[0]
    order = order_of(replicas, candidate.name)
    make_table(replicas.primary)
    tried: set[Told] = set()
    while True:
        gate, hands = Gate(replicas), Hands(order, replicas, tried)
        report = carry_out(replicas.primary, replicas, gate, hands, order)
        assert gate.held == [candidate.name, ""]
        if hands.failed is None:
            break
        tried.add(hands.failed)
        if hands.failed in statements_of(one.step for one in report.steps if one.step.is_cleanup):
            assert (report.state, len(report.warnings)) == ("done", 1), report.as_json()
            switch_back(replicas, candidate)
        else:
            assert report.state == "rolled back", (hands.failed, report.as_json())
            assert_roles(replicas, replicas.primary)
    assert report.state == "done", report.as_json()
    assert tried == statements_of(one.step for one in report.steps)
    switch_back(replicas, candidate)


def test_a_new_primary_that_the_router_does_not_see_is_undone(replicas: Sandbox) -> None:
    """The last step before writes flow has its way back, too."""
    make_table(replicas.primary)
    order = order_of(replicas, replicas.replicas[0].name)
    gate = Gate(replicas, is_blind=True)
    report = carry_out(replicas.primary, replicas, gate, Hands(order, replicas), order)
    assert report.state == "rolled back", report.as_json()
    assert "was not seen to be the primary" in report.problems[0]
    assert_roles(replicas, replicas.primary)


@pytest.mark.parametrize("before", [True, False])
def test_a_failure_in_a_group_is_undone(before: bool) -> None:
    """The group's primary is who it was."""
    with sandbox_of(Flavor.MYSQL, Topology.GROUP) as sandbox:
        order = order_of(sandbox, sandbox.replicas[0].name)
        hands = Hands(order, sandbox, (), before=before)
        report = carry_out(sandbox.primary, sandbox, Gate(sandbox), hands, order)
        assert report.state == "rolled back", report.as_json()
        assert sandbox.members()[sandbox.primary.name] == ("ONLINE", "PRIMARY")


# -- with a router, under load


@pytest.mark.parametrize("case", ["password", "rights"])
def test_a_switchover_that_fails_under_load(replicas: Sandbox, case: str) -> None:
    """A wrong password of replication, an operator without rights: undone, and no client has an error."""
    make_table(replicas.primary)
    in_sync(replicas, replicas.primary)
    to = replicas.replicas[0].name
    with running(replicas) as router:
        with Load(router, SCHEMA, 4) as load:
            load.go_on(30)
            if case == "password":
                environment = {"RWROUTER_REPLICATION_PASSWORD": "wrong"}
                status, report, _ = switch(router, replicas, to, "--catch-up", "2s", environment=environment)
                assert "verify" in report["problems"][0]
                assert (status, report["state"]) == (3, "rolled back"), report
            else:
                # MySQL does not even let it see the group; MariaDB refuses the first change.
                monitor = replicas.monitor
                environment = {"RWROUTER_OPERATOR_PASSWORD": monitor.password}
                status, report, _ = switch(
                    router, replicas, to, "--user", monitor.user, environment=environment
                )
                assert (status, report["state"]) in {(1, "refused"), (3, "rolled back")}, report
            load.go_on(30)
        in_sync(replicas, replicas.primary)
        verdict = load.judge(replicas.servers)
    assert verdict.is_clean, verdict
    assert_roles(replicas, replicas.primary)


def test_an_open_transaction(replicas: Sandbox) -> None:
    """It is waited for, then refused; or ended where the operator says so. One that ends in time is not noticed."""
    make_table(replicas.primary)
    in_sync(replicas, replicas.primary)
    first, other = replicas.primary, replicas.replicas[0]
    with running(replicas) as router, router.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT INTO {SCHEMA}.t (k) VALUES (7)")
        status, report, _ = switch(router, replicas, other.name, "--drain", "500ms")
        assert (status, report["state"]) == (3, "rolled back")
        assert "1 transaction(s) still open" in report["problems"][0]
        cursor.execute("COMMIT")
        assert_roles(replicas, first)
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT INTO {SCHEMA}.t (k) VALUES (8)")
        status, report, said = switch(
            router, replicas, other.name, "--drain", "500ms", "--transactions", "kill"
        )
        assert status == 0, (report, said)
        with pytest.raises(pymysql.MySQLError):
            cursor.execute("COMMIT")
        in_sync(replicas, other)
        assert [
            server.value(f"SELECT COUNT(*) FROM {SCHEMA}.t WHERE k = 7") for server in replicas.servers
        ] == [1] * 3
        assert [
            server.value(f"SELECT COUNT(*) FROM {SCHEMA}.t WHERE k = 8") for server in replicas.servers
        ] == [0] * 3
        assert switch(router, replicas, first.name)[0] == 0
    assert_roles(replicas, first)


def test_what_is_checked_first(replicas: Sandbox) -> None:
    """A dry run shows the SQL; what can't be done is refused; neither holds or changes anything."""
    make_table(replicas.primary)
    first, other = replicas.primary, replicas.replicas[0]
    with running(replicas) as router:
        status, report, _ = switch(router, replicas, other.name, "--dry-run")
        assert (status, report["state"]) == (0, "planned")
        assert f"HOST = '{other.host}'" in str(report["steps"])
        assert replicas.accounts.replication.password not in str(report)
        status, report, _ = switch(router, replicas, first.name)
        assert (status, report["problems"]) == (1, [f"{first.name} is the primary already"])
        status, report, _ = switch(router, replicas, "db9")
        assert (status, report["state"]) == (1, "refused")
        wrong = {"RWROUTER_OPERATOR_PASSWORD": "wrong"}
        status, report, _ = switch(router, replicas, other.name, environment=wrong)
        assert (status, report["state"]) == (1, "refused")
        assert "Access denied" in report["problems"][0]
        assert "check --user and RWROUTER_OPERATOR_PASSWORD" in report["problems"][0]
        word = "REPLICA" if replicas.flavor is Flavor.MYSQL else "SLAVE"
        other.query(f"STOP {word}")
        try:
            status, report, _ = switch(router, replicas, other.name)
            assert (status, report["state"]) == (1, "refused")
        finally:
            other.query(f"START {word}")
        eventually(lambda: "event=switchover " in router.log(), "it is logged")
    assert_roles(replicas, first)
