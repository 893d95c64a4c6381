"""`python -m bench.fuzz.instrumented TARGET [libFuzzer's options]`: one target under atheris.

Nothing of the service may be imported before atheris instruments it.
"""

import importlib
import sys

import atheris

INSTRUMENTED = ["analysis", "service", "starlette", "email", "PIL"]


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    program, target, *options = sys.argv
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets = importlib.import_module("bench.fuzz.targets").TARGETS
    atheris.Setup([program, *options], targets[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
