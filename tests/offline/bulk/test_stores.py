"""`emotions bulk` from and to an object store, also one with faults."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.fs
import pyarrow.parquet
import pytest
from PIL import Image
from rich.console import Console

from offline.bulk.bulk import bulk
from offline.bulk.local import run_local
from offline.bulk.types import BulkJob
from offline.errors import CommandError, StorageError
from service.settings import Settings
from tests.offline.bulk.conftest import BUCKET, Store
from tests.photographs import ASTRONAUT_FILE

SOURCE, TARGET = f"s3://{BUCKET}/photographs", f"s3://{BUCKET}/results"


def run(plans: Path, source: str = SOURCE, target: str = TARGET, size: int = 10) -> str:
    """Run a job on a thread of this process; return the output."""
    output = io.StringIO()
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    bulk(BulkJob(settings, source, target), run_local, Console(file=output, soft_wrap=True), size)
    return output.getvalue()


def rows(store: Store, table: str, folder: str = "results") -> list[dict[str, Any]]:
    """Read a table with another library than the one that wrote it."""
    s3 = pyarrow.fs.S3FileSystem(
        access_key="key", secret_key="secret", endpoint_override=store.url, region="us-east-1"
    )
    found = pyarrow.parquet.read_table(f"{BUCKET}/{folder}/{table}", filesystem=s3).to_pylist()
    return sorted(found, key=lambda row: str(row["file"]))


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["file"] for row in rows]


def tiny(number: int) -> bytes:
    """A different small image for each number."""
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (16, 24, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_objects_of_all_kinds(plans: Path, store: Store) -> None:
    keys = ["a b.png", "ü/é.png", "50%25.png", "a+b.png", "日本.png"]
    for number, key in enumerate(keys):
        store.put(f"photographs/{key.replace('+', '%2B')}", tiny(number))
    store.put("photographs/face.png", ASTRONAUT_FILE.read_bytes())
    store.put("photographs/broken.jpg", b"\xff\xd8\xff\xe0")
    store.put("photographs/empty.jpg")
    store.put("photographs/notes.txt", b"no image")
    store.put("photographs/.hidden/x.png", tiny(9))
    store.put("photographs/marker/")
    store.put("photographs-of-others/x.png", tiny(9))
    output = run(plans)
    found = rows(store, "images")
    errors = {row["file"]: row["error"] for row in found if row["error"]}
    images = {"a b.png", "ü/é.png", "50%.png", "a+b.png", "日本.png", "face.png"}
    assert set(names(found)) == images | set(errors)
    assert errors == {"broken.jpg": "corrupt_image", "empty.jpg": "unsupported_media"}
    assert names(rows(store, "faces")) == ["face.png"]
    assert "left out: 3 files (1 .txt, 1 empty, 1 hidden)" in output


def test_each_object_costs_one_request(plans: Path, store: Store) -> None:
    for number in range(20):
        store.put(f"photographs/{number:02d}.png", tiny(number))
    before = len(store.requests())
    run(plans)
    requests = Counter(store.requests()[before:])
    assert all(requests[f"GET /{BUCKET}/photographs/{number:02d}.png"] == 1 for number in range(20))
    others = [key for key in requests.elements() if "/photographs/" not in key]
    assert len(others) < 20  # listings, the manifest, two parts of two tables each


def test_the_target_may_lie_in_the_source(plans: Path, store: Store) -> None:
    store.put("a.png", tiny(1))
    everything = f"s3://{BUCKET}"
    run(plans, everything)
    store.put("b.png", tiny(2))
    assert "1 images, 0 faces, 1 files done before" in run(plans, everything)
    assert names(rows(store, "images")) == ["a.png", "b.png"]
    with pytest.raises(CommandError, match="the source lies in this folder"):
        run(plans, SOURCE, everything)
    with pytest.raises(CommandError, match="the source lies in this folder"):
        run(plans, SOURCE, SOURCE)


def test_from_a_folder_to_a_store_and_back(plans: Path, store: Store, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "a.png").write_bytes(tiny(1))
    store.put("photographs/a.png", tiny(1))
    run(plans, str(tmp_path / "library"))
    run(plans, SOURCE, str(tmp_path / "out"))
    here = pyarrow.parquet.read_table(tmp_path / "out" / "images").to_pylist()
    assert here == rows(store, "images")


def test_with_faults_nothing_is_lost_or_double(plans: Path, store: Store) -> None:
    for number in range(300):
        store.put(f"photographs/{number:03d}.png", tiny(number))
    store.faults(share=0.1, seed=3, delay_s=0.01)
    run(plans, size=25)
    store.faults()
    found = rows(store, "images")
    assert names(found) == [f"{number:03d}.png" for number in range(300)]
    assert not any(row["error"] for row in found)


@pytest.mark.parametrize("fault", [{"dead": True}, {"code": "ExpiredToken"}])
def test_a_store_that_fails_for_good_ends_the_run_and_the_next_one_continues(
    plans: Path, store: Store, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    monkeypatch.setattr("offline.bulk.storage.PAUSES_S", ())
    monkeypatch.setattr("offline.bulk.stores.RETRY", {"max_retries": 1})
    keys = [f"{number:02d}.png" for number in range(30)]
    for number, key in enumerate(keys):
        store.put(f"photographs/{key}", tiny(number))
    store.faults(path=f"/{BUCKET}/photographs/2", **fault)
    with pytest.raises(StorageError, match=r"s3:.*; mend this, and the same command continues"):
        run(plans, size=1)
    assert len(rows(store, "images")) == 20
    store.faults()
    assert "10 images, 0 faces, 20 files done before" in run(plans)
    assert names(rows(store, "images")) == keys
