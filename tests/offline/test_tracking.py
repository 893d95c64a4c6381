"""Faces linked to tracks over frames, and tracks grouped into people."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evaluation.fer2013 import LABELS
from engines.catalog import SAME_PERSON
from offline.video.people import group_tracks
from offline.video.tracking import Track, Tracker
from tests.offline.helpers import face

ANNA, BORIS, CLARA = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def test_faces_that_cross_keep_their_tracks() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    numbers = set()
    for i in range(50):
        pair = [face(10 * i), face(900 - 10 * i)] if i < 40 else [face(10 * i)]
        order = pair if i % 2 else pair[::-1]
        tracks = tracker.update(order, i / 25)
        numbers.add(tuple(t.number for t in (tracks if i % 2 else tracks[::-1])))
    assert {pair[0] for pair in numbers if len(pair) == 2} in ({1}, {2})


def test_a_track_survives_a_short_gap_but_not_a_long_one() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    (first,) = tracker.update([face(0)], 0.0)
    assert tracker.update([], 0.3) == []
    assert tracker.update([face(5)], 0.6) == [first]
    assert tracker.update([face(5)], 2.0) != [first]


def test_a_cut_to_another_person_starts_a_track() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    (anna,) = tracker.update([face(0, embedding=ANNA)], 0.0)
    (boris,) = tracker.update([face(0, embedding=BORIS)], 0.04)
    assert boris is not anna
    assert tracker.update([face(900, embedding=ANNA)], 0.08) == [anna]


def test_a_person_returns_but_is_never_twice_in_one_frame() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    tracker.update([face(0, embedding=ANNA)], 0.0)
    tracker.update([face(500, embedding=BORIS)], 5.0)
    tracker.update([face(0, embedding=ANNA), face(500, embedding=ANNA)], 9.0)
    people = group_tracks(tracker.tracks, SAME_PERSON)
    assert [[track.number for track in person.tracks] for person in people] == [[1, 3], [2], [4]]


def test_the_threshold_of_the_embedder_groups_tracks() -> None:
    similar = (0.6, 0.8, 0.0)
    for same_person, expected in ((0.5, 1), (0.7, 2)):
        tracker = Tracker(LABELS, same_person)
        tracker.update([face(0, embedding=ANNA)], 0.0)
        tracker.update([face(500, embedding=similar)], 9.0)
        assert len(group_tracks(tracker.tracks, same_person)) == expected


def test_scores_are_smoothed_and_still_sum_to_one() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    rng = np.random.default_rng(0)
    raw, smooth = [], []
    for i in range(100):
        one = face(0, happy=float(np.clip(0.7 + rng.normal(0, 0.15), 0, 1)))
        (track,) = tracker.update([one], i / 25)
        smoothed = track.smoothed(one)
        assert sum(smoothed.scores.values()) == pytest.approx(1, abs=1e-5)
        raw.append(one.scores["happy"])
        smooth.append(smoothed.scores["happy"])
    assert np.std(smooth[25:]) < 0.5 * np.std(raw[25:])
    assert np.mean(smooth[25:]) == pytest.approx(np.mean(raw[25:]), abs=0.05)
    (person,) = group_tracks(tracker.tracks, SAME_PERSON)
    assert person.seconds == pytest.approx(99 / 25)
    assert len(person.bins) == 16


@given(
    spans=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 5), st.sampled_from([ANNA, BORIS, CLARA])),
        max_size=30,
    )
)
def test_tracks_of_one_person_have_one_embedding_and_no_common_time(
    spans: list[tuple[int, int, tuple[float, ...]]],
) -> None:
    tracks = []
    for number, (start, length, embedding) in enumerate(sorted(spans), 1):
        track = Track(number, face(0, embedding=embedding), float(start), LABELS)
        track.add(face(0, embedding=embedding), float(start + length))
        tracks.append(track)
    people = group_tracks(tracks, SAME_PERSON)
    assert sorted(t.number for person in people for t in person.tracks) == [
        track.number for track in tracks
    ]
    for person in people:
        assert len({tuple(track.embedding) for track in person.tracks}) == 1
        times = [(track.start, track.end) for track in person.tracks]
        assert all(one[1] < other[0] for one, other in pairwise(times))


def test_each_track_without_an_embedding_is_a_person() -> None:
    tracks = [Track(number, face(0), float(10 * number), LABELS) for number in range(1, 4)]
    assert [len(person.tracks) for person in group_tracks(tracks, SAME_PERSON)] == [1, 1, 1]
    assert group_tracks([], SAME_PERSON) == []
