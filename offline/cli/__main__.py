"""The `emotions` command, and `python -m offline.cli`."""

import os
import signal
import sys

TERMINATED = 128 + signal.SIGTERM


def main() -> None:
    """Run the command, and react to signals while its modules are still being imported."""
    _end_on_sigterm()
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:  # else the parent process ignores SIGINT
        # A KeyboardInterrupt inside an import would print the traceback of a library.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from offline.cli.main import app  # noqa: PLC0415  (imports take long; signals come first)

    signal.signal(signal.SIGINT, interrupted)
    app()


def _end_on_sigterm() -> None:
    """Make SIGTERM end the process, also process 1 of a container, where the kernel ignores it.

    `serve` replaces the handler as soon as it can shut down properly.
    """
    serving = sys.argv[1:2] == ["serve"]
    if serving or os.getpid() == 1:
        status = 0 if serving else TERMINATED
        # Not an exception: a library that is being imported may swallow it.
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(status))


if __name__ == "__main__":
    main()
