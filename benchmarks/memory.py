"""Memory of a proxy: for each idle, logged-in client, and with a client that stops reading.

The second reads a part of 200,000 rows (40 MB) and then no more: what the proxy grows by is what it buffers.
"""

import argparse
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from measure import cores, running, say
from proxies import PROXIES, Proxy
from pymysql.cursors import SSCursor
from run import end_cleanly
from servers import default_root, servers
from usage import resident

SETTLE = 1.0  # seconds for what is done after the last login


def memory(router: Proxy) -> dict[int, int]:
    """Return the resident bytes of each of its processes, the master's first."""
    return {pid: resident(pid) for pid in router.processes()}


def abandon(cursor: SSCursor) -> None:
    """Close a half-read result's connection without reading the rest, as PyMySQL would."""
    cursor._result.unbuffered_active = False  # noqa: SLF001
    cursor.connection._force_close()  # noqa: SLF001
    cursor.connection = None


def main() -> int:
    """Run, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000, help="(default 1000)")
    parser.add_argument(
        "--used", action="store_true", help="each connection has run a SELECT before it idles"
    )
    parser.add_argument("--proxy", choices=list(PROXIES)[1:], default="rwrouter", help="(default rwrouter)")
    parser.add_argument("--root", type=Path, default=default_root(), help="as run.py has it")
    options = parser.parse_args()
    end_cleanly()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = options.connections * 5 + 256
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, wanted)), hard))  # children inherit it
    where = cores()
    with (
        tempfile.TemporaryDirectory(prefix="rwrouter-bench-") as folder,
        servers(options.root, set(where.others)) as these,
        running([options.proxy], these, Path(folder), options.root, where.proxy) as (proxies, absent),
        ExitStack() as clients,
    ):
        if absent:
            return 1
        router = proxies[options.proxy]
        for _ in range(20):  # what the first connections bring with them is not counted
            router.login().close()
        time.sleep(SETTLE)
        before = memory(router)
        for _ in range(options.connections):
            connection = clients.enter_context(router.login())
            if options.used:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
        time.sleep(SETTLE)
        after = memory(router)
        for pid, was in before.items():
            grown = (after[pid] - was) / options.connections / 1024
            print(
                f"process {pid}: {was / 2**20:.1f} MB, with {options.connections} idle connections "
                f"{after[pid] / 2**20:.1f} MB: {grown:.1f} KB each"
            )
        stalled = clients.enter_context(router.login()).cursor(SSCursor)
        stalled.execute("SELECT * FROM sbtest1")
        stalled.fetchmany(50_000)
        time.sleep(3 * SETTLE)
        for pid, now in memory(router).items():
            print(f"process {pid}: {(now - after[pid]) / 2**20:+.1f} MB with a client that stopped reading")
        abandon(stalled)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted: all that was started is ended")
        sys.exit(130)
