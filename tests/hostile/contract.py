"""The service against its OpenAPI document: `python -m tests.hostile.contract URL [EXAMPLES]`."""

import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).with_suffix(".toml").with_name("schemathesis.toml")
ROOT = Path(__file__).parents[2]


def check(url: str, examples: int) -> subprocess.CompletedProcess[str]:
    """Run schemathesis with all checks and phases, reproducibly for a number of examples."""
    program = Path(sys.executable).with_name("schemathesis")
    options = ["--checks", "all", "--seed", "0", "--max-examples", str(examples)]
    return subprocess.run(
        [program, "--no-color", "--config-file", CONFIG, "run", f"{url}/openapi.json", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    address, *number = sys.argv[1:]
    ended = check(address, int(number[0]) if number else 500)
    print(ended.stdout, ended.stderr)
    sys.exit(ended.returncode)
