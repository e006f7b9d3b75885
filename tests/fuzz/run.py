"""`make fuzz MINUTES=10`: every target by atheris (libFuzzer), guided by coverage, for an equal share of the time.

A crash, a failed assertion, five seconds on one input, or 1 GB of memory end the run of that target; the input is
kept, and printed. Put it into tests/fuzz/found/ as `TARGET-what-it-was`: it is a test from then on.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS


def every(minutes: float, names: list[str]) -> int:
    """Fuzz each of *names* in a process of its own; return how many broke."""
    seconds = max(1, round(minutes * 60 / len(names)))
    broken = 0
    for name in names:
        with tempfile.TemporaryDirectory() as directory:
            corpus = Path(directory)
            for number, data in enumerate(seeds(name)):
                (corpus / f"seed-{number}").write_bytes(data)
            options = [f"-max_total_time={seconds}", "-timeout=5", "-rss_limit_mb=1024", "-max_len=4096"]
            options += ["-print_final_stats=1", f"-artifact_prefix=fuzz-{name}-", directory]
            command = [sys.executable, "-m", "tests.fuzz.one", name, *options]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        lines = done.stderr.splitlines()
        runs = next((line.split()[-1] for line in lines if "number_of_executed_units" in line), "?")
        rss = next((line.split()[-1] for line in lines if "peak_rss_mb" in line), "?")
        ended = "ok" if done.returncode == 0 else "BROKEN"
        sys.stdout.write(f"{name:20} {runs:>10} inputs in {seconds} s, at most {rss} MB: {ended}\n")
        if done.returncode:
            broken += 1
            sys.stdout.write("\n".join(lines[-60:]) + "\n")
        sys.stdout.flush()
    return broken


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    arguments = parser.parse_args()
    return every(arguments.minutes, arguments.target or sorted(TARGETS))


if __name__ == "__main__":
    sys.exit(main())
