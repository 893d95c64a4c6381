"""`Accept` is read by RFC 9110, section 12.5.1."""

from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.http.accept import JSON, LINE_TYPES, preferred_line_type

JSONL, NDJSON = LINE_TYPES


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", None),
        ("*/*", None),
        ("application/*", None),
        ("text/html", None),
        ("application/json", None),
        ("application/jsonl", JSONL),
        ("application/x-ndjson", NDJSON),
        ("application/jsonl, application/x-ndjson", JSONL),
        ("application/jsonl;q=0.5, application/x-ndjson", NDJSON),
        ("text/html, Application/X-NDJSON; q=0.5", NDJSON),
        ("application/json;q=0.5, application/jsonl", JSONL),
        ("application/json, application/jsonl;q=0.9", None),
    ],
)
def test_the_higher_weight_wins(accept: str, expected: str | None) -> None:
    assert preferred_line_type(accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/x-ndjson;q=0.1, */*", None),
        ("application/x-ndjson;q=0.1, application/*;q=0.2, */*;q=0", None),
        ("application/json;q=0.1, */*", JSONL),
        ("application/json;q=0.1, application/*", JSONL),
        ("application/jsonl;q=0, application/*", None),
        ("application/json;q=0, */*", JSONL),
        ("application/json;q=0, application/jsonl;q=0, */*", NDJSON),
    ],
)
def test_the_most_specific_range_gives_the_weight(accept: str, expected: str | None) -> None:
    assert preferred_line_type(accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json, application/jsonl", None),
        ("application/jsonl, application/json", None),
        ("application/jsonl, */*", JSONL),
        ("application/json, */*", None),
        ("application/json, text/plain, */*", None),
        ("application/*, */*", None),
    ],
)
def test_at_equal_weight_a_named_type_wins_and_then_json(accept: str, expected: str | None) -> None:
    assert preferred_line_type(accept) == expected


@pytest.mark.parametrize("accept", ["application/jsonl;q=0", "*/*;q=0", "application/json;q=0"])
def test_json_is_the_answer_if_nothing_is_acceptable(accept: str) -> None:
    assert preferred_line_type(accept) is None


@pytest.mark.parametrize("weight", ["high", "", "nan", "2", "-1", "inf", "1.000", "0x1"])
def test_a_weight_that_is_not_one_counts_as_one(weight: str) -> None:
    assert preferred_line_type(f"application/json;q=0.9, application/jsonl;q={weight}") == JSONL
    assert preferred_line_type(f"application/jsonl;q=0.9, application/json;q={weight}") is None


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/jsonl;charset=utf-8", JSONL),
        ('application/jsonl;a="x, application/json";q=0.1, application/json;q=0.2', None),
        (r'application/jsonl;a="\";q=0", application/json;q=0.2', JSONL),
        ('application/json;q=0.2, application/jsonl;a="', JSONL),
    ],
)
def test_quoted_strings_hold_neither_types_nor_weights(accept: str, expected: str | None) -> None:
    assert preferred_line_type(accept) == expected


class Range(NamedTuple):
    """A media range, and its weight in thousandths, which may be left out."""

    kind: str
    thousandths: int | None

    @property
    def weight(self) -> int:
        return 1000 if self.thousandths is None else self.thousandths


RANGES = st.builds(
    Range,
    st.sampled_from([JSON, *LINE_TYPES, "application/*", "*/*", "text/*", "text/html"]),
    st.none() | st.sampled_from([0, 1, 500, 1000]) | st.integers(0, 1000),
)


@given(
    ranges=st.lists(RANGES, max_size=6, unique_by=lambda each: each.kind),
    separator=st.sampled_from([",", ", ", " ,\t", ",,"]),
    upper=st.booleans(),
)
def test_any_list_of_ranges_gives_the_type_of_the_highest_weight(
    ranges: list[Range], separator: str, upper: bool
) -> None:
    weights = {each.kind: each.weight for each in ranges}
    texts = [
        each.kind if each.thousandths is None else f"{each.kind};q={each.thousandths / 1000:g}"
        for each in ranges
    ]
    header = separator.join(texts)
    found = preferred_line_type(header.upper() if upper else header)

    def weight(kind: str) -> int:
        wildcard = weights.get("application/*", weights.get("*/*", 0))
        return weights.get(kind, wildcard)

    best = max(map(weight, LINE_TYPES))
    if best != weight(JSON):
        assert (found is not None) == (best > weight(JSON))
    if found is not None:
        assert weight(found) == best > 0


@given(st.text())
@example('"' * 60_000 + "\\")
@example(r'"\"' * 20_000 + "\\")
@example(",;" * 30_000)
def test_any_text_is_read(accept: str) -> None:
    assert preferred_line_type(accept) in {None, *LINE_TYPES}
