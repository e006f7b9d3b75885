"""What integration tests share beyond fixtures: where MySQL comes from, and what a fixture gives."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import NoBinary, Sandbox, Topology
from rwrouter.sandbox.binaries import find
from rwrouter.sandbox.router import RouterProcess

REPOSITORY = Path(__file__).parents[2]
POLL = 0.05  # seconds between two looks at what another process does
RouterFactory = Callable[..., RouterProcess]


def missing(what: str) -> None:
    """Skip the test that needs *what*; fail it where everything is asked for (`make test`)."""
    if os.environ.get("RWROUTER_TEST_ALL"):
        pytest.fail(what)
    pytest.skip(what)


def rootfs() -> Path:
    """Return the root file system with MySQL in it; make it where there is none (root, half a minute)."""
    script = REPOSITORY / "docker" / "make-rootfs"
    done = subprocess.run([script, "--print"], capture_output=True, text=True, check=True)
    path = Path(done.stdout.strip())
    if (path / "usr/sbin/mysqld").exists():
        return path
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        missing(f"no MySQL in {path}: {script} makes it, as root, with debootstrap")
    subprocess.run([script], check=True)
    return path


def start(
    flavor: Flavor,
    replicas: int = 2,
    options: dict[str, str] | None = None,
    topology: Topology = Topology.REPLICAS,
) -> Sandbox:
    """Start servers of *flavor*: this machine's own where it has them, else from the root file system."""
    try:
        find(flavor)
    except NoBinary as error:
        if flavor is Flavor.MARIADB:
            missing(str(error))
        return Sandbox.start(replicas, flavor=flavor, root=rootfs(), options=options, topology=topology)
    return Sandbox.start(replicas, flavor=flavor, options=options, topology=topology)


def eventually(holds: Callable[[], bool], what: str, timeout: float = 60.0) -> None:
    """Return when *holds* says True; fail with *what* after *timeout* s. For other processes' doings."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout:g} s: {what}")
        time.sleep(POLL)
