"""`python -m bench.fuzz --seconds 60`: coverage-guided fuzzing of decoding and parsing (atheris).

Each target runs in a process of its own; what makes one fail is kept in `build/fuzz`, from where
`--replay FILE --target NAME` runs it again. Prints executions, covered edges of the Python code
(ours, Starlette's, python-multipart's and Pillow's; compiled decoders count none) and failures.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

from bench.targets import TARGETS, seeds

FOLDER = Path("build/fuzz")
# libFuzzer's: the slowest input, the most memory, the largest input.
LIMITS = ["-timeout=20", "-rss_limit_mb=2048", "-max_len=16384"]


def main() -> int:
    """Fuzz each target in turn and print a Markdown table; fails where an input fails."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=60, help="for each target")
    arguments.add_argument("--target", choices=TARGETS)
    arguments.add_argument("--replay", type=Path, help="run one input of --target again")
    given = arguments.parse_args()
    if given.replay:
        TARGETS[given.target](given.replay.read_bytes())
        return 0
    print("| target | executions | edges covered | inputs kept | failures |")
    print("|---|---|---|---|---|")
    targets = [given.target] if given.target else list(TARGETS)
    return int(sum(_run(target, given.seconds) for target in targets) > 0)


def _run(target: str, seconds: int) -> int:
    """Fuzz one target in a child process; returns how many inputs failed."""
    corpus, failures = FOLDER / target / "corpus", FOLDER / target / "failures"
    for folder in (corpus, failures):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(target):
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    command = [sys.executable, "-m", "bench.instrumented", target]
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={failures}/", *LIMITS]
    ended = subprocess.run(  # noqa: S603  (ourselves)
        [*command, *options, "-print_final_stats=1", str(corpus)],
        capture_output=True,
        text=True,
        check=False,
    )
    (FOLDER / target / "log.txt").write_text(ended.stdout + ended.stderr)
    found = len(list(failures.iterdir()))
    print(f"| {target} | {_figures(ended.stderr)} | {found} |", flush=True)
    if ended.returncode and not found:
        raise RuntimeError(ended.stderr[-2000:])
    return found


def _figures(log: str) -> str:
    runs = re.findall(r"^#(\d+)", log, re.MULTILINE)
    covered = re.findall(r" cov: (\d+)", log)
    kept = re.findall(r" corp: (\d+)/", log)
    return " | ".join(f"{int(found[-1]):,}" if found else "-" for found in (runs, covered, kept))


if __name__ == "__main__":
    sys.exit(main())
