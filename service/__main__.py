"""The `emotions` command, and `python -m service`."""

import os
import signal
import sys

TERMINATED = 128 + signal.SIGTERM


def main() -> None:
    """Run the command.

    SIGTERM counts from the first moment, long before all is imported: the kernel drops it for
    process 1, which a container's command often is, where nobody has asked for it.
    """
    if sys.argv[1:2] == ["serve"]:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    elif os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(TERMINATED))
    from service.cli import app  # noqa: PLC0415

    app()


if __name__ == "__main__":
    main()
