"""The stages of a GPU day: each in a separate process, within its time, rehearsed on the CPU."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]
import pytest

from bench.gpu import child
from bench.gpu.__main__ import main
from bench.gpu.day import Day, Skipped, Stage, obstacles_of
from bench.gpu.memory import refused
from bench.gpu.results import Figure, Finding, Problem, StageResult, load
from bench.gpu.run import GRACE_S, run_stage
from bench.gpu.signing import check
from bench.gpu.stages import STAGES
from bench.measure import service
from bench.measure.processes import gone
from tests.waiting import until

QUICK = ["--seconds", "0.01", "--clients", "4", "--most", "8", "--model", "landmarks-64"]
FAKE = "bench.fakes:instant:1"


@pytest.fixture
def out(tmp_path: Path, plans: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    return tmp_path / "results" / "gpu.json"


def rehearse(out: Path, *arguments: str) -> tuple[int, dict[str, StageResult]]:
    code = main(["--rehearsal", "--out", str(out), *QUICK, *arguments])
    result = load(out)
    assert check(result) == "nobody"
    assert result.rehearsal
    return code, {stage.name: stage for stage in result.stages}


def test_networks_are_rehearsed_on_a_cpu(out: Path) -> None:
    names = ("inventory", "plans-fp32", "networks-fp32", "gpus")
    code, found = rehearse(out, *(f"--stage={name}" for name in names))
    assert code == 0
    assert {name: found[name].state for name in names} == {
        "inventory": "go",
        "plans-fp32": "go",
        "networks-fp32": "go",
        "gpus": "skipped",
    }
    assert found["plans-fp32"].options["models"] == "landmarks-64"
    (parity,) = found["plans-fp32"].parities
    assert parity.name == "onnxruntime, fp32, landmarks-64"
    assert 0 <= parity.values["landmark"] < 0.01
    batches = [figure.name.rpartition(" ")[2] for figure in found["networks-fp32"].figures]
    assert batches == ["1", "8"]
    assert all(figure.values["items_per_s"] > 0 for figure in found["networks-fp32"].figures)


def figures(stage: StageResult) -> dict[str, dict[str, float]]:
    return {figure.name.partition(", ")[2]: figure.values for figure in stage.figures}


def test_the_service_is_rehearsed_with_fake_networks(out: Path) -> None:
    code, found = rehearse(out, "--engine", FAKE, "--stage=load", "--stage=faults")
    assert {name: stage.state for name, stage in found.items()} == {"load": "go", "faults": "go"}
    assert code == 0
    assert all(values["images_per_s"] > 0 for values in figures(found["load"]).values())
    assert "engine=onnxruntime" in (out.with_suffix("") / "load.log").read_text()
    killed = figures(found["faults"])
    assert list(killed) == ["device process killed", "worker killed"]
    assert all(values["failed"] == 0 < values["answers"] for values in killed.values())


@pytest.mark.slow
def test_decoding_memory_and_pipeline_are_rehearsed(out: Path) -> None:
    names = ("decoding", "pipeline", "jpegs", "memory")
    code, found = rehearse(out, "--engine", FAKE, *(f"--stage={name}" for name in names))
    assert {name: stage.state for name, stage in found.items()} == dict.fromkeys(names, "go")
    assert code == 0
    assert all(parity.values["mean"] < 1 for parity in found["decoding"].parities)
    assert all(values["images_per_s"] > 0 for values in figures(found["pipeline"]).values())
    files = figures(found["jpegs"])["good and bad files"]
    assert files["wrong"] == 0 < files["requests"]
    assert [name.rpartition(", ")[0] for name in figures(found["memory"])] == [
        "alone",
        "two with 40% each",
        "two with 40% each",
    ]


@pytest.mark.slow
def test_two_gpus_are_rehearsed(out: Path) -> None:
    code, found = rehearse(out, "--engine", "tests.service.gpus:pair:x", "--stage=gpus")
    assert (code, found["gpus"].state) == (0, "go")
    assert list(figures(found["gpus"])) == [
        "2 GPU(s)",
        "2 GPU(s), one device process killed",
        "1 GPU(s)",
    ]


def test_a_stage_that_takes_too_long_is_killed_with_its_service(
    tmp_path: Path, plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "plans"  # no other test has it in its environment
    mine.symlink_to(plans)
    monkeypatch.setenv("EMOTIONS_PLANS", str(mine))
    day = Day(rehearsal=True, engines=(FAKE,), seconds=60)
    found = run_stage(STAGES["load"]._replace(limit_s=4), day, tmp_path / "log")
    assert found.state == "stop"
    assert found.reason == "it took more than 4 s"
    assert STAGES["load"].look in found.look
    until(lambda: not any(started_with(mine)))


def started_with(plans: Path) -> Iterator[bool]:
    """For each process that runs, whether it was started with these plans."""
    for process in psutil.process_iter():
        with gone:
            ended = process.status() == psutil.STATUS_ZOMBIE
            known = process.pid != os.getpid() and not ended
            yield known and process.environ().get("EMOTIONS_PLANS") == str(plans)


@pytest.mark.slow
def test_a_service_that_starts_with_too_small_a_budget_is_a_problem(
    plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    (found,) = refused("mine", {"engine": FAKE, "device_process": "true"})
    assert isinstance(found, Problem)
    assert "it started" in found.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "problems"), [("EMOTIONS_GPU_MEMORY_BYTES", 0), ("something", 1)]
)
def test_a_service_without_memory_refuses_and_names_the_setting(
    message: str, problems: int, plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    monkeypatch.setattr(service, "READY_S", 15)
    engine = f"tests.bench.gpu_engines:cramped:{message}"
    assert len(list(refused("mine", {"engine": engine, "device_process": "true"}))) == problems


def test_a_stage_that_crashes_stops(tmp_path: Path) -> None:
    unknown = STAGES["load"]._replace(name="nothing")
    found = run_stage(unknown, Day(), tmp_path / "log")
    assert (found.state, found.reason) == ("stop", "it ended with code 1")
    assert "KeyError" in (tmp_path / "log").read_text()
    assert str(tmp_path / "log") in found.look


def _stage(findings: Iterator[Finding] | Exception) -> Stage:
    def run(_: Day) -> Iterator[Finding]:
        yield Figure("before", {"ms": 1})
        if isinstance(findings, Exception):
            raise findings
        yield from findings

    return Stage("mine", "a stage", run, "the lamp")


@pytest.mark.parametrize(
    ("findings", "state", "reason", "look"),
    [
        (iter([]), "go", "", ""),
        (Skipped("no second GPU"), "skipped", "no second GPU", ""),
        (iter([Problem("too slow"), Problem("wrong")]), "stop", "too slow; wrong", "the lamp"),
        (ValueError("broken"), "stop", "ValueError: broken", "the lamp"),
    ],
)
def test_the_verdict_of_a_stage(
    findings: Iterator[Finding] | Exception, state: str, reason: str, look: str, tmp_path: Path
) -> None:
    file = tmp_path / "result"
    child.run(_stage(findings), Day(), file)
    found = msgspec.json.decode(file.read_bytes(), type=StageResult)
    assert (found.state, found.reason, found.look) == (state, reason, look)
    assert found.figures == (Figure("before", {"ms": 1}),)


def test_a_stop_ends_the_day_unless_it_is_to_go_on(out: Path) -> None:
    names = ("--stage=inventory", "--stage=gpus", "--engine", "no-such-engine")
    code, found = rehearse(out, *names)
    assert code == 1
    assert list(found) == ["inventory"]
    assert "no engine 'no-such-engine'" in found["inventory"].reason
    code, found = rehearse(out, "--go-on", *names)
    assert list(found) == ["inventory", "gpus"]
    assert found["gpus"].state == "skipped"


def test_a_file_of_another_day_is_not_continued(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearse(out, "--stage=inventory")
    assert main(["--out", str(out), "--stage=inventory"]) == 1
    assert "another machine, commit or kind of day" in capsys.readouterr().err


def test_every_stage_has_its_time_and_advice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(STAGES)
    assert all(0 < stage.limit_s + GRACE_S <= 600 and stage.look for stage in STAGES.values())


def test_without_a_gpu_the_reason_is_that_of_each_engine() -> None:
    found = obstacles_of(Day())
    assert found.keys() >= {"tensorrt", "tensorrt-rtx"}
    assert all(obstacle is None or len(obstacle) > 10 for obstacle in found.values())
