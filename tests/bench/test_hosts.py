"""The calculation of a whole host: its limits, its command, and the page that quotes it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fakes.device import Cost
from bench.hosts import costs, measure, model
from bench.hosts.__main__ import main, own
from bench.hosts.costs import Costs
from bench.hosts.machines import GPUS, HOSTS, Host
from bench.hosts.model import CPU, ENGINE, GPU, HTTP, PYTHON, Assumptions

ROUND = Costs(
    width=1000,
    height=1000,
    faces=0,
    input_pixels=640**2,
    jpeg_bytes=100_000,
    http_ms=1,
    worker_ms=8,
    decode_ms=4,
    front_ms=0.75,
    letterbox_ms=2,
    copy_ms=0.5,
    device_ms=0.75,
    alone_ms=2,
)
MS = st.floats(0.01, 50)
COSTS = st.builds(
    Costs,
    width=st.integers(1, 8000),
    height=st.integers(1, 8000),
    faces=st.integers(0, 100),
    input_pixels=st.sampled_from([640**2, 1280 * 736, 1280**2]),
    jpeg_bytes=st.integers(100, 10**7),
    http_ms=MS,
    worker_ms=st.floats(100, 200),
    decode_ms=MS,
    front_ms=MS,
    letterbox_ms=MS,
    copy_ms=MS,
    device_ms=MS,
    alone_ms=MS,
)
GIVEN = st.builds(
    Assumptions,
    decoding=st.sampled_from(model.WHERE),
    core_speed=st.floats(0.2, 3),
    http_processes=st.integers(0, 16),
    images_per_batch=st.integers(1, 64),
    cuda_ms=st.floats(0, 1),
    share=st.floats(0.1, 1),
    gpu_ms=st.builds(Cost, batch_ms=st.floats(0.1, 10), row_ms=st.floats(0.1, 10)),
    known=st.floats(1000, 10_000),
)
MACHINES = st.builds(
    Host,
    name=st.just("h"),
    cores=st.integers(1, 256),
    gpus=st.integers(1, 16),
    gpu=st.sampled_from(list(GPUS.values())),
)


def rate(host: Host, image: Costs, assumed: Assumptions) -> float:
    return model.narrowest(model.limits(host, image, assumed))[1]


def test_the_cores_share_the_work_of_all_processes() -> None:
    host = Host("h", 10, 1, GPUS["H100"])
    found = model.limits(host, ROUND, Assumptions(cuda_ms=0))
    assert found[CPU] == pytest.approx(10 * 1000 / (1 + 8 + 0.75))
    assert found[PYTHON] == pytest.approx(1000 / 0.75)
    assert HTTP not in found


def test_the_gpu_is_scaled_from_the_known_one_by_published_rates() -> None:
    host = Host("h", 10, 2, GPUS["L4"])
    found = model.limits(host, ROUND, Assumptions(images_per_batch=1))
    assert found[GPU] == pytest.approx(2 * 1000 / (0.488 + 0.555) * 12_881.7 / 6_035.57)


def test_decoding_moves_from_the_worker_to_the_engine_and_the_pixels_come_back() -> None:
    assumed = Assumptions(decoding="GPU", cuda_ms=0)
    assert model.worker_ms(ROUND, assumed) == 8 - 4 + 0.75
    assert model.device_ms(ROUND, assumed) == 0.75 * 4 / 3 + 0.5
    assert model.pcie_bytes(ROUND, assumed) > ROUND.jpeg_bytes + ROUND.pixel_bytes
    host = Host("h", 10, 1, GPUS["A100"])
    assert model.limits(host, ROUND, assumed)[ENGINE] == pytest.approx(2917, abs=1)


def test_without_an_engine_decoding_takes_the_gpu_s_time() -> None:
    host, on_gpu = Host("h", 10, 1, GPUS["A10"]), Assumptions(decoding="GPU")
    found = model.limits(host, ROUND, on_gpu)
    assert ENGINE not in found
    assert found[GPU] < model.limits(host, ROUND, Assumptions())[GPU]


@given(host=MACHINES, image=COSTS, assumed=GIVEN)
def test_no_host_is_faster_than_any_of_its_limits(
    host: Host, image: Costs, assumed: Assumptions
) -> None:
    found = model.limits(host, image, assumed)
    assert all(0 < rate(host, image, assumed) <= limit for limit in found.values())


@given(host=MACHINES, image=COSTS, assumed=GIVEN)
def test_more_hardware_is_never_slower(host: Host, image: Costs, assumed: Assumptions) -> None:
    before = rate(host, image, assumed)
    assert rate(host._replace(cores=host.cores + 1), image, assumed) >= before
    assert rate(host._replace(gpus=host.gpus + 1), image, assumed) >= before
    assert rate(host, image, assumed._replace(core_speed=assumed.core_speed * 2)) >= before
    if assumed.http_processes:
        more = assumed._replace(http_processes=assumed.http_processes + 1)
        assert rate(host, image, more) >= before
        assert rate(host, image, assumed._replace(http_processes=0)) >= before


@given(host=MACHINES, image=COSTS, assumed=GIVEN, faces=st.integers(1, 50))
def test_more_faces_and_more_work_are_never_faster(
    host: Host, image: Costs, assumed: Assumptions, faces: int
) -> None:
    before = rate(host, image, assumed)
    fields = {name: getattr(image, name) for name in image.__struct_fields__}
    for name, more in (("faces", faces), ("http_ms", 1), ("worker_ms", 1), ("device_ms", 1)):
        assert rate(host, Costs(**fields | {name: fields[name] + more}), assumed) <= before


@given(host=MACHINES, image=COSTS, assumed=GIVEN)
def test_so_many_http_processes_are_enough(host: Host, image: Costs, assumed: Assumptions) -> None:
    wanted = rate(host, image, assumed._replace(http_processes=0))
    count = model.http_processes(wanted, image, assumed)
    assert rate(host, image, assumed._replace(http_processes=count)) >= wanted * 0.999999


def test_the_newer_gpus_are_faster() -> None:
    rates = [gpu.resnet50 for gpu in GPUS.values()]
    assert rates == sorted(rates)
    assert all(host.gpu in GPUS.values() for host in HOSTS)


def test_own_hosts_and_own_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert own("mine,32,2,L4") == Host("mine", 32, 2, GPUS["L4"])
    main(["--host", "g6.4xlarge", "--own", "mine,32,2,L4", "--http-processes", "1"])
    text = capsys.readouterr().out
    assert "| mine | 32, 2 L4 |" in text
    assert "g5.4xlarge" not in text
    assert "HTTP processes;" in text


@pytest.mark.slow
def test_a_short_measurement_can_be_calculated_with(
    plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    monkeypatch.setattr(measure, "SCENES", ("640x480, 1 face",))
    file = tmp_path / "measured.json"
    main(["--measure", str(file), "--seconds", "0.3", "--rounds", "1", "--clients", "4"])
    (found,) = costs.load(file).costs.values()
    assert 0 < found.decode_ms < found.worker_ms
    assert min(found.http_ms, found.device_ms, found.alone_ms) > 0
    assert "| p5.48xlarge | 192, 8 H100 |" in capsys.readouterr().out
