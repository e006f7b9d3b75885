"""Which server program is chosen, and what one who has none is told."""

from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import binaries
from rwrouter.sandbox.binaries import Binary, NoBinary, SandboxError, enter, find, read_version


@pytest.mark.parametrize(
    ("answer", "flavor", "version"),
    [
        ("/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))\n", Flavor.MYSQL, "9.7.4-2"),
        ("mysqld  Ver 8.0.36-28 for Linux on x86_64 (Percona Server (GPL))", Flavor.MYSQL, "8.0.36-28"),
        (
            "mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)",
            Flavor.MARIADB,
            "10.11.19-MariaDB-0+deb12u1",
        ),
    ],
)
def test_the_program_says_whose_it_is(answer: str, flavor: Flavor, version: str) -> None:
    """Flavor and version come from what `--version` prints, whatever the program is called."""
    assert read_version(answer, Path("/usr/sbin/mysqld")) == Binary(flavor, version, Path("/usr/sbin/mysqld"))


def test_a_program_that_says_nothing_known_is_none() -> None:
    """Something else under the name of a server is not taken for one."""
    assert read_version("usage: mysqld [-h]", Path("/usr/bin/mysqld")) is None


def _program(folder: Path, name: str, answer: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the only folder in which programs are looked for."""
    monkeypatch.setattr(binaries, "search_path", lambda: str(tmp_path))
    return tmp_path


def test_mysql_is_preferred_and_a_flavor_can_be_asked_for(folder: Path) -> None:
    """MySQL goes before MariaDB; a flavor picks; a mysqld that is MariaDB counts as MariaDB."""
    mariadb = _program(folder, "mariadbd", "mariadbd  Ver 11.4.2-MariaDB for Linux")
    assert find().path == mariadb
    mysql = _program(folder, "mysqld", "mysqld  Ver 9.7.4 for Linux")
    assert find().path == mysql
    assert find(Flavor.MARIADB).path == mariadb
    mariadb.unlink()
    _program(folder, "mysqld", "mysqld  Ver 10.6.1-MariaDB for Linux")
    assert find(Flavor.MARIADB).path == mysql


def test_without_a_program_the_packages_are_named(folder: Path) -> None:
    """The error says what was looked for, what was seen instead, and what to install."""
    with pytest.raises(NoBinary, match=r"no mysqld or mariadbd found on this machine.*mariadb-server"):
        find()
    _program(folder, "mysqld", "mysqld  Ver 10.6.1-MariaDB for Linux")
    with pytest.raises(NoBinary, match=r"no mysqld found .*is mariadb 10\.6\.1-MariaDB.*mysql-server"):
        find(Flavor.MYSQL)
    with pytest.raises(NoBinary, match="did not tell its version"):
        find(binary="/nonexistent/mysqld")


def test_a_root_file_system_is_for_root_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not use chroot is told so, before anything is tried."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="can be entered by root alone"):
        find(root=tmp_path)


def test_a_command_inside_a_root_goes_through_chroot() -> None:
    """Paths in the command are as the program inside sees them; outside() gives ours."""
    assert enter(None, "mysqld", "--version") == ["mysqld", "--version"]
    assert enter(Path("/srv/sid"), "/usr/sbin/mysqld")[1:] == ["/srv/sid", "/usr/sbin/mysqld"]
    binary = Binary(Flavor.MYSQL, "9.7.4", Path("/usr/sbin/mysqld"), Path("/srv/sid"))
    assert binary.outside(Path("/tmp/x/sock")) == Path("/srv/sid/tmp/x/sock")  # noqa: S108
    assert Binary(Flavor.MYSQL, "9.7.4", Path("/mysqld")).outside(Path("/x")) == Path("/x")
