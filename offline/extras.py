"""Optional libraries: check for them before a long run, not after it."""

import importlib.util
from collections.abc import Sequence
from typing import Any

from offline.errors import MissingExtraError


def require_pyav() -> None:
    """Check that PyAV is installed.

    Raises:
        MissingExtraError: it is not.
    """
    _require(
        ["av"], "videos need PyAV; `./build.sh` installs it, or `pip install '.[video]'` elsewhere"
    )


def require_objects() -> None:
    """Check that PyAV, obstore and pyarrow are installed.

    Raises:
        MissingExtraError: one of them is not.
    """
    _require(
        ["av", "obstore", "pyarrow"],
        "this command needs PyAV, obstore and pyarrow; `pip install '.[objects]'` in the "
        "repository installs them",
    )


def require_ray() -> None:
    """Check that Ray is installed.

    Raises:
        MissingExtraError: it is not.
    """
    _require(
        ["ray"],
        "--ray needs Ray; `pip install '.[ray]'` in the repository installs it, or leave --ray out "
        "to use this machine alone",
    )


def require_sklearn() -> None:
    """Check that scikit-learn is installed.

    Raises:
        MissingExtraError: it is not.
    """
    _require(
        ["sklearn"],
        "teaching needs scikit-learn; `pip install '.[teach]'` in the repository installs it",
    )


def require_torch() -> None:
    """Check that PyTorch is installed.

    Raises:
        MissingExtraError: it is not.
    """
    _require(
        ["torch"],
        "--finetune needs PyTorch; `pip install '.[training]'` in the repository installs it, best "
        "in a separate environment; or leave --finetune out",
    )


def _require(modules: Sequence[str], message: str) -> None:
    if None in map(importlib.util.find_spec, modules):
        raise MissingExtraError(message)


def import_pyarrow() -> tuple[Any, Any, Any]:
    """Return the modules `pyarrow`, `pyarrow.csv` and `pyarrow.parquet`.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415  (an optional library)
        import pyarrow.csv  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "Parquet needs pyarrow; `pip install '.[parquet]'` in the repository installs it"
        ) from error
    return pyarrow, pyarrow.csv, pyarrow.parquet
