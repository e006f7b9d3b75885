"""`reads.monotonic`: what a session has read, it never reads older; by default it does, behind a replica at rest."""

from rwrouter.cli.router import RunningRouter
from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import RouterFactory, eventually
from tests.integration.test_own_writes import standing_still

TEXT = '[reads]\nmax_lag = "1h"\nwait = "200ms"\nmonotonic = {}\n'


def decide(process: RouterProcess, server: str, what: str) -> None:
    """Drain or enable *server*."""
    RunningRouter(f"127.0.0.1:{process.admin_port}").ask(f"/v1/servers/{server}/{what}", {})


def values_of(cluster: Sandbox, process: RouterProcess, schema: str) -> list[int]:
    """Return what one session reads of a counter while it grows, its own server leaves and comes back."""
    fresh = cluster.replicas[1].address
    seen: list[int] = []

    def look(cursor: object) -> None:
        cursor.execute("SELECT n FROM counter")  # type: ignore[attr-defined]
        seen.append(cursor.fetchone()[0])  # type: ignore[attr-defined]

    with process.connect(database=schema) as connection, connection.cursor() as cursor:
        for step in range(1, 13):
            cluster.primary.query(f"UPDATE {schema}.counter SET n = n + 1")
            eventually(
                lambda: (
                    cluster.replicas[1].value(f"SELECT n FROM {schema}.counter")
                    == cluster.primary.value(f"SELECT n FROM {schema}.counter")
                ),
                "the replica that does not stand still has the counter",
            )
            if step % 3 == 0:
                cursor.execute("SELECT n FROM counter FOR UPDATE")
                seen.append(cursor.fetchone()[0])
            for _ in range(3):
                look(cursor)
            if step == 6:
                decide(process, fresh, "drain")
            if step == 9:
                decide(process, fresh, "enable")
    return seen


def test_a_session_never_reads_older(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """One replica stands still, and the other is drained in between; the default shows that the test can see it."""
    cluster.primary.run(
        [f"CREATE TABLE {schema}.counter (n INT)", f"INSERT INTO {schema}.counter VALUES (0)"]
    )
    cluster.wait_in_sync()
    with standing_still(cluster):
        seen = values_of(cluster, router(cluster, config=TEXT.format("true")), schema)
        assert seen == sorted(seen)
        seen = values_of(cluster, router(cluster, config=TEXT.format("false")), schema)
        assert seen != sorted(seen)
