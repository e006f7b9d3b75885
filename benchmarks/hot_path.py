"""CPU per point select of rwrouter and of the C forwarder, in interleaved rounds: quick, for profiling."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from loads import LOADS
from measure import cores, measure, middle, ratios, running, say
from proxies import PROXIES
from run import end_cleanly
from servers import default_root, servers


def main() -> int:
    """Run, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one proxy in one round (default 3)")
    parser.add_argument("--rounds", type=int, default=5, help="(default 5)")
    parser.add_argument("--threads", type=int, default=8, help="client threads (default 8)")
    parser.add_argument("--load", choices=sorted(LOADS), default="point_select")
    parser.add_argument("--base", choices=list(PROXIES)[1:], default="forwarder", help="(default forwarder)")
    parser.add_argument("--root", type=Path, default=default_root(), help="as run.py has it")
    parser.add_argument("--replicas", type=int, default=2, help="(default 2)")
    options = parser.parse_args()
    end_cleanly()
    where = cores()
    if os.getloadavg()[0] > 0.5:
        say(f"the machine is busy (load average {os.getloadavg()[0]:.1f}): figures will be noisy")
    with (
        tempfile.TemporaryDirectory(prefix="rwrouter-bench-") as folder,
        servers(options.root, set(where.others), options.replicas) as these,
        running([options.base, "rwrouter"], these, Path(folder), options.root, where.proxy) as (
            proxies,
            absent,
        ),
    ):
        if absent:
            return 1
        say(f"rwrouter's processes, the master's first: {proxies['rwrouter'].processes()}")
        samples, failures = measure(
            LOADS[options.load],
            proxies,
            these,
            rounds=options.rounds,
            seconds=options.seconds,
            threads=options.threads,
            where=where,
        )
    if failures:
        return 1
    found = ratios(samples, "rwrouter", options.base, "cpu")
    for name in (options.base, "rwrouter"):
        each = middle([s.cpu_per_statement for s in samples if s.proxy == name and s.cpu_per_statement])
        print(f"{name:20} {(each or 0) * 1e6:7.1f} µs")
    print(f"ratio {middle(found):.3f} (rounds: {' '.join(f'{each:.3f}' for each in sorted(found))})")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted: all that was started is ended")
        sys.exit(130)
