"""CPU time and memory of a process with all its descendants, read from /proc (manual page proc(5))."""

import os
from pathlib import Path
from typing import Final

TICK: Final = 1 / os.sysconf("SC_CLK_TCK")  # seconds


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: the command before it may hold any byte."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def tree(pid: int) -> list[int]:
    """Return *pid* and the ids of all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_fields(int(entry.name))[1]), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu(pid: int) -> float:
    """Return the seconds of CPU that *pid* and its descendants have used, those that have ended included.

    User and system time of all threads; a descendant that nobody waited for yet counts as living.
    """
    ticks = 0
    for one in tree(pid):
        try:
            ticks += sum(int(field) for field in _fields(one)[11:15])  # utime, stime, cutime, cstime
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks * TICK


def resident(pid: int) -> int:
    """Return the resident memory of *pid* alone, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has no memory: it has ended")
