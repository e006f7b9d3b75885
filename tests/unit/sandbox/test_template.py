"""The cached data directory: its key, its accounts, what of it is copied."""

from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox import template
from rwrouter.sandbox.binaries import Binary, SandboxError

MYSQL = Binary(Flavor.MYSQL, "9.7.4", Path("/usr/sbin/mysqld"))
MARIADB = Binary(Flavor.MARIADB, "10.11.19", Path("/usr/sbin/mariadbd"))


def test_every_version_has_a_template_of_its_own() -> None:
    """The key changes with flavor, version, path and root."""
    others = [
        MARIADB,
        Binary(Flavor.MYSQL, "9.7.5", MYSQL.path),
        Binary(Flavor.MYSQL, "9.7.4", Path("/opt/mysqld")),
        Binary(Flavor.MYSQL, "9.7.4", MYSQL.path, Path("/srv/sid")),
    ]
    assert len({template.key(binary) for binary in [MYSQL, *others]}) == 5


def test_passwords_are_made_anew() -> None:
    """No two caches share a password, and no two accounts of one."""
    accounts = [getattr(template.new_accounts(), name) for name in ("root", "app", "monitor") for _ in "ab"]
    assert len({account.password for account in accounts}) == len(accounts)
    assert accounts[0].user == "root"


def test_a_server_gets_no_ones_uuid(tmp_path: Path) -> None:
    """auto.cnf stays behind when a template is copied; everything else comes along."""
    source = tmp_path / "template"
    (source / "mysql").mkdir(parents=True)
    for name in ("auto.cnf", "ibdata1", "mysql/user.frm"):
        (source / name).write_text(name)
    template.copy(source, tmp_path / "copy")
    copied = sorted(
        str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()
    )
    assert copied == ["ibdata1", "mysql/user.frm"]


def test_mysql_is_initialised_in_one_step_and_mariadb_in_two() -> None:
    """MySQL reads the accounts as its init file; MariaDB's bootstrap reads them from its input, last."""
    data, accounts = Path("/x/data"), Path("/x/accounts.sql")
    (command,) = template.steps(MYSQL, data, accounts, "root")
    assert command[:3] == ["/usr/sbin/mysqld", "--no-defaults", "--initialize-insecure"]
    assert {"--datadir=/x/data", "--init-file=/x/accounts.sql", "--user=root"} <= set(command)
    install, bootstrap = template.steps(MARIADB, data, accounts, None)
    assert install[0].endswith("mariadb-install-db")
    assert bootstrap[:3] == ["/usr/sbin/mariadbd", "--no-defaults", "--bootstrap"]
    assert not [word for word in install + bootstrap if word.startswith("--user")]


def test_the_cache_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory is the user's alone; one that somebody else put there is refused."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    path = template.cache_directory()
    assert path.stat().st_mode & 0o777 == 0o700
    assert template.cache_directory() == path
    path.rmdir()
    path.symlink_to(tmp_path)
    with pytest.raises(SandboxError, match="belongs to somebody else"):
        template.cache_directory()
