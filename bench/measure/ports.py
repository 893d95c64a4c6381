"""Free ports."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """So many ports on which nothing listens now."""
    with ExitStack() as stack:
        opened = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count))
        return [int(each.getsockname()[1]) for each in opened]
