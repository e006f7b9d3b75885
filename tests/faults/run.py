"""Run scenarios: `python -m tests.faults.run` (all, and write docs/faults.md), `--only NAME --target rwrouter`."""

import argparse
import sys
import time
import traceback

from rwrouter.model import Flavor
from tests.faults import report
from tests.faults.lab import Lab, Outcome, perform
from tests.faults.network import why_not
from tests.faults.report import label
from tests.faults.scenarios import SCENARIOS
from tests.faults.targets import MySQLRouter, RwRouter, Target, version_of_mysql_router
from tests.integration.harness import rootfs

TARGETS: dict[str, tuple[type[Target], Flavor]] = {
    "rwrouter": (RwRouter, Flavor.MYSQL),
    "rwrouter-mariadb": (RwRouter, Flavor.MARIADB),
    "mysqlrouter": (MySQLRouter, Flavor.MYSQL),
}


def say(text: str) -> None:
    """Tell who waits for it."""
    print(text, flush=True)  # noqa: T201


def main() -> int:
    """Run what the command line says; 1 where rwrouter broke a bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names of scenarios, separated by commas")
    parser.add_argument("--target", help=f"of {', '.join(TARGETS)}, separated by commas")
    parser.add_argument("--write", action="store_true", help="write what was run into the page")
    parser.add_argument("--log", action="store_true", help="print the router's log where a bound is broken")
    options = parser.parse_args()
    if reason := why_not():
        say(reason)
        return 2
    names = options.only.split(",") if options.only else list(SCENARIOS)
    targets = options.target.split(",") if options.target else list(TARGETS)
    whole = options.write or (not options.only and not options.target)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    failed = 0
    for target in targets:
        failed += run_all(target, names, outcomes, show_log=options.log)
    if whole:
        report.write(outcomes, SCENARIOS, modes(), absent())
    say(
        f"{len(outcomes)} outcomes in {time.monotonic() - began:.0f} s, {failed} with a broken bound of rwrouter"
    )
    return bool(failed)


def modes() -> dict[str, str]:
    """Return how each router was set up, by the label of its rows."""
    return {
        label(kind.name, flavor): kind.mode.format(version=version_of_mysql_router(rootfs()))
        for kind, flavor in TARGETS.values()
    }


def absent() -> dict[tuple[str, str], str]:
    """Return why there is no figure for a scenario and a label."""
    return {
        (one.name, label(kind.name, flavor)): one.not_for[kind.name]
        for one in SCENARIOS.values()
        for kind, flavor in TARGETS.values()
        if kind.name in one.not_for
    }


def run_all(target: str, names: list[str], outcomes: list[Outcome], *, show_log: bool) -> int:
    """Run scenarios before one target; return in how many rwrouter broke a bound."""
    kind, flavor = TARGETS[target]
    lab: Lab | None = None
    failed = 0
    try:
        for name in names:
            one = SCENARIOS[name]
            if flavor not in one.flavors or kind.name in one.not_for:
                continue
            if lab is not None and lab.topology is not one.topology:
                lab.close()
                lab = None
            if lab is None:
                lab = Lab(flavor, kind, topology=one.topology)
            is_spoiled = one.spoils
            try:
                outcome = perform(one, lab)
            except Exception:  # noqa: BLE001 - the next scenario gets fresh servers
                say(f"{target:17} {name:29} could not be run:\n{traceback.format_exc()}")
                failed += kind is RwRouter
                is_spoiled = True
            else:
                outcomes.append(outcome)
                broken = outcome.broken(one.bounds) if kind is RwRouter else []
                failed += bool(broken)
                say(report.line(target, outcome) + "".join(f"\n    BROKEN {what}" for what in broken))
                if broken and show_log:
                    say(lab.target.log()[-6000:])
            if is_spoiled:
                lab.close()
                lab = None
    finally:
        if lab is not None:
            lab.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
