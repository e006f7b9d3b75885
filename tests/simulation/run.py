"""Run many seeds, or one with a trace: `python -m tests.simulation.run --seeds 1000`, `--seed 7 --trace`."""

import argparse
import gc
import sys
import time
from collections import Counter

from tests.simulation.history import History, quiet


def main() -> int:
    """Run what the command line says; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="tell what happens")
    options = parser.parse_args()
    quiet()
    if options.seed is not None:
        history = History(options.seed, print if options.trace else None)
        for what in history.run():
            print(what)  # noqa: T201
        return bool(history.violations)
    began = time.monotonic()
    errors: Counter[int] = Counter()
    replies = failed = held = 0
    gc.disable()  # histories are short; what they leave is collected between them
    for seed in range(options.start, options.start + options.seeds):
        history = History(seed)
        found = history.run()
        replies += history.replies
        held += history.gateway.counters.held
        errors.update(history.errors)
        if found:
            failed += 1
            print(f"seed {seed}: {found[0]} (and {len(found) - 1} more)", flush=True)  # noqa: T201
            print(f"  replay: python -m tests.simulation.run --seed {seed} --trace")  # noqa: T201
        if seed % 50 == 0:
            gc.collect()
    took = time.monotonic() - began
    print(  # noqa: T201
        f"{options.seeds} histories, {replies} replies, {held} statements held, {failed} failed; {took:.1f} s, "
        f"{options.seeds / took * 60:.0f} a minute; errors that clients got: {dict(sorted(errors.items()))}"
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
