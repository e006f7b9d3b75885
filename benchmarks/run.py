"""Compare rwrouter with its rivals: `make bench`, or `python benchmarks/run.py --help`."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from loads import LOADS
from measure import cores, measure, running, say
from proxies import PROXIES
from report import Run, conditions, markdown, write
from servers import default_root, servers

from rwrouter.sandbox.binaries import SandboxError

HERE = Path(__file__).resolve().parent
PROGRAMS = {"sysbench": "sysbench", "mariadb": "mariadb-client", "cc": "gcc", "haproxy": "haproxy"}
NEEDED = {
    "sysbench",
    "mariadb",
}  # without these nothing can be measured; without the others, a rival is missing


def names(known: dict[str, object], text: str) -> list[str]:
    """Read a comma-separated list of *known* names, for argparse."""
    asked = [name.strip() for name in text.split(",") if name.strip()]
    for name in asked:
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
    return [name for name in known if name in asked]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        metavar="LOADS",
        type=lambda text: names(dict(LOADS), text),
        default=list(LOADS),
        help=f"comma-separated, of: {', '.join(LOADS)}",
    )
    parser.add_argument(
        "--proxies",
        metavar="PROXIES",
        type=lambda text: names(dict(PROXIES), text),
        default=list(PROXIES),
        help=f"comma-separated, of: {', '.join(PROXIES)}",
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of one proxy in one round (default 5)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each load (default 5)")
    parser.add_argument("--threads", type=int, default=8, help="client threads (default 8)")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 2 s: does it work at all?")
    parser.add_argument(
        "--root",
        type=Path,
        default=default_root(),
        help="root file system with MySQL's server and router, as docker/make-rootfs makes it "
        "(default: where that makes it)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for table, picture and raw data; a run of everything goes to benchmarks/results",
    )
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds = 2.0, 2
    if options.rounds < 1 or options.seconds <= 0 or options.threads < 1:
        parser.error("--rounds, --seconds and --threads must be positive")
    whole = options.only == list(LOADS) and options.proxies == list(PROXIES) and not options.quick
    if options.output is None and whole:
        options.output = HERE / "results"
    return options


def end_cleanly() -> None:
    """Let Ctrl-C and SIGTERM end everything that was started; a second one does not stop us from that."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, on_signal)


def main() -> int:
    """Run, and return the exit status."""
    options = arguments()
    end_cleanly()
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        say(f"missing: {', '.join(missing)}; apt-get install {' '.join(PROGRAMS[each] for each in missing)}")
        if NEEDED & set(missing):
            return 2
    load_average = os.getloadavg()[0]
    if load_average > 0.5:
        say(f"the machine is busy (load average {load_average:.1f}): figures will be noisy")
    where = cores()
    samples, failures = [], []
    try:
        with (
            tempfile.TemporaryDirectory(prefix="rwrouter-bench-") as folder,
            servers(options.root, set(where.others)) as these,
            running(options.proxies, these, Path(folder), options.root, where.proxy) as (proxies, absent),
        ):
            about = conditions(
                where,
                options.root,
                these.version,
                load_average=load_average,
                threads=options.threads,
                rounds=options.rounds,
                seconds=options.seconds,
            )
            failures += absent
            for name in options.only:
                found, failed = measure(
                    LOADS[name],
                    proxies,
                    these,
                    rounds=options.rounds,
                    seconds=options.seconds,
                    threads=options.threads,
                    where=where,
                )
                samples += found
                failures += failed
    except SandboxError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("interrupted: all that was started is ended")
        return 130
    run = Run(about, samples, failures)
    print(markdown(run))
    if options.output:
        write(run, options.output, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
