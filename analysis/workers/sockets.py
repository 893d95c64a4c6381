"""Sockets between the processes of one machine. They preserve the boundaries of messages."""

import socket

LONGEST_BACKLOG = 1024


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def listen(kind: socket.SocketKind = socket.SOCK_SEQPACKET) -> socket.socket:
    """Listen at an address that Linux picks; `address` returns it."""
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind("")
    listener.listen(LONGEST_BACKLOG)
    return listener


def address(listener: socket.socket) -> str:
    """Return the address of a listener, without the zero byte that marks it as abstract."""
    return bytes(listener.getsockname()[1:]).decode()


def connect(connection: socket.socket, address: str) -> None:
    """Connect a socket to a listener.

    Raises:
        ConnectionRefusedError: nothing listens there.
    """
    connection.connect("\0" + address)
