import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from engines import weights
from engines.catalog import Catalog, ModelSpec
from engines.download import pull
from engines.errors import ChecksumError, DownloadError, WeightsMissingError

CONTENT = bytes(range(256)) * 20_000


class Files(BaseHTTPRequestHandler):
    """Serves CONTENT up to byte `cut`, in ranges if it takes them, and records the ranges."""

    cut: int | None = None
    ranges: list[str]
    takes_ranges = True

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).ranges.append(wanted or "")
        start = int(wanted[6:-1]) if wanted and self.takes_ranges else 0
        if self.path != "/model.onnx":
            self.send_error(404)
            return
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.cut])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def files() -> Iterator[tuple[str, type[Files]]]:
    kind = type("OneTest", (Files,), {"ranges": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kind
        server.shutdown()
        thread.join()


def model(url: str | None, content: bytes = CONTENT) -> ModelSpec:
    return ModelSpec(
        name="m",
        task="embedder",
        network="onnx-arcface",
        version="1",
        licence="",
        batches=(1,),
        url=url and f"{url}/model.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
    )


def test_a_download_is_verified_and_found(files: tuple[str, type[Files]], tmp_path: Path) -> None:
    spec, seen = model(files[0]), []
    path = pull(spec, tmp_path, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert weights.find(spec, tmp_path, {}).path == path
    assert list(tmp_path.iterdir()) == [path]
    assert pull(spec, tmp_path) == path
    assert len(files[1].ranges) == 1, "what is there is not fetched again"


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(
    files: tuple[str, type[Files]], tmp_path: Path, takes_ranges: bool
) -> None:
    url, server = files
    server.takes_ranges, server.cut = takes_ranges, 3_000_000
    with pytest.raises(DownloadError, match="models pull m"):
        pull(model(url), tmp_path)
    server.cut = None
    assert pull(model(url), tmp_path).read_bytes() == CONTENT
    assert server.ranges[0] == ""
    assert int(server.ranges[1][6:-1]) > 0


def test_a_part_that_is_complete_is_used(files: tuple[str, type[Files]], tmp_path: Path) -> None:
    (tmp_path / "m.onnx.part").write_bytes(CONTENT)
    assert pull(model(files[0]), tmp_path).read_bytes() == CONTENT


def test_other_content_is_refused_and_removed(
    files: tuple[str, type[Files]], tmp_path: Path
) -> None:
    with pytest.raises(ChecksumError, match="fetch it again"):
        pull(model(files[0], b"other"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_status_of_a_refusal_is_named(files: tuple[str, type[Files]], tmp_path: Path) -> None:
    spec = msgspec.structs.replace(model(files[0]), url=f"{files[0]}/gone.onnx")
    with pytest.raises(DownloadError, match="404"):
        pull(spec, tmp_path)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"changed")
    with pytest.raises(ChecksumError):
        weights.find(model("http://localhost"), tmp_path, {})


def test_the_users_own_file_comes_first(tmp_path: Path) -> None:
    spec = msgspec.structs.replace(model(None), network="arcface-r50")
    with pytest.raises(WeightsMissingError, match=r"put m\.wts"):
        weights.find(spec, tmp_path, {"embedder": tmp_path / "drop"})
    (tmp_path / "drop").mkdir()
    own = tmp_path / "drop" / "m.wts"
    own.write_text("0\n")
    assert weights.find(spec, tmp_path, {"embedder": tmp_path / "drop"}).path == own


def test_larger_inputs_have_the_weights_of_their_entry(tmp_path: Path) -> None:
    (tmp_path / "retinaface-r50.wts").write_bytes(b"own")
    for spec in Catalog.load().get("retinaface-r50").larger:
        found = weights.find(spec, tmp_path, {"detector": tmp_path})
        assert found.path.name == "retinaface-r50.wts"
        with pytest.raises(WeightsMissingError, match=r"put retinaface-r50\.wts"):
            weights.find(spec, tmp_path, {"detector": tmp_path / "none"})


def test_missing_weights_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match="emotions models pull m"):
        weights.find(model("http://localhost"), tmp_path, {})
    with pytest.raises(WeightsMissingError, match="no url"):
        pull(model(None), tmp_path)


def test_weights_options_are_for_the_catalogs_file_only(tmp_path: Path) -> None:
    spec = msgspec.structs.replace(
        model(None), options={"scale": 128.0}, weights_options={"mirror": True}
    )
    ours, another = tmp_path / "ours.wts", tmp_path / "m.wts"
    ours.write_bytes(CONTENT)
    another.write_bytes(b"trained elsewhere")
    assert weights.options(spec, weights.sha256(ours)) == {"scale": 128.0, "mirror": True}
    assert weights.options(spec, weights.sha256(another)) == {"scale": 128.0}


def test_a_missing_file_that_a_download_reads_is_not_an_error_of_writing(
    files: tuple[str, type[Files]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(DownloadError, match=r"downloading m from .* failed") as raised:
        pull(model(files[0]), tmp_path)
    assert "cannot write" not in str(raised.value)
