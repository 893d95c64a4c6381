"""Folders and object stores behind one interface, also with faults."""

from pathlib import Path
from urllib.parse import quote

import pytest

from offline.bulk.storage import PIECE_BYTES, Storage
from offline.errors import StorageError
from tests.offline.bulk.conftest import BUCKET, Store

KEYS = [
    "a b.jpg",
    "ü/é.jpg",
    "50%.jpg",
    "100%25.jpg",
    "a+b.jpg",
    "a#b?c.jpg",
    "日本/x.jpg",
    "{~}.jpg",
]
LARGE = bytes(range(256)) * (3 * PIECE_BYTES // 256 + 1)


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Storage(str(tmp_path / "a folder"))
    request.getfixturevalue("store")
    return Storage(f"s3://{BUCKET}/a folder")


def test_any_key_comes_back(storage: Storage) -> None:
    for key in KEYS:
        storage.write(key, key.encode())
    assert sorted(storage.keys()) == sorted(KEYS)
    assert sorted(storage.keys("ü")) == ["ü/é.jpg"]
    assert dict(storage.sizes()) == {key: len(key.encode()) for key in KEYS}
    assert {key: storage.read(key) for key in KEYS} == {key: key.encode() for key in KEYS}


def test_an_object_comes_in_pieces(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    storage.write("large", tmp_path / "large")
    size, pieces = storage.stream("large")
    found = list(pieces)
    assert (size, b"".join(found)) == (len(LARGE), LARGE)
    assert all(len(piece) >= PIECE_BYTES for piece in found[:-1])


def test_an_empty_object(storage: Storage) -> None:
    storage.write("empty", b"")
    size, pieces = storage.stream("empty")
    assert (size, list(pieces)) == (0, [])


def test_only_the_first_create_writes(storage: Storage) -> None:
    assert storage.create("x", b"1")
    assert not storage.create("x", b"2")
    assert storage.create("x", b"1")  # as after an attempt without an answer
    assert storage.read("x") == b"1"


def test_a_missing_object_is_an_error_of_the_file(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError, match="No such file"):
        storage.read("x")
    with pytest.raises(FileNotFoundError, match="No such file"):
        storage.stream("x")


def test_requests_that_fail_are_repeated(store: Store) -> None:
    storage = Storage(f"s3://{BUCKET}")
    storage.write("large", LARGE)
    for number in range(30):
        store.put(f"listed/{number:02d}")
    store.faults(share=0.3, seed=2, delay_s=0.01)
    for number in range(10):
        assert b"".join(storage.stream("large")[1]) == LARGE
        storage.write(f"written/{number}", LARGE[:100_000])
        assert storage.create(f"created/{number}", b"")
        assert len(list(storage.keys("listed"))) == 30
    store.faults()
    assert len(list(storage.keys("written"))) == 10


def test_a_long_listing_continues_after_a_fault(store: Store) -> None:
    storage = Storage(f"s3://{BUCKET}")
    keys = [f"{number:04d}" for number in range(1100)]
    for key in keys:
        storage.write(key, b"")
    listing = storage.keys()
    found = [next(listing)]
    store.faults(share=0.3, seed=1, delay_s=0.01)
    assert [*found, *listing] == keys


def test_an_object_that_changes_while_it_is_read(store: Store) -> None:
    storage = Storage(f"s3://{BUCKET}")
    storage.write("x", LARGE)
    store.faults(share=1, kinds=["cut"])
    _, pieces = storage.stream("x")
    store.faults()
    storage.write("x", LARGE[1:])
    with pytest.raises(OSError, match="the object changed while it was read"):
        list(pieces)


@pytest.mark.parametrize("key", ["a//b.jpg", "a/%2E%2E/b.jpg", quote("a/\t.jpg")])
def test_a_key_that_cannot_be_read_is_named(store: Store, key: str) -> None:
    store.put(key)
    with pytest.raises(StorageError, match=r"\"a/.*jpg\".*; rename this object"):
        list(Storage(f"s3://{BUCKET}").keys())


def test_an_archived_object_is_an_error_of_the_file(store: Store) -> None:
    store.put("x", b"x")
    store.faults(code="InvalidObjectState")
    with pytest.raises(OSError, match="archived; restore it first"):
        Storage(f"s3://{BUCKET}").stream("x")


@pytest.mark.usefixtures("store")
def test_a_bucket_that_is_missing() -> None:
    storage = Storage("s3://missing")
    with pytest.raises(StorageError, match=r"s3://missing: NoSuchBucket: The specified bucket"):
        list(storage.keys())
    with pytest.raises(StorageError, match="no such bucket"):
        storage.write("x", b"")


def test_a_wrong_key(store: Store) -> None:
    store.faults(code="InvalidAccessKeyId")
    with pytest.raises(StorageError, match=r"s3://library: InvalidAccessKeyId: "):
        list(Storage(f"s3://{BUCKET}").keys())


@pytest.mark.usefixtures("store")
def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match=r"s3://library: .*127\.0\.0\.1:9.*error sending"):
        list(Storage(f"s3://{BUCKET}").keys())


@pytest.mark.parametrize("place", ["S3://a/b", "ftp://a/b", "s3://", "gs://", "https://a/b"])
def test_a_wrong_url(place: str) -> None:
    with pytest.raises(StorageError, match=place):
        list(Storage(place).keys())
