"""The demo is what a newcomer sees first: it must be right on either flavor, and clean up."""

import subprocess
import sys

from rwrouter.sandbox import Sandbox
from tests.integration.harness import REPOSITORY


def test_the_tour_goes_right_and_ends(cluster: Sandbox) -> None:
    """Every statement of the tour runs where it should, by the servers' own records; exit status 0."""
    command = [sys.executable, "-m", "rwrouter.cli.main", "demo", "--exit", f"--flavor={cluster.flavor}"]
    if cluster.binary.root is not None:
        command.append(f"--root={cluster.binary.root}")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every statement ran where it should" in done.stdout
