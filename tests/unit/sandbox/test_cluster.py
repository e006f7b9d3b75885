"""A sandbox whose servers can't start."""

from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox.binaries import NoBinary, SandboxError
from rwrouter.sandbox.cluster import Sandbox, Topology
from rwrouter.sandbox.server import Place


def test_without_a_program_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is looked for first."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    with pytest.raises(NoBinary):
        Sandbox.start(binary="/nonexistent/mysqld")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_start_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that can't initialise a data directory is named with what it said; its files go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = tmp_path / "mysqld"
    program.write_text('#!/bin/sh\necho "mysqld  Ver 9.7.4 for Linux"\n[ "$2" = --version ]\n')
    program.chmod(0o755)
    with pytest.raises(SandboxError, match=r"mysqld could not initialise a data directory:\nmysqld  Ver"):
        Sandbox.start(binary=str(program))
    left = [path for path in tmp_path.glob("rwrouter-*") if not path.name.startswith("rwrouter-templates-")]
    assert left == []


def test_mariadb_has_no_group() -> None:
    """It is said before anything is looked for."""
    with pytest.raises(SandboxError, match="MariaDB has no Group Replication"):
        Sandbox.start(flavor=Flavor.MARIADB, topology=Topology.GROUP)


def test_a_group_has_no_places() -> None:
    """Its members speak with each other on loopback: it is said before anything is started."""
    with pytest.raises(SandboxError, match="leave places out"):
        Sandbox.start(topology=Topology.GROUP, places=[Place("192.0.2.7")] * 3)
