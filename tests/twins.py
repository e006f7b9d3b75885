"""Fail when a module of rwrouter has no test file of its own in tests/unit."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXEMPT = {"__init__.py", "__main__.py"}


def missing() -> list[str]:
    """Return the modules without a twin, as paths from the root of the repository."""
    found = []
    for module in sorted((ROOT / "rwrouter").rglob("*.py")):
        inner = module.relative_to(ROOT / "rwrouter")
        twin = ROOT / "tests" / "unit" / inner.with_name(f"test_{inner.name}")
        if module.name not in EXEMPT and not twin.exists():
            found.append(f"{module.relative_to(ROOT)} has no {twin.relative_to(ROOT)}")
    return found


if __name__ == "__main__":
    problems = missing()
    print("\n".join(problems) or "every module has its test file")  # noqa: T201
    sys.exit(bool(problems))
