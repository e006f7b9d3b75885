"""`rwrouter switchover` as a person calls it, against a router and servers of a sandbox."""

import json
import os
import subprocess
import sys
from typing import Any

from rwrouter.sandbox import Sandbox
from rwrouter.sandbox.router import RouterProcess


def switch(
    router: RouterProcess,
    sandbox: Sandbox,
    to: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any], str]:
    """Run the command with root as the operator; return exit status, report, and what it said on standard error."""
    root, replication = sandbox.accounts.root, sandbox.accounts.replication
    line = [
        sys.executable,
        "-m",
        "rwrouter.cli.main",
        "switchover",
        "--admin",
        f"127.0.0.1:{router.admin_port}",
    ]
    line += ["--to", to, "--user", root.user, "--json", *arguments]
    if "--replication-user" not in arguments:
        line += ["--replication-user", replication.user]
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env=os.environ
        | {
            "RWROUTER_OPERATOR_PASSWORD": root.password,
            "RWROUTER_REPLICATION_PASSWORD": replication.password,
        }
        | (environment or {}),
    )
    report: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return done.returncode, report, done.stderr
