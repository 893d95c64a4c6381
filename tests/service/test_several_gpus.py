"""GPUs of several kinds, GPUs of unequal speed, and a GPU that is lost and comes back."""

import asyncio
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from analysis.types import Analysis
from analysis.workers.replica import Replica, replicas
from bench.measure.processes import gone
from engines.catalog import Catalog
from engines.errors import PlanMissingError
from engines.gpus import VISIBLE
from engines.plan import resolve
from service.factory import FoundModels, find_models, layout_of
from service.factory.processes import devices_of
from service.settings import Settings
from tests.conftest import DEFAULTS
from tests.observability.samples import read_samples
from tests.server import Server, serving
from tests.service.copied_plans import copy_plans
from tests.service.gpus import GPUS, KINDS, Kinds, unequal
from tests.service.load import PLAIN, load, metric, until
from tests.service.pipelines import IMAGES, analyze, running

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="workers are processes of their own on Linux only"
)


@pytest.fixture(scope="module")
def both(plans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the plans of both kinds of GPU."""
    folder = tmp_path_factory.mktemp("both")
    for gpu in KINDS[:2]:
        copy_plans(plans, folder, Kinds((gpu,)))
    return folder


def find(folder: Path, **settings: bool) -> FoundModels:
    return find_models(Settings.model_validate({"plans": folder} | settings), Kinds(KINDS))


def test_each_kind_of_gpu_has_plans_of_its_own(both: Path) -> None:
    settings, models = Settings(plans=both), find(both)
    first, slice_, second = devices_of(settings, models)
    assert [device.gpu for device in (first, slice_, second)] == list(KINDS)
    assert first.plans == second.plans
    paths = [{each.path for each in device.plans.all.values()} for device in (first, slice_)]
    assert [len(each) for each in paths] == [7, 7]
    assert not paths[0] & paths[1]
    assert first.plans.rules == slice_.plans.rules
    layout = layout_of(settings, models, Replica())
    assert layout.plans == first.plans


@pytest.mark.parametrize("missing", DEFAULTS)
def test_a_missing_plan_of_one_kind_names_the_command(
    both: Path, tmp_path: Path, missing: str
) -> None:
    shutil.copytree(both, tmp_path / "plans")
    resolve(Catalog.load().get(missing), Kinds(KINDS[1:2]), tmp_path / "plans").path.unlink()
    with pytest.raises(PlanMissingError, match=f"emotions build .* {missing}"):
        find(tmp_path / "plans")


@pytest.mark.parametrize("only_first", [{"isolate": False}, {"device_process": False}])
def test_without_device_processes_only_the_first_gpu_needs_plans(
    plans: Path, tmp_path: Path, only_first: dict[str, bool]
) -> None:
    copy_plans(plans, tmp_path, Kinds(KINDS[:1]))
    assert not find(tmp_path, **only_first).others
    with pytest.raises(PlanMissingError):
        find(tmp_path)


def test_all_http_processes_have_the_same_devices(both: Path) -> None:
    settings, models = Settings(plans=both, http_processes=3), find(both)
    found = devices_of(settings, models)
    for replica in replicas(3, len(found)):
        assert layout_of(settings, models, replica).devices == found
        assert len(replica.device_listeners) == len(KINDS)
        for listener in (*replica.device_listeners, *replica.metrics_listeners):
            listener.close()


@pytest.fixture(scope="module")
def two_kinds(both: Path) -> Iterator[Server]:
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # for the server only
            patch.setenv(VISIBLE, ",".join(gpu.uuid for gpu in KINDS[:2]))
            started = serving(both, engine=Kinds.origin, workers="2", landmarks="none")
            server = stack.enter_context(started)
        yield server


def test_models_and_metrics_name_the_plans_of_all_kinds(two_kinds: Server) -> None:
    with two_kinds.client() as client:
        cards = client.get("/v1/models").json()["models"]
        samples = read_samples(client.get("/metrics").text)["emotions_engine_info"]
        answer = client.post("/v1/emotions", content=PLAIN, headers={"content-type": "image/png"})
    assert Counter(card["name"] for card in cards) == {
        "retinaface-mnet025": 2,
        "emotion-fer48": 2,
        "arcface-mobilefacenet": 2,
    }
    digests = [card["plan"] for card in cards if card["task"] == "emotion"]
    assert len(set(digests)) == 2
    plans = {labels["network"]: labels["plan"] for labels, _ in samples}
    assert plans["emotion"] == ",".join(digests)
    assert answer.status_code == 200


async def test_a_slow_gpu_does_not_hold_up_a_fast_one(plans: Path) -> None:
    """A worker gets its next images when it has answered, so a slow GPU gets fewer."""
    seen, stop = Counter[int](), False
    async with running(plans, engine=unequal("x"), workers=4, isolate=True) as pipeline:

        async def client() -> None:
            while not stop:
                found = await analyze(pipeline, IMAGES[0])
                assert isinstance(found, Analysis)
                seen[len(found.scores)] += 1

        clients = [asyncio.create_task(client()) for _ in range(8)]
        await until(lambda: seen[2] >= 4)
        stop = True
        await asyncio.gather(*clients)
    assert seen[1] > 3 * seen[2]


def processes(server: Server) -> dict[str, int]:
    """Return the device processes by the UUID of the GPU that CUDA may use there."""
    found = {}
    for process in psutil.Process(server.process.pid).children(recursive=True):
        with gone:
            if "analysis.workers.device" in process.cmdline():
                found[process.environ()[VISIBLE]] = process.pid
    return found


def faces(server: Server) -> set[int]:
    """Return the numbers of faces that are found now; each GPU finds another number."""
    files = [("images", (str(number), IMAGES[0])) for number in range(24)]
    with server.client() as client:
        images = client.post("/v1/emotions", files=files).json()["images"]
    return {len(image["faces"]) for image in images}


@pytest.mark.parametrize("http_processes", [pytest.param("1", marks=pytest.mark.slow), "2"])
async def test_a_lost_gpu_costs_its_images_one_retry_on_another_one(
    plans: Path, tmp_path: Path, http_processes: str
) -> None:
    engine = f"tests.service.gpus:three:{tmp_path}"
    lost = GPUS[1].uuid
    given: Any = {"workers": "6", "deadline_s": "60", "http_processes": http_processes}
    with serving(plans, engine=engine, **given) as server:
        await until(lambda: metric(server, "emotions_workers_ready") == 6)
        before = processes(server)
        assert set(before) == {gpu.uuid for gpu in GPUS}
        async with load(server) as running:
            os.kill(before[lost], signal.SIGSTOP)
            await running.more(32)  # its workers now have images that wait for it
            (tmp_path / lost).touch()
            os.kill(before[lost], signal.SIGKILL)
            await until(lambda: metric(server, "emotions_worker_restarts_total") >= 3)
            assert metric(server, "emotions_workers_ready") < 6
            await running.more(32)
            assert before.items() - processes(server).items() == {(lost, before[lost])}
        assert {answer.status_code for answer in running.answers} == {200}
        assert set(running.readiness) == {200}
        assert f"device of {GPUS[1].name} ({lost}) ended" in server.log.read_text()
        (tmp_path / lost).unlink()
        await until(lambda: 2 in faces(server))
        await until(lambda: metric(server, "emotions_workers_ready") == 6)
