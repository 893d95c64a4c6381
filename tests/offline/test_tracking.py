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
CLEAR = face(score=0.8, quality=0.9, embedding=ANNA)
BLURRED = face(emotion="sad", score=0.9, quality=0.1, embedding=ANNA)


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
        one = face(0, score=float(np.clip(0.7 + rng.normal(0, 0.15), 0, 1)))
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


def test_a_blurred_burst_does_not_change_the_emotion_of_a_track() -> None:
    """Five of fifty faces are blurred, and read wrong."""
    tracker = Tracker(LABELS, SAME_PERSON)
    for i in range(50):
        one = BLURRED if i in range(30, 35) else CLEAR
        (track,) = tracker.update([one], i / 25)
        smoothed = track.smoothed(one)
        assert smoothed.emotion == "happy"
        assert smoothed.quality > 0.7


def test_a_clear_face_ends_a_blurred_burst() -> None:
    tracker = Tracker(LABELS, SAME_PERSON)
    for i in range(50):
        (track,) = tracker.update([BLURRED], i / 25)
    assert track.smoothed(BLURRED).emotion != "happy"
    assert track.smoothed(BLURRED).quality == pytest.approx(0.1)
    for i in range(50, 53):
        (track,) = tracker.update([CLEAR], i / 25)
    assert track.smoothed(CLEAR).emotion == "happy"
    assert track.smoothed(CLEAR).quality > 0.6


@pytest.mark.parametrize("together", [True, False])
def test_a_person_has_the_emotion_of_the_clear_faces(together: bool) -> None:
    """Three times as many faces are blurred and wrong, in the same track or in one of its own."""
    tracker = Tracker(LABELS, SAME_PERSON)
    later = 0.0 if together else 5.0
    for i in range(80):
        time = i / 25 + (later if i >= 20 else 0.0)
        tracker.update([CLEAR if i < 20 else BLURRED], time)
    people = group_tracks(tracker.tracks, SAME_PERSON)
    assert len(tracker.tracks) == (1 if together else 2)
    (person,) = people
    assert LABELS[int(person.mean.scores.argmax())] == "happy"
    assert person.mean.scores.sum() == pytest.approx(1)
    assert person.mean.quality > 0.6


def test_the_time_of_a_reading_counts_and_not_its_frames() -> None:
    """Half a second at 100 frames per second counts as much as half a second at 10."""
    tracker = Tracker(LABELS, SAME_PERSON)
    times = [i / 100 for i in range(50)] + [3 + i / 10 for i in range(5)]
    for time in times:
        one = face(0, score=1.0 if time < 1 else 0.0, embedding=ANNA)
        tracker.update([one], time)
    (person,) = group_tracks(tracker.tracks, SAME_PERSON)
    assert person.mean.scores[LABELS.index("happy")] == pytest.approx(0.5, abs=1e-6)


@given(
    qualities=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    step=st.floats(0, 1e6, allow_subnormal=False),
)
def test_smoothed_scores_lie_between_those_of_the_faces(
    qualities: list[float], step: float
) -> None:
    """They do so for any quality, and all may be 0."""
    happy = np.linspace(0.2, 0.9, len(qualities))
    faces = [face(0, score=h, quality=q) for h, q in zip(happy, qualities, strict=True)]
    track = Track(1, faces[0], 0.0, LABELS)
    for i, one in enumerate(faces[1:], 1):
        track.add(one, i * step)
        smoothed = track.smoothed(one)
        assert 0.2 - 1e-6 <= smoothed.scores["happy"] <= happy[i] + 1e-6
        assert sum(smoothed.scores.values()) == pytest.approx(1, abs=1e-5)
        assert min(qualities) - 1e-6 <= smoothed.quality <= max(qualities) + 1e-6
    (person,) = group_tracks([track], SAME_PERSON)
    assert person.mean.scores.sum() == pytest.approx(1)


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
