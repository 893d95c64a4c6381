"""Linking faces over frames, and tracks to people."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.document import Face
from engines.catalog import SAME_PERSON
from offline.tracking import Track, Tracker, people

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
ANNA, BORIS, CLARA = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def face(x: float, happy: float = 0.5, embedding: tuple[float, ...] | None = None) -> Face:
    scores = dict.fromkeys(LABELS, (1 - happy) / 6) | {"happy": happy}
    return Face(
        box=[x, 0, x + 100, 100],
        score=0.9,
        landmarks=[[0, 0]] * 5,
        emotion="happy",
        scores=scores,
        embedding=list(embedding) if embedding else None,
    )


def test_faces_that_move_and_cross_frames_keep_their_tracks() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    numbers = set()
    for i in range(50):
        pair = [face(10 * i), face(900 - 10 * i)] if i < 40 else [face(10 * i)]
        order = pair if i % 2 else pair[::-1]
        tracks = tracker.update(order, i / 25)
        numbers.add(tuple(t.number for t in (tracks if i % 2 else tracks[::-1])))
    assert {pair[0] for pair in numbers if len(pair) == 2} in ({1}, {2})


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    (first,) = tracker.update([face(0)], 0.0)
    assert tracker.update([], 0.3) == []
    assert tracker.update([face(5)], 0.6) == [first]
    assert tracker.update([face(5)], 2.0) != [first]


def test_a_cut_to_somebody_else_begins_a_track() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    (anna,) = tracker.update([face(0, embedding=ANNA)], 0.0)
    (boris,) = tracker.update([face(0, embedding=BORIS)], 0.04)
    assert boris is not anna
    assert tracker.update([face(900, embedding=ANNA)], 0.08) == [anna]


def test_people_come_back_but_are_never_in_one_frame_twice() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    tracker.update([face(0, embedding=ANNA)], 0.0)
    tracker.update([face(500, embedding=BORIS)], 5.0)
    tracker.update([face(0, embedding=ANNA), face(500, embedding=ANNA)], 9.0)
    found = people(tracker.tracks, SAME_PERSON)
    grouped = [[track.number for track in person.tracks] for person in found]
    assert grouped == [[1, 3], [2], [4]]


def test_the_embedder_s_own_cosine_groups_tracks() -> None:
    alike = (0.6, 0.8, 0.0)
    for same_person, expected in ((0.5, 1), (0.7, 2)):
        tracker = Tracker(LABELS, same_person)
        tracker.update([face(0, embedding=ANNA)], 0.0)
        tracker.update([face(500, embedding=alike)], 9.0)
        assert len(people(tracker.tracks, same_person)) == expected


def test_without_embeddings_every_track_is_somebody() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    tracker.update([face(0)], 0.0)
    tracker.update([face(0)], 9.0)
    assert [person.number for person in people(tracker.tracks, SAME_PERSON)] == [1, 2]


def test_scores_are_smoothed_and_stay_a_softmax() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    rng = np.random.default_rng(0)
    raw, smooth = [], []
    for i in range(100):
        one = face(0, happy=float(np.clip(0.7 + rng.normal(0, 0.15), 0, 1)))
        (track,) = tracker.update([one], i / 25)
        shown = track.smoothed(one)
        assert sum(shown.scores.values()) == pytest.approx(1, abs=1e-5)
        raw.append(one.scores["happy"])
        smooth.append(shown.scores["happy"])
    assert np.std(smooth[25:]) < 0.5 * np.std(raw[25:])
    assert np.mean(smooth[25:]) == pytest.approx(np.mean(raw[25:]), abs=0.05)
    (person,) = people(tracker.tracks, SAME_PERSON)
    assert person.seconds == pytest.approx(99 / 25)
    assert len(person.bins) == 16


@given(
    spans=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 5), st.sampled_from([ANNA, BORIS, CLARA])),
        max_size=30,
    )
)
def test_people_never_meet_themselves_and_are_told_apart(
    spans: list[tuple[int, int, tuple[float, ...]]],
) -> None:
    tracks = []
    for number, (start, length, embedding) in enumerate(sorted(spans), 1):
        track = Track(number, face(0, embedding=embedding), float(start), LABELS)
        track.add(face(0, embedding=embedding), float(start + length))
        tracks.append(track)
    found = people(tracks, SAME_PERSON)
    assert sorted(t.number for person in found for t in person.tracks) == [t.number for t in tracks]
    for person in found:
        assert len({tuple(track.embedding) for track in person.tracks}) == 1
        in_time = [(track.start, track.end) for track in person.tracks]
        assert all(one[1] < other[0] for one, other in pairwise(in_time))


def test_tracks_without_embeddings_stand_alone() -> None:
    tracks = [Track(number, face(0), float(10 * number), LABELS) for number in range(1, 4)]
    assert [len(person.tracks) for person in people(tracks, SAME_PERSON)] == [1, 1, 1]
    assert people([], SAME_PERSON) == []
