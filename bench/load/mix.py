"""The requests of a load: one scene, all scenes in all forms, or good and bad requests mixed."""

import random
from collections.abc import Callable
from itertools import cycle
from typing import NamedTuple

from bench.inputs.bombs import bombs
from bench.inputs.corpus import bodies, images
from bench.inputs.forms import Body, as_it_is, as_msgpack, as_multipart
from bench.inputs.scenes import MIXED, ONE_FACE, scene
from bench.load.client import request

LARGEST = 1 << 14
# Names of bombs that are too large for small limits only; the service has the default limits.
WITHIN_DEFAULTS = ("for its size", "larger than its header")
EVERYTHING = "mixed"
STATUSES = {"too_large": 413, "corrupt_image": 422, "unsupported_media": 415, "ok": 200}
FORMS: tuple[Callable[[bytes], Body], ...] = (
    as_it_is,
    lambda image: as_multipart([image]),
    lambda image: as_msgpack([image]),
)


class Call(NamedTuple):
    """The bytes of a request and the status that its answer must have."""

    content: bytes
    status: int


def post(body: Body) -> bytes:
    """A request with this body."""
    return request(body.content, {"content-type": body.kind})


def requests(name: str) -> list[bytes]:
    """The requests to send in turns: one scene as it is, or "mixed" for all scenes in all forms."""
    return photographs() if name == EVERYTHING else [post(as_it_is(scene(name)))]


def photographs() -> list[bytes]:
    """Each of `MIXED` as the body, as a form and as MessagePack, in turns."""
    orders = (FORMS[shift:] + FORMS[:shift] for shift in range(len(FORMS)))
    return [
        post(form(scene(name)))
        for order in orders
        for name, form in zip(MIXED, cycle(order), strict=False)
    ]


def mix(rng: random.Random) -> list[Call]:
    """Good and bad requests of every form, shuffled."""
    photograph = scene(ONE_FACE)
    calls = [_image(photograph), *(_image(photograph, ".5&max_faces=1") for _ in range(3))]
    calls += [Call(post(body), 200) for body in bodies()]
    calls += [_image(photograph, accept="application/jsonl"), _image(photograph[:-100], status=422)]
    alike = [bomb for name, bomb in bombs().items() if not name.endswith(WITHIN_DEFAULTS)]
    small = [bomb for bomb in alike if 0 < len(bomb.data) < LARGEST]
    calls += [_image(bomb.data, status=STATUSES[bomb.code]) for bomb in small]
    calls += [_image(images()["PNG"], "2", status=400), Call(request(path="/nothing"), 404)]
    calls += [Call(request(path=p, method="GET"), 200) for p in ("/readyz", "/v1/models", "/")]
    calls += [Call(request(b"{", {"content-type": "application/json"}), 400)]
    rng.shuffle(calls)
    return calls


def _image(data: bytes, min_score: str = "0.5", status: int = 200, accept: str = "*/*") -> Call:
    headers = {"content-type": "image/jpeg", "accept": accept}
    return Call(request(data, headers, f"/v1/emotions?min_score={min_score}"), status)
