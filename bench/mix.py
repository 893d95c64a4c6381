"""What a soak sends: sound and bad requests of every form, in the shares of a bad day."""

import random
from typing import NamedTuple

from bench.bombs import bombs
from bench.corpus import bodies, images
from bench.scenes import scene
from bench.wire import request

LARGEST = 1 << 14


class Sent(NamedTuple):
    """A request's bytes and the status that it must be answered with."""

    content: bytes
    status: int


def mix(rng: random.Random) -> list[Sent]:
    """A deck of requests to draw from again and again, shuffled."""
    photograph = scene("640x480, 1 face")
    deck = [_image(photograph), *(_image(photograph, ".5&max_faces=1") for _ in range(3))]
    deck += [Sent(request(b.content, {"content-type": b.kind}), 200) for b in bodies()]
    deck += [_lines(photograph), _image(photograph[:-100], status=422)]
    statuses = {"too_large": 413, "corrupt_image": 422, "unsupported_media": 415, "ok": 200}
    files = [b for b in bombs().values() if 0 < len(b.data) < LARGEST]
    deck += [_image(b.data, status=statuses[b.code]) for b in files]
    deck += [_image(images()["PNG"], "2", status=400), Sent(request(path="/nothing"), 404)]
    deck += [Sent(request(path=p, method="GET"), 200) for p in ("/readyz", "/v1/models", "/")]
    deck += [Sent(request(b"{", {"content-type": "application/json"}), 400)]
    rng.shuffle(deck)
    return deck


def _image(data: bytes, min_score: str = "0.5", status: int = 200) -> Sent:
    path = f"/v1/emotions?min_score={min_score}"
    return Sent(request(data, {"content-type": "image/jpeg"}, path), status)


def _lines(data: bytes) -> Sent:
    return Sent(request(data, {"content-type": "image/jpeg", "accept": "application/jsonl"}), 200)
