"""The arguments of the application, its settings, and what it requires of Ray."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from emotions.ray.application import Arguments, read_settings, scaling
from engines.errors import EngineError


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"replicas": "0"}, "replicas"),
        ({"replicas": "3", "max_replicas": "2"}, "max_replicas"),
        ({"gpus": "1.5"}, "gpus"),
        ({"gpu": "1"}, "gpu"),
    ],
)
def test_wrong_arguments_are_named(given: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Arguments.model_validate(given)


def test_a_replica_has_as_many_workers_as_cores_of_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(Arguments(cpus=3)).workers == 3
    assert read_settings(Arguments(cpus=3, gpus=0.5)).workers == 6
    monkeypatch.setenv("EMOTIONS_WORKERS", "5")
    assert read_settings(Arguments(cpus=3)).workers == 5


def test_paths_do_not_depend_on_the_folder_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", "plans")
    assert read_settings(Arguments()).plans == Path.cwd() / "plans"


def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_DEADLINE_S", "hunter2")
    with pytest.raises(EngineError, match="EMOTIONS_DEADLINE_S") as error:
        read_settings(Arguments())
    assert "hunter2" not in str(error.value)


def test_a_replica_without_a_gpu_sees_none() -> None:
    arguments = Arguments(cpus=2)
    options = scaling(arguments, read_settings(arguments))
    assert options["num_replicas"] == 1
    assert options["max_ongoing_requests"] == 8
    assert options["ray_actor_options"] == {
        "num_cpus": 2,
        "num_gpus": 0,
        "runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}},
    }


def test_four_replicas_share_a_gpu() -> None:
    arguments = Arguments(replicas=4, max_replicas=8, cpus=2, gpus=0.25)
    options = scaling(arguments, read_settings(arguments))
    assert options["ray_actor_options"] == {"num_cpus": 2, "num_gpus": 0.25}
    assert options["max_ongoing_requests"] == 48
    assert options["autoscaling_config"] == {
        "min_replicas": 4,
        "max_replicas": 8,
        "target_ongoing_requests": 24,
        "upscale_delay_s": 10,
        "downscale_delay_s": 300,
    }
