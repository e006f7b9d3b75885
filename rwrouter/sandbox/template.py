"""An initialised data directory per server program, made once and copied for every server.

Initialising takes seconds; a copy takes a tenth of one. The accounts are in it, with passwords made for this
cache alone, so that no sandbox has a password that is printed in a repository.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rwrouter.model import Flavor
from rwrouter.sandbox.binaries import Binary, SandboxError, search_path
from rwrouter.sandbox.options import Account, Accounts, account_statements

LAYOUT = 1  # part of the key: raise it when what is in a template changes
TIMEOUT = 180.0  # seconds that an initialisation may take, on a slow and busy machine
UNIQUE = ("auto.cnf", "*.pid", "ib_buffer_pool")  # a server's own: never copied


def cache_directory() -> Path:
    """Return where templates are kept, and make it: private to the user, since passwords are in it."""
    path = Path(tempfile.gettempdir()) / f"rwrouter-templates-{os.geteuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.geteuid() or path.is_symlink():
        raise SandboxError(f"{path} belongs to somebody else: remove it, or set TMPDIR")
    return path


def key(binary: Binary) -> str:
    """Return the name of *binary*'s template: another version or layout is another template."""
    identity = f"{LAYOUT} {binary.root} {binary.path} {binary.version}"
    return f"{binary.flavor}-{binary.version}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def new_accounts() -> Accounts:
    """Return accounts with passwords that are new, and hard enough for any server's policy."""
    return Accounts(*(Account(name, f"{name.title()}-{secrets.token_hex(8)}") for name in Accounts.__slots__))


def prepare(binary: Binary, scratch: Path) -> tuple[Path, Accounts]:
    """Return *binary*'s template and its accounts; make it where there is none yet.

    *scratch* is an empty directory, as the server sees it, in which the server may work meanwhile.
    """
    home = cache_directory() / key(binary)
    with _locked(home.with_suffix(".lock")):
        if not (home / "accounts.json").exists():
            shutil.rmtree(home, ignore_errors=True)
            accounts = new_accounts()
            data = _initialise(binary, scratch, accounts)
            home.mkdir(mode=0o700)
            shutil.move(data, home / "data")
            _write_accounts(home, accounts)
        return home / "data", _read_accounts(home)


def copy(template: Path, to: Path) -> None:
    """Copy *template*, without what must be a server's own (auto.cnf holds its UUID)."""
    shutil.copytree(template, to, ignore=shutil.ignore_patterns(*UNIQUE))


def steps(binary: Binary, data: Path, accounts_file: Path, user: str | None) -> list[list[str]]:
    """Return the command lines that initialise *data*; the last reads *accounts_file* or its text."""
    as_user = [f"--user={user}"] if user else []
    small = ["--innodb-buffer-pool-size=32M", "--innodb-use-native-aio=OFF", "--innodb-doublewrite=OFF"]
    if binary.flavor is Flavor.MYSQL:
        return [
            binary.command(
                "--no-defaults",
                "--initialize-insecure",
                f"--datadir={data}",
                f"--init-file={accounts_file}",
                "--innodb-redo-log-capacity=32M",
                *small,
                *as_user,
            )
        ]
    installer = "mariadb-install-db"
    if binary.root is None:
        nearby = os.pathsep.join((search_path(), str(binary.path.parent.parent / "scripts")))
        installer = shutil.which(installer, path=nearby) or installer
    in_root = Binary(binary.flavor, binary.version, Path(installer), binary.root)
    small = [*small, "--innodb-log-file-size=16M", f"--datadir={data}", *as_user]
    return [
        in_root.command(
            "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", *small
        ),
        binary.command("--no-defaults", "--bootstrap", *small),
    ]


def _initialise(binary: Binary, scratch: Path, accounts: Accounts) -> Path:
    data, accounts_file = scratch / "data", scratch / "accounts.sql"
    statements = account_statements(binary.flavor, accounts)
    if binary.flavor is Flavor.MARIADB:
        # The installer makes accounts without passwords for this host's names; root@localhost stays.
        strangers = "DELETE FROM mysql.global_priv WHERE user = '' OR host <> 'localhost'"
        # Until the flush, bootstrap refuses account statements.
        statements = [strangers, "FLUSH PRIVILEGES", *statements]
    text = "".join(f"{statement};\n" for statement in statements)
    binary.outside(accounts_file).write_text(text)
    for command in steps(binary, data, accounts_file, "root" if os.geteuid() == 0 else None):
        done = subprocess.run(
            command,
            input=text if "--bootstrap" in command else "",
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise SandboxError(f"{command[0]} could not initialise a data directory:\n{tail}")
    return binary.outside(data)


def _write_accounts(home: Path, accounts: Accounts) -> None:
    # Written last and renamed into place: its presence says that the template is whole.
    part = home / "accounts.part"
    part.write_text(json.dumps(asdict(accounts)))
    part.rename(home / "accounts.json")


def _read_accounts(home: Path) -> Accounts:
    stored = json.loads((home / "accounts.json").read_text())
    return Accounts(**{name: Account(**account) for name, account in stored.items()})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
