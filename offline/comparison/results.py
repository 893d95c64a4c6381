"""The results of a comparison: a table, JSON, and pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.decode import open_picture
from analysis.limits import ImageLimits
from engines.disk import atomic_write
from offline.comparison.compare import Comparison, read
from offline.comparison.figures import SIZES, Figures, Judged, Share
from offline.comparison.matching import FALSE
from offline.drawing.bars import Bar, Panel, draw_panels
from offline.drawing.matches import SIDE, View, draw_views
from offline.names import ResultPaths
from offline.out_folder import check_only

DOCUMENT, BARS, PICTURES = "compare.json", "compare.png", "pictures"


def table(comparison: Comparison) -> str:
    """Return the figures as a table in Markdown: a row per figure, a column per detector."""
    rows = comparison.figures
    faces, pictures, equal = rows[0].recall.total, rows[0].pictures, rows[0].equal_false
    lines = [
        [f"{faces} faces, {pictures} pictures", *(row.detector for row in rows)],
        ["recall (95 % interval)", *(_interval(row.recall) for row in rows)],
        *_sizes(rows),
        ["precision", *(_percent(row.precision) for row in rows)],
        [
            "false faces (per 100 pictures)",
            *(f"{row.false} ({row.false_per_100:.1f})" for row in rows),
        ],
        [
            f"recall with {equal} false face{'s' * (equal != 1)} (from score)",
            *(f"{_percent(row.equal)} ({row.equal_score:.2f})" for row in rows),
        ],
        ["CPU time per picture, median", *(f"{row.milliseconds:.1f} ms" for row in rows)],
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _sizes(rows: Sequence[Figures]) -> list[list[str]]:
    return [
        [f"recall, {size} pixels", *(_percent(row.by_size[size]) for row in rows)]
        for size in SIZES
        if size in rows[0].by_size
    ]


def _percent(share: Share) -> str:
    return f"{share.value:.1%}" if share.total else "-"


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%})"


def document(comparison: Comparison) -> dict[str, Any]:
    """Return the figures, and the numbers of each picture, for JSON."""
    return {
        "iou": comparison.iou,
        "min_score": comparison.min_score,
        "faces": comparison.figures[0].recall.total,
        "pictures": len(comparison.pictures),
        "detectors": [row.document() for row in comparison.figures],
        "files": [
            _file(comparison, number, name.file.name)
            for number, name in enumerate(comparison.pictures)
        ],
    }


def _file(comparison: Comparison, number: int, name: str) -> dict[str, Any]:
    counts = {}
    for detector, judged in comparison.judged.items():
        faces = judged[number].matches.above(comparison.min_score).faces
        false = int((faces == FALSE).sum())
        counts[detector] = {"found": len(faces) - false, "false": false}
    return {"file": name, "faces": len(comparison.pictures[number].truth.boxes), **counts}


def check_out(out: Path) -> None:
    """Check that `out` is new, or holds an earlier comparison.

    Raises:
        OutputError: it holds other files.
    """
    check_only(out, (DOCUMENT, BARS, PICTURES))


def write(comparison: Comparison, out: Path, limits: ImageLimits) -> None:
    """Write the figures as JSON and as bars, and each picture with its faces.

    Raises:
        ComparisonError: a picture cannot be read any more.
        OSError: the folder cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / DOCUMENT) as temporary:
        temporary.write_text(json.dumps(document(comparison), indent=1))
    draw_panels(_panels(comparison.figures), out / BARS)
    paths = ResultPaths(out / PICTURES, fold=True)
    for number, (file, _) in enumerate(comparison.pictures):
        views = [
            _view(name, judged[number], comparison.min_score)
            for name, judged in comparison.judged.items()
        ]
        picture = open_picture(read(file, limits.max_bytes), limits, side=lambda *_: SIDE)
        path = paths.path(file.name if file.suffix == ".jpg" else f"{file.name}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_views(picture.pixels, picture.width, views).save(path, quality=90)


def _view(name: str, judged: Judged, min_score: float) -> View:
    matches, truth = judged.matches.above(min_score), judged.truth
    found = set(matches.faces[matches.faces != FALSE].tolist())
    return View(
        name,
        found=matches.boxes[matches.faces != FALSE].tolist(),
        missed=[box for number, box in enumerate(truth.boxes.tolist()) if number not in found],
        false=matches.boxes[matches.faces == FALSE].tolist(),
    )


def _panels(rows: Sequence[Figures]) -> list[Panel]:
    recall = [Bar(row.detector, row.recall.value, _percent(row.recall)) for row in rows]
    false = [Bar(row.detector, row.false_per_100, f"{row.false_per_100:.1f}") for row in rows]
    cpu = [Bar(row.detector, row.milliseconds, f"{row.milliseconds:.1f}") for row in rows]
    intervals = [row.recall.interval for row in rows]
    return [
        Panel(
            "Recall", [bar._replace(interval=i) for bar, i in zip(recall, intervals, strict=True)]
        ),
        Panel("False faces per 100 pictures", false),
        Panel("CPU time per picture, ms", cpu),
    ]
