"""Count the emotions in a folder, sixteen images at once: `python folder.py URL FOLDER`."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

from emotions_client import AsyncClient


async def count(url: str, folder: Path) -> Counter[str]:
    """The number of faces of each emotion below `folder`."""
    found: Counter[str] = Counter()
    async with AsyncClient(url) as client:
        async for result in client.stream_folder(folder, concurrency=16):
            if result.error:
                print(f"{result.id}: {result.error.detail}", file=sys.stderr)
            found.update(face.emotion for face in result.faces)
    return found


for emotion, number in asyncio.run(count(sys.argv[1], Path(sys.argv[2]))).most_common():
    print(emotion, number)
