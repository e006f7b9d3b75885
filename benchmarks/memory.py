"""Memory that rwrouter's worker takes for each idle, logged-in client connection."""

import argparse
import resource
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from measure import cores, running, say
from proxies import RwRouter
from run import stop
from servers import default_root, servers
from usage import resident

SETTLE = 1.0  # seconds for what is done after the last login


def main() -> int:
    """Run, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000, help="(default 1000)")
    parser.add_argument(
        "--used", action="store_true", help="each connection has run a SELECT before it idles"
    )
    parser.add_argument("--root", type=Path, default=default_root(), help="as run.py has it")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = options.connections * 5 + 256
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, wanted)), hard))  # children inherit it
    where = cores()
    with (
        tempfile.TemporaryDirectory(prefix="rwrouter-bench-") as folder,
        servers(options.root, set(where.others)) as these,
        running(["rwrouter"], these, Path(folder), options.root, where.proxy) as (proxies, absent),
        ExitStack() as clients,
    ):
        if absent:
            return 1
        router = proxies["rwrouter"]
        assert isinstance(router, RwRouter)
        for _ in range(20):  # what the first connections bring with them is not counted
            router.login().close()
        time.sleep(SETTLE)
        before = {pid: resident(pid) for pid in router.workers()}
        for _ in range(options.connections):
            connection = clients.enter_context(router.login())
            if options.used:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
        time.sleep(SETTLE)
        for pid, (was, now) in {pid: (before[pid], resident(pid)) for pid in before}.items():
            grown = (now - was) / options.connections / 1024
            print(
                f"process {pid}: {was / 2**20:.1f} MB, with {options.connections} idle connections "
                f"{now / 2**20:.1f} MB: {grown:.1f} KB each"
            )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted: all that was started is ended")
        sys.exit(130)
