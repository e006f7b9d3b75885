"""Which server program a sandbox runs: found on this machine, or inside a root file system.

Distributions disagree on names (Debian's mariadb-server links mysqld to mariadbd), so the program is asked:
`--version` tells whose it is.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rwrouter.model import Flavor

NAMES = {Flavor.MYSQL: ("mysqld",), Flavor.MARIADB: ("mariadbd", "mysqld")}
PLACES = (
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/sbin",
    "/usr/local/mysql/bin",
    "/usr/local/mariadb/bin",
    "/opt/homebrew/bin",
)
VERSION = re.compile(r"Ver\s+(\d+\.\d+\.\d+\S*)")


class SandboxError(Exception):
    """The sandbox can't do what was asked: the message says why, and what to do."""


class NoBinary(SandboxError):
    """No server program was found: the message names the packages that have one."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A server program. *path* is as the program's own root sees it; *root* is None for this machine's."""

    flavor: Flavor
    version: str
    path: Path
    root: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs it with *arguments*."""
        return enter(self.root, str(self.path), *arguments)

    def outside(self, inside: Path) -> Path:
        """Return where this process finds the file that the server calls *inside*."""
        return inside if self.root is None else self.root / inside.relative_to("/")


def enter(root: Path | None, *command: str) -> list[str]:
    """Return *command* as it is, or entered by chroot (which keeps the process id)."""
    if root is None:
        return list(command)
    return [shutil.which("chroot", path=search_path()) or "chroot", str(root), *command]


def search_path() -> str:
    """Return PATH with the folders in which server programs lie besides."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *PLACES))


def find(flavor: Flavor | None = None, binary: str | None = None, root: Path | None = None) -> Binary:
    """Return the first fit program: *binary* if given, else of *flavor*, else any, MySQL before MariaDB.

    Raises NoBinary, and SandboxError where *root* is given to one who may not enter it.
    """
    if root is not None:
        root = root.resolve()
        if os.geteuid() != 0:
            raise SandboxError(f"{root} can be entered by root alone: run as root, or without --root")
    tried = []
    for path in [Path(binary)] if binary else candidates(flavor, root):
        found = identify(path, root)
        if found is None:
            tried.append(f"{path} did not tell its version")
        elif flavor is not None and found.flavor != flavor:
            tried.append(f"{path} is {found.flavor} {found.version}")
        else:
            return found
    raise NoBinary(advice(flavor, root, tried))


def candidates(flavor: Flavor | None, root: Path | None) -> Iterator[Path]:
    """Yield the programs that lie where they may lie."""
    names = dict.fromkeys(name for each in Flavor if flavor in (None, each) for name in NAMES[each])
    for name in names:
        if root is None:
            path = shutil.which(name, path=search_path())
            if path:
                yield Path(path)
        else:
            yield from (Path(place) / name for place in PLACES if (root / place[1:] / name).exists())


def identify(path: Path, root: Path | None = None) -> Binary | None:
    """Ask the program at *path* who it is. None if it does not say."""
    try:
        answer = subprocess.run(
            enter(root, str(path), "--no-defaults", "--version"),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return read_version(answer, path, root)


def read_version(answer: str, path: Path, root: Path | None = None) -> Binary | None:
    """Read what `--version` printed: `mysqld  Ver 9.7.4 for Linux on x86_64 (…)`."""
    version = VERSION.search(answer)
    if version is None:
        return None
    flavor = Flavor.MARIADB if "mariadb" in answer.lower() else Flavor.MYSQL
    return Binary(flavor, version.group(1), path, root)


def advice(flavor: Flavor | None, root: Path | None, tried: list[str]) -> str:
    """Return the sentence for one who has no server program."""
    wanted = {None: "mysqld or mariadbd", Flavor.MYSQL: "mysqld", Flavor.MARIADB: "mariadbd"}[flavor]
    packages = {
        None: "mariadb-server (Debian), mysql-server (Ubuntu, Fedora)",
        Flavor.MYSQL: "mysql-server (Ubuntu, Fedora), mysql-server-core (Debian sid; see --root)",
        Flavor.MARIADB: "mariadb-server",
    }[flavor]
    where = f"in {root}" if root else "on this machine"
    seen = f" ({'; '.join(tried)})" if tried else ""
    return f"no {wanted} found {where}{seen}; install one of these packages: {packages}"
