"""Candidates for faces: all passes of the detector over some images.

The detector sees each image once. It sees the image again at a third of its size if a face may fill
the frame. It sees tiles of the image if faces may be too small in the whole image. With
`orientation=auto`, it sees the image turned if no face is surely upright.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from analysis import close_up, tiles
from analysis.detection import Letterbox, Row, fill
from analysis.image import Image
from analysis.networks import Network, Networks
from analysis.orientation import TURNS, evidence, sure
from engines.types import U8


class View(NamedTuple):
    """Pixels (h, w, 3) that the detector sees at once, and their place in one of its inputs.

    detector: index of the input in `Rules.inputs`.
    """

    pixels: U8
    box: Letterbox
    shape: tuple[int, int, int]
    detector: int


def find_candidates(images: Sequence[Image], networks: Networks) -> None:
    """Set the candidates of each image; turn the images whose faces are not upright."""
    _find(images, networks)
    for image in images:
        if image.options.orientation == "auto":
            _turn_upright(image, networks)


def _find(images: Sequence[Image], networks: Networks) -> None:
    views = [_whole(image) for image in images]
    for image, row in zip(images, _detect(views, networks, close_ups=True), strict=True):
        image.candidates = row
    for image in images:
        if image.tiles:
            _add_tiles(image, networks)


def _whole(image: Image) -> View:
    return View(image.picture.pixels, image.letterbox, image.shape, image.coverage.whole)


def _add_tiles(image: Image, networks: Networks) -> None:
    pixels, last = image.picture.pixels, len(networks.rules.inputs) - 1
    views = [
        View(pixels[tile.top : tile.bottom, tile.left : tile.right], tile.box, tile.shape, last)
        for tile in image.tiles
    ]
    found = list(zip(image.tiles, _detect(views, networks), strict=True))
    image.candidates = tiles.joined(image.candidates, image.letterbox, found)


def _turn_upright(image: Image, networks: Networks) -> None:
    """Turn an image without a face that is surely upright so that most of its faces are upright."""
    rules = networks.rules
    faces = image.found(rules)
    if sure(faces):
        return
    found = {0: (evidence(faces), image.candidates)}
    for degrees in TURNS:
        image.turn(degrees, rules)
        _find([image], networks)
        found[degrees] = evidence(image.found(rules)), image.candidates
    best = max(found, key=lambda degrees: found[degrees][0])
    image.turn(best, rules)
    image.candidates = found[best][1]


def _detect(views: Sequence[View], networks: Networks, *, close_ups: bool = False) -> list[Row]:
    """Run the detector; views of the same input and shape share its batches."""
    rows: dict[int, Row] = {}
    for numbers in _groups(views, networks):
        network = networks.detectors[views[numbers[0]].detector]
        canvas = network.input_buffer((len(numbers), *views[numbers[0]].shape))
        for number, pixels in zip(numbers, canvas, strict=True):
            fill(views[number].pixels, views[number].box, pixels)
        found = _rows(network, canvas)
        if close_ups:
            boxes = [views[number].box for number in numbers]
            found = _with_close_ups(found, canvas, boxes, networks)
        rows |= zip(numbers, found, strict=True)
    return [rows[number] for number in range(len(views))]


def _groups(views: Sequence[View], networks: Networks) -> Iterator[list[int]]:
    """Yield the numbers of the views of each batch."""
    alike: dict[tuple[int, tuple[int, int, int]], list[int]] = defaultdict(list)
    for number, view in enumerate(views):
        alike[view.detector, view.shape].append(number)
    for (detector, _), numbers in alike.items():
        size = networks.detectors[detector].batch
        yield from (numbers[start : start + size] for start in range(0, len(numbers), size))


def _with_close_ups(
    found: list[Row], canvas: U8, boxes: Sequence[Letterbox], networks: Networks
) -> list[Row]:
    """Detect close-ups in a smaller copy of each image, and add them to its candidates."""
    rules, target = networks.rules, networks.rules.inputs[0]
    # All copies are made before the detector runs again: it may reuse the memory of `canvas`.
    copies = {
        number: close_up.second_look(canvas[number], boxes[number], target)
        for number, row in enumerate(found)
        if close_up.wanted(row, rules.close_ups)
    }
    for number, small in copies.items():
        (again,) = _rows(networks.detectors[0], small[None])
        found[number] = close_up.merged(found[number], again, small.shape, boxes[number], target)
    return found


def _rows(network: Network, canvas: U8) -> list[Row]:
    """Return the outputs of each item of a batch."""
    outputs = network(canvas)
    return [{name: array[i] for name, array in outputs.items()} for i in range(len(canvas))]
