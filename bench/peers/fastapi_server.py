"""FastAPI without batching: `python -m bench.peers.fastapi_server PORT`.

Its best settings here: one process per core with one thread for the networks, so that each core
has work and the event loop stays free; uvloop and httptools; no access log.
"""

import asyncio
import multiprocessing
import signal
import socket
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response

from bench.limit.work import Work
from engines import cpu

thread = ThreadPoolExecutor(1)


@asynccontextmanager
async def opened(application: FastAPI) -> AsyncIterator[None]:
    """Open the networks in the thread that runs them."""
    application.state.work = await asyncio.wrap_future(thread.submit(Work.by_environment))
    yield


app = FastAPI(lifespan=opened)


@app.post("/inference")
async def answer(request: Request) -> Response:
    """Find the faces of the JPEG in the body."""
    work: Work = request.app.state.work
    body = await request.body()
    found = await asyncio.get_running_loop().run_in_executor(thread, work.answer, body)
    return Response(msgspec.json.encode(found), media_type="application/json")


def serve(port: int) -> None:
    """Serve in this process, on a socket of its own.

    The processes of `uvicorn --workers` share one socket: the first one that wakes up accepts all
    connections that a load generator opens at once, and the others stay idle.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        config = uvicorn.Config(app, access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    """Serve in a process per core until stopped."""
    context = multiprocessing.get_context("spawn")
    port = int(sys.argv[1])
    processes = [context.Process(target=serve, args=(port,)) for _ in range(cpu.available())]
    for process in processes:
        process.start()

    def stop(*_: object) -> None:
        for process in processes:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    for process in processes:
        process.join()


if __name__ == "__main__":
    main()
