"""`rwrouter sessions`: what ties each session is seen over all workers, and one can be ended."""

import json
import os
import subprocess
import sys
from typing import Any

import pymysql
import pytest

from rwrouter.sandbox import Sandbox
from tests.integration.harness import RouterFactory, eventually


def test_ties_are_seen_and_sessions_ended(cluster: Sandbox, router: RouterFactory, schema: str) -> None:
    """Ties and what is kept have their names; an end is an end, also in the middle of a statement."""
    process = router(cluster, "--workers", "2")

    def command(*arguments: str) -> str:
        line = [sys.executable, "-m", "rwrouter.cli.main", "sessions", *arguments]
        line += ["--admin", f"127.0.0.1:{process.admin_port}"]
        wide = {**os.environ, "COLUMNS": "250"}
        return subprocess.run(line, check=True, capture_output=True, text=True, timeout=60, env=wide).stdout

    def sessions() -> dict[int, dict[str, Any]]:
        return {one["id"]: one for one in json.loads(command("--json"))["sessions"]}

    connections = [process.connect(database=schema) for _ in range(4)]
    cursors = [connection.cursor() for connection in connections]
    ids = []
    for cursor in cursors:
        cursor.execute("SELECT CONNECTION_ID()")
        ids.append(cursor.fetchone()[0])
    cursors[0].execute("SET @x = 1")
    cursors[1].execute("CREATE TEMPORARY TABLE tmp (a INT)")
    cursors[2].execute("SELECT GET_LOCK(%s, 1)", (schema,))
    seen = sessions()
    assert {one["worker"] for one in seen.values()} <= {0, 1}
    shown = [(seen[number]["tied_by"], seen[number]["keeps"]) for number in ids]
    assert shown == [([], ["user_variable"]), (["temporary_table"], []), (["named_lock"], []), ([], [])]
    assert seen[ids[1]]["schema"] == schema
    assert str(ids[3]) not in command("--tied")
    assert "temporary_table" in command("--tied")
    command("--kill", str(ids[1]))
    with pytest.raises(pymysql.err.OperationalError):
        cursors[1].execute("SELECT 1")
    eventually(lambda: ids[1] not in sessions(), "the session is gone")
    connections[3].close()
    with pytest.raises(subprocess.CalledProcessError):
        command("--kill", "7")
    for connection in (connections[0], connections[2]):
        connection.close()
