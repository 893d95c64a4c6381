"""The parts of uvicorn that are not public API but that `protocol` relies on."""

import asyncio
from collections.abc import Sized
from importlib.metadata import version

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Methods of uvicorn itself that are overridden; all others are hooks of asyncio and httptools.
OVERRIDDEN = ("on_response_complete", "send_400_response")
if missing := [name for name in OVERRIDDEN if not hasattr(HttpToolsProtocol, name)]:
    raise ImportError(
        f"uvicorn {version('uvicorn')} lacks HttpToolsProtocol.{missing[0]}; install the version "
        "that requirements/service.txt names"
    )


class PipelineFlowControl(FlowControl):
    """Pauses reading while pipelined requests wait; uvicorn would resume after each answer."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()
