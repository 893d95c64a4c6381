"""`python -m bench.fuzz --seconds 60`: coverage-guided fuzzing of decoding and parsing (atheris).

Each target runs in a process of its own. Inputs that fail are kept in `build/fuzz`;
`--replay FILE --target NAME` runs one again. Prints executions, covered edges of the Python code
(this project's, Starlette's, Pillow's and `email`'s; compiled decoders count none) and
failures.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

from bench.fuzz.targets import TARGETS, seeds
from bench.measure.output import header, row

FOLDER = Path("build/fuzz")
# Options of libFuzzer: seconds for an input, memory, length of an input.
LIMITS = ["-timeout=20", "-rss_limit_mb=2048", "-max_len=16384"]


def main() -> int:
    """Fuzz each target in turn and print a Markdown table; fail if an input fails."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="per target")
    parser.add_argument("--target", choices=TARGETS)
    parser.add_argument("--replay", type=Path, help="run one input of --target again")
    options = parser.parse_args()
    if options.replay:
        TARGETS[options.target](options.replay.read_bytes())
        return 0
    print(header("target | executions | edges covered | inputs kept | failures"))
    targets = [options.target] if options.target else list(TARGETS)
    return int(sum(_run(target, options.seconds) for target in targets) > 0)


def _run(target: str, seconds: int) -> int:
    """Fuzz one target in a child process; return the number of inputs that failed."""
    corpus, failures = FOLDER / target / "corpus", FOLDER / target / "failures"
    for folder in (corpus, failures):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(target):
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    command = [sys.executable, "-m", "bench.fuzz.instrumented", target]
    times = [f"-max_total_time={seconds}", f"-artifact_prefix={failures}/"]
    ended = subprocess.run(  # noqa: S603  (ourselves)
        [*command, *times, *LIMITS, "-print_final_stats=1", str(corpus)],
        capture_output=True,
        text=True,
        check=False,
    )
    (FOLDER / target / "log.txt").write_text(ended.stdout + ended.stderr)
    found = len(list(failures.iterdir()))
    print(row(target, *(_last(ended.stderr, each) for each in PATTERNS), found), flush=True)
    if ended.returncode and not found:
        raise RuntimeError(ended.stderr[-2000:])
    return found


# Executions, covered edges and inputs kept, in libFuzzer's log.
PATTERNS = (r"^#(\d+)", r" cov: (\d+)", r" corp: (\d+)/")


def _last(log: str, pattern: str) -> str:
    found = re.findall(pattern, log, re.MULTILINE)
    return f"{int(found[-1]):,}" if found else "-"


if __name__ == "__main__":
    sys.exit(main())
