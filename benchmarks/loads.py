"""The loads: what clients do for some seconds, and what one round of it gave."""

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from servers import ROWS, SCHEMA, Servers, sysbench_options

HERE: Final = Path(__file__).resolve().parent
TOTAL: Final = re.compile(r"^\s+total:\s+(\d+)$", re.MULTILINE)
EVENTS: Final = re.compile(r"transactions:\s+(\d+)\s")
SECONDS: Final = re.compile(r"total time:\s+([\d.]+)s")
P95: Final = re.compile(r"95th percentile:\s+([\d.]+)")
ERRORS: Final = re.compile(r"ignored errors:\s+(\d+)\s")


class LoadFailed(Exception):
    """The clients saw an error that ended the round; the message is theirs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the clients counted in one round."""

    statements: int
    seconds: float
    p95: float  # seconds, of one event: a statement, a transaction, a connection with its statement
    ignored: int = 0  # deadlocks that sysbench ran again


@dataclass(frozen=True, slots=True)
class Load:
    """A load by name. *run* takes the servers (for the account), a port, seconds, threads, and the cores."""

    name: str
    label: str
    unit: str  # of what its CPU is counted in
    run: Callable[[Servers, int, float, int, set[int]], Outcome]


def pinned(cores: set[int], command: list[str]) -> list[str]:
    """Return *command* bound to *cores*."""
    return ["taskset", "--cpu-list", ",".join(map(str, sorted(cores))), *command]


def sysbench(
    servers: Servers,
    port: int,
    seconds: float,
    threads: int,
    cores: set[int],
    *,
    script: str,
    prepared: bool = False,
    tls: bool = False,
) -> Outcome:
    """Run a script of sysbench for *seconds*. Raises LoadFailed where a client saw an error."""
    command = [
        "sysbench",
        str(HERE / script) if script.endswith(".lua") else script,
        *sysbench_options(port, servers.user, servers.password),
        f"--mysql-ssl={'on' if tls else 'off'}",
        f"--threads={threads}",
        f"--time={seconds:g}",
        "--rand-type=uniform",
        f"--db-ps-mode={'auto' if prepared else 'disable'}",
        "run",
    ]
    try:
        done = subprocess.run(
            pinned(cores, command),
            cwd=servers.certificates,  # sysbench has no option for where they are
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed("sysbench hung: it was ended a minute after its time") from error
    if done.returncode:
        said = [
            line for line in (done.stdout + done.stderr).splitlines() if "FATAL" in line or "error" in line
        ]
        raise LoadFailed(" ".join(said[:2]) if said else f"sysbench ended with {done.returncode}")
    text = done.stdout
    return Outcome(
        statements=int(_number(TOTAL, text)),
        seconds=_number(SECONDS, text),
        p95=_number(P95, text) / 1000,
        ignored=int(_number(ERRORS, text)),
    )


def _number(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    if not found:
        raise LoadFailed(f"sysbench's report has no {pattern.pattern!r}")
    return float(found.group(1))


def big_result(servers: Servers, port: int, seconds: float, threads: int, cores: set[int]) -> Outcome:
    """Read all rows of the table with the mariadb client, unbuffered, for *seconds*, once at least.

    A statement of the outcome is one whole result; p95 is the median time of one, as seen from outside.
    """
    del threads  # one client: what is asked is how long one result takes
    command = [
        "mariadb",
        "--no-defaults",
        "--host=127.0.0.1",
        f"--port={port}",
        f"--user={servers.user}",
        f"--password={servers.password}",
        "--skip-ssl",
        "--quick",
        "--skip-column-names",
        "--raw",
        "--batch",
        f"--execute=SELECT * FROM {SCHEMA}.sbtest1 LIMIT {ROWS}",
    ]
    times: list[float] = []
    while not times or sum(times) < seconds:
        began = time.monotonic()
        done = subprocess.run(
            pinned(cores, command),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        times.append(time.monotonic() - began)
        if done.returncode:
            raise LoadFailed(done.stderr.strip().splitlines()[-1])
    return Outcome(statements=len(times), seconds=sum(times), p95=sorted(times)[len(times) // 2])


LOADS: Final = {
    load.name: load
    for load in (
        Load(
            "point_select", "point select, text", "statement", partial(sysbench, script="oltp_point_select")
        ),
        Load(
            "point_select_prepared",
            "point select, prepared",
            "statement",
            partial(sysbench, script="oltp_point_select", prepared=True),
        ),
        Load(
            "point_select_tls",
            "point select, text, clients with TLS",
            "statement",
            partial(sysbench, script="oltp_point_select", tls=True),
        ),
        Load("read_only", "read only, text", "statement", partial(sysbench, script="oltp_read_only")),
        Load("read_write", "read write, text", "statement", partial(sysbench, script="oltp_read_write")),
        Load(
            "read_write_prepared",
            "read write, prepared",
            "statement",
            partial(sysbench, script="oltp_read_write", prepared=True),
        ),
        Load("connect", "connect per query", "connection", partial(sysbench, script="connect.lua")),
        Load("big_result", f"result of {ROWS:,} rows", "result", big_result),
    )
}
