"""What is sent in turns: photographs of all sizes in all forms, and the requests of a bad day."""

import random
from collections.abc import Callable
from itertools import cycle
from typing import NamedTuple

from bench.bombs import bombs
from bench.corpus import bodies, images
from bench.forms import Body, as_it_is, as_msgpack, as_multipart
from bench.scenes import MIXED, scene
from bench.wire import request

LARGEST = 1 << 14
FORMS: tuple[Callable[[bytes], Body], ...] = (
    as_it_is,
    lambda image: as_multipart([image]),
    lambda image: as_msgpack([image]),
)


class Sent(NamedTuple):
    """A request's bytes and the status that it must be answered with."""

    content: bytes
    status: int


def sent(body: Body) -> bytes:
    """A request with a body."""
    return request(body.content, {"content-type": body.kind})


def photographs() -> list[bytes]:
    """Requests with an image each: each of `MIXED` raw, as a form and as MessagePack, in turns."""
    forms = (FORMS[shift:] + FORMS[:shift] for shift in range(len(FORMS)))
    return [
        sent(form(scene(name)))
        for order in forms
        for name, form in zip(MIXED, cycle(order), strict=False)
    ]


def mix(rng: random.Random) -> list[Sent]:
    """What a soak sends: sound and bad requests of every form, shuffled."""
    photograph = scene("640x480, 1 face")
    deck = [_image(photograph), *(_image(photograph, ".5&max_faces=1") for _ in range(3))]
    deck += [Sent(sent(body), 200) for body in bodies()]
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
