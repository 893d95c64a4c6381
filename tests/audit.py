"""Known vulnerabilities of the locked dependencies, and a bill of materials.

`python -m tests.audit` runs pip-audit on every lock and writes a CycloneDX document for each image
to `build/sbom`. It fails if a vulnerability is known. It reports, but does not fail, if the
advisory service does not answer: a package index need not have advisories.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
SBOM = ROOT / "build" / "sbom"
LOCKS = {
    "service": ROOT / "requirements" / "service.txt",
    "gpu": ROOT / "docker" / "gpu.txt",
}
ALSO_AUDITED = tuple(sorted((ROOT / "requirements").glob("*.txt")))
BIN = Path(sys.executable).parent


class Verdict(NamedTuple):
    """A line to print, and whether it is a failure."""

    line: str
    failed: bool


def main() -> int:
    """Write the bills of materials, audit, and print the result."""
    for name, lock in LOCKS.items():
        print(f"bill of materials: {write_sbom(name, lock).relative_to(ROOT)}")
    found = verdict(audit())
    print(found.line)
    return int(found.failed)


def audit() -> str | None:
    """Return pip-audit's report on all locks as JSON, or None if the service does not answer."""
    locks = {*LOCKS.values(), *ALSO_AUDITED}
    requirements = [option for lock in sorted(locks) for option in ("-r", str(lock))]
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "-f", "json"]
    ended = subprocess.run(
        [BIN / "pip-audit", *options, *requirements], capture_output=True, text=True, check=False
    )
    if not ended.stdout and "onnect" not in ended.stderr:
        raise RuntimeError(f"pip-audit failed: {ended.stderr}")
    return ended.stdout or None


def verdict(report: str | None) -> Verdict:
    """Read pip-audit's report."""
    if report is None:
        return Verdict("not audited: no advisory service answers", failed=False)
    packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    known = [
        f"{package['name']} {package['version']}: {flaw['id']}, "
        f"fixed in {', '.join(flaw['fix_versions']) or 'no release'}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    line = f"audited {len(packages) - len(skipped)} packages, {len(known)} known vulnerabilities"
    if skipped:
        line += f"; the advisory service does not know {len(skipped)} others"
    return Verdict("\n".join([line, *known]), failed=bool(known))


def write_sbom(name: str, lock: Path) -> Path:
    """Write the CycloneDX document of a lock, the same for the same lock."""
    SBOM.mkdir(parents=True, exist_ok=True)
    path = SBOM / f"{name}.cdx.json"
    project = ["--pyproject", str(ROOT / "pyproject.toml")]
    subprocess.run(
        [BIN / "cyclonedx-py", "requirements", *project, "--output-reproducible", "-o", path, lock],
        check=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},  # a lock has no dependency graph
    )
    return path


if __name__ == "__main__":
    sys.exit(main())
