"""The model card of a taught network, as Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator

from offline.teaching.lesson import Lesson

LIMITS = """\
## Limits

- The figures hold for people, cameras and light as in these photographs. Measure the network on
  photographs of your own use before you rely on it.
- A score says how the network would label a picture. It does not say what a person feels.
- The European Union prohibits inferring the emotions of people at work or in education, such as
  whether they are bored or engaged, except for medical or safety reasons
  (Regulation (EU) 2024/1689, article 5(1)(f)).
"""


def card(name: str, lesson: Lesson) -> str:
    """Return the card of the network `name`."""
    sections = (_head(name, lesson), _data(lesson), _figures(lesson), [LIMITS])
    return "\n".join(line for section in sections for line in section)


def _head(name: str, lesson: Lesson) -> Iterator[str]:
    trained = "Its last layers were trained" if lesson.finetuned else "Its last layer was trained"
    yield f"# {name}\n"
    yield f"This network classifies faces as {', '.join(lesson.faces.labels)}. It was made from"
    yield f"`{lesson.base}` by `emotions teach`. {trained} on the"
    yield "photographs below.\n"
    yield f"Licence of `{lesson.base}`: {lesson.licence}.\n"
    for warning in lesson.warnings():
        yield f"**Note.** {warning}\n"


def _data(lesson: Lesson) -> Iterator[str]:
    labels, targets = lesson.faces.labels, lesson.faces.targets.tolist()
    people = lesson.people_per_class
    faces = Counter(targets)
    yield "## Data\n"
    yield "One face per picture, cut out as the service does.\n"
    rows = [
        (label, faces[i], "not known" if people is None else people[i])
        for i, label in enumerate(labels)
    ]
    yield from _table(("class", "faces", "people"), rows)
    reasons = Counter(each.reason.partition(" as ")[0] for each in lesson.faces.left_out)
    if reasons:
        yield f"{reasons.total()} pictures were left out; `left-out.csv` lists them:\n"
        yield from _table(("reason", "pictures"), reasons.most_common(10))


def _figures(lesson: Lesson) -> Iterator[str]:
    figures = lesson.figures
    low, high = figures.interval
    how = "no person is in both parts" if lesson.by_person else "not split by person"
    yield "## Figures\n"
    yield f"Cross-validation in five parts, {how}.\n"
    yield from _table(
        ("", ""),
        [
            ("accuracy", f"{figures.accuracy:.1%}"),
            ("95 % interval of the accuracy", f"{low:.1%} to {high:.1%}"),
            ("expected calibration error", f"{figures.calibration_error:.3f}"),
            *((f"F1 of {label}", f"{value:.2f}") for label, value in figures.f1.items()),
        ],
    )
    yield "![rows are the classes of the folder, columns those of the network](confusion.png)\n"
    yield "The highest score of a face, and how often its class is right:\n"
    rows = [
        (f"{each.low:.1f} to {each.high:.1f}", each.faces, f"{each.score:.2f}", f"{each.right:.1%}")
        for each in figures.bins
    ]
    yield from _table(("score", "faces", "mean score", "right"), rows)


def _table(titles: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    yield _row(titles)
    yield _row(["---"] * len(titles))
    yield from map(_row, rows)
    yield ""


def _row(cells: Iterable[object]) -> str:
    escaped = (str(cell).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
