"""Two threads use one channel in turns: one may send before the other's `send` has returned."""

import socket
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from analysis.workers.channel import Channel
from analysis.workers.sockets import pair


def test_another_thread_may_send_before_the_first_send_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the threads of two networks do, which share the channel of a worker."""
    ours, theirs = (Channel(each) for each in pair())
    original, arrays = socket.send_fds, {"rows": np.arange(5000)}

    def send_fds(through: socket.socket, data: Sequence[Any], descriptors: Sequence[int]) -> int:
        sent = original(through, data, descriptors)
        assert np.array_equal(theirs.receive().arrays["rows"], arrays["rows"])
        monkeypatch.setattr(socket, "send_fds", original)
        ours.send(b"second", arrays)
        return sent

    monkeypatch.setattr(socket, "send_fds", send_fds)
    ours.send(b"first", arrays)
    message = theirs.receive()
    assert message.note == b"second"
    assert np.array_equal(message.arrays["rows"], arrays["rows"])
    ours.close()
    theirs.close()
