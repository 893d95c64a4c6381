"""The `emotions` command, and `python -m offline.cli`."""

import os
import signal
import sys

TERMINATED = 128 + signal.SIGTERM


def main() -> None:
    """Run the command.

    SIGTERM counts from the first moment, long before all is imported: the kernel drops it for
    process 1, which a container's command often is, where nobody has asked for it. Libraries that
    are being imported do not take exceptions well, so it ends the process there and then.
    """
    serving = sys.argv[1:2] == ["serve"]
    if serving or os.getpid() == 1:
        status = 0 if serving else TERMINATED
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(status))
    # Ctrl-C, too: where an import was broken off is of no use to anybody.
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:  # else our parent wants us to ignore it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from offline.cli.main import app  # noqa: PLC0415

    signal.signal(signal.SIGINT, interrupted)
    app()


if __name__ == "__main__":
    main()
