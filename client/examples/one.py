"""Print the emotion of each face in a photograph: `python one.py URL PHOTOGRAPH`."""

import sys
from pathlib import Path

from emotions_client import Client

url, photograph = sys.argv[1:]
with Client(url) as client:
    for face in client.analyze(Path(photograph)).images[0].faces:
        print(f"{face.emotion} {face.scores[face.emotion]:.0%}")
