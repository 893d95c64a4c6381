"""FastAPI without batching: `python -m bench.peers.fastapi_server PORT`.

Its best settings here: one process per core with one thread for the networks, so that each core
has work and the event loop stays free; uvloop and httptools; no access log.
"""

import asyncio
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


def main() -> None:
    """Serve until stopped."""
    uvicorn.run(
        "bench.peers.fastapi_server:app",
        port=int(sys.argv[1]),
        workers=cpu.available(),
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
