"""Fuzzes one target in this process: `python -m tests.fuzz.one NAME [libFuzzer's options]`, as `run.py` does."""

import sys

import atheris

with atheris.instrument_imports(include=["rwrouter"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
