"""Clean up after a sandbox whose owner is gone, however it went: a process of its own.

It reads lines from its standard input, `process PID` and `directory PATH`. At the end of the input, which is
when the owner closes it or dies, even by SIGKILL, it kills those processes and removes those directories.
A process is held by a pidfd from the moment it is named, so a reused id is never hit.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


class Janitor:
    """The owner's side: starts the process, tells it what to clean up, and lets it work at the end."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            # The file itself, isolated: it needs the standard library alone, and starts in 20 ms.
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,  # a Ctrl-C in the terminal is not for it
        )

    def process(self, pid: int) -> None:
        """Have the process *pid*, a child of this one, killed at the end."""
        self._tell(f"process {pid}")

    def directory(self, path: Path) -> None:
        """Have *path* removed at the end, with all that is in it."""
        self._tell(f"directory {path}")

    def close(self) -> None:
        """Have everything cleaned up now, and wait for it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is None:
            raise ValueError("the janitor was not started with a pipe")
        self._process.stdin.write(line + "\n")


def work(lines: Iterable[str]) -> None:
    """Read *lines* to their end, then clean up."""
    processes: list[int] = []
    directories: list[str] = []
    for line in lines:
        kind, _, value = line.strip().partition(" ")
        if kind == "process":
            with contextlib.suppress(ProcessLookupError):
                processes.append(os.pidfd_open(int(value)))
        elif kind == "directory":
            directories.append(value)
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        os.close(process)
    for directory in directories:
        for _ in range(100):  # a server that is just dying may still create a file
            shutil.rmtree(directory, ignore_errors=True)
            if not Path(directory).exists():
                break


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    work(sys.stdin)
