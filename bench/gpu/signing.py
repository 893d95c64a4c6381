"""Seals of a result file: a sha256 of its content, and an SSH signature by the operator's key.

The hash finds a change by accident. Only the signature shows who ran the day: anybody can compute
the hash of a changed file. `ssh-keygen` of OpenSSH 8.2 or newer signs and verifies; the key can be
in an agent or on a security token.
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path

import msgspec

from bench.gpu.results import DayResult, ResultError

# The purpose of a signature: one that was made for another purpose is not valid.
NAMESPACE = "emotions-gpu-day"


def seal(result: DayResult, key: Path | None = None) -> DayResult:
    """Return the result with its hash and, with a private key or a public one of an agent, signed.

    Raises:
        ResultError: `ssh-keygen` cannot sign.
    """
    content = result.canonical()
    signature = "" if key is None else _ssh(content, "sign", "-f", str(key))
    digest = hashlib.sha256(content).hexdigest()
    return msgspec.structs.replace(result, sha256=digest, signature=signature)


def check(result: DayResult, signers: Path | None = None) -> str:
    """Check hash and signature; return who signed, or "nobody".

    `signers` is a file of allowed signers, see ssh-keygen(1). Without it a signature by any key is
    accepted, and the fingerprint of the key is returned.

    Raises:
        ResultError: the content has changed, or the signature is not valid or missing.
    """
    content = result.canonical()
    if hashlib.sha256(content).hexdigest() != result.sha256:
        raise ResultError("the content does not match its sha256: it was changed or cut")
    if not result.signature:
        if signers is not None:
            raise ResultError("it is not signed")
        return "nobody"
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(result.signature)
        file.flush()
        signature = "-s", file.name
        if signers is None:
            said = _ssh(content, "check-novalidate", *signature)
            return said.rpartition(" key ")[2].strip()
        allowed = "-f", str(signers)
        who = _ssh(b"", "find-principals", *allowed, *signature).splitlines()[0]
        _ssh(content, "verify", *allowed, *signature, "-I", who)
        return who


def _ssh(content: bytes, action: str, *arguments: str) -> str:
    namespace = () if action == "find-principals" else ("-n", NAMESPACE)
    command = ["ssh-keygen", "-Y", action, *namespace, *arguments]
    try:
        done = subprocess.run(command, input=content, capture_output=True, check=True)  # noqa: S603
    except FileNotFoundError as error:
        raise ResultError("ssh-keygen is missing; install OpenSSH") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).decode(errors="replace").strip()
        raise ResultError(f"the signature is not valid: ssh-keygen {action}: {said}") from error
    return done.stdout.decode()
