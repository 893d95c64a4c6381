"""The values for CPUs, GPUs and slices: at least as strict as compose, and with enough memory."""

import re

import pytest

from service.settings import Settings
from tests.docker.dockerfile import CPU, GPU, ROOT, read
from tests.docs.blocks import DOCS
from tests.kubernetes import chart
from tests.kubernetes.release import Release

pytestmark = chart.needs_helm
COMPOSE = chart.read(ROOT / "docker-compose.yml")["services"]
GIBI = 1 << 30
# What two workers, their engines and the HTTP process take, docs/measurements.md.
BASE = 0.6 * GIBI


@pytest.fixture(scope="module", params=chart.PRESETS)
def release(request: pytest.FixtureRequest) -> Release:
    return Release(chart.preset(request.param))


def gibibytes(quantity: str) -> float:
    return int(quantity.removesuffix("Gi")) * GIBI


def test_pods_are_as_hard_as_containers_of_compose(release: Release) -> None:
    service = COMPOSE["emotions" if release.values["gpu"] else "emotions-cpu"]
    pod, secured = release.pod["spec"], release.container["securityContext"]
    mounts = {each["mountPath"] for each in release.container["volumeMounts"]}
    # Each option of compose and what takes its place in the pod.
    same = {
        "read_only": secured["readOnlyRootFilesystem"],
        "cap_drop": secured["capabilities"]["drop"],
        "security_opt": [f"no-new-privileges:{not secured['allowPrivilegeEscalation']}".lower()],
        "init": pod["shareProcessNamespace"],
        "image": release.values["image"],
    }
    assert same == {name: service[name] for name in same}
    assert mounts >= set(service["tmpfs"]) | {"/plans"}
    assert pod["terminationGracePeriodSeconds"] >= int(service["stop_grace_period"].rstrip("s"))
    rest = {"environment", "ports", "volumes", "tmpfs", "stop_grace_period", "restart", "build"}
    assert service.keys() <= same.keys() | rest | {"deploy", "profiles"}


def test_the_user_and_the_port_are_those_of_the_images(release: Release) -> None:
    lines = read(GPU if release.values["gpu"] else CPU)
    found = {each.keyword: each.text for each in lines if each.keyword in {"USER", "EXPOSE"}}
    user = release.pod["spec"]["securityContext"]
    assert found["USER"] == f"{user['runAsUser']}:{user['runAsGroup']}"
    assert user["fsGroup"] == user["runAsGroup"]
    assert found["EXPOSE"] == str(release.container["ports"][0]["containerPort"])


def test_memory_is_enough_for_the_largest_images(release: Release) -> None:
    limits = release.container["resources"]["limits"]
    workers = int(limits["cpu"]) * (2 if release.values["gpu"] else 1)
    text = (DOCS / "robustness.md").read_text().partition("### Memory for decoding")[2]
    rows = re.findall(r"^\| [\w ,]+ \| (\d+) \|$", text.partition("\n## ")[0], re.MULTILINE)
    per_pixel = max(map(int, rows))
    settings = Settings()
    needed = BASE + 2 * settings.max_held_bytes + workers * per_pixel * settings.max_pixels
    assert gibibytes(limits["memory"]) >= needed


def test_a_pod_has_whole_cpus_so_that_it_counts_its_workers(release: Release) -> None:
    resources = release.container["resources"]
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"]
    assert int(resources["limits"]["cpu"]) >= 1


def test_a_pod_has_one_gpu_or_slice() -> None:
    limits = {
        name: Release(chart.preset(name)).container["resources"]["limits"] for name in chart.PRESETS
    }
    gpus = {name: {k: v for k, v in each.items() if "/" in k} for name, each in limits.items()}
    assert gpus == {
        "cpu": {},
        "gpu": {"nvidia.com/gpu": 1},
        "mig": {"nvidia.com/mig-1g.10gb": 1},
    }


def test_a_rolling_update_never_has_fewer_pods(release: Release) -> None:
    assert release.deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_rollout_may_take_as_long_as_a_first_start(release: Release) -> None:
    probe = release.container["startupProbe"]
    limit = probe["periodSeconds"] * probe["failureThreshold"]
    assert limit == 30 * 60
    assert release.deployment["spec"]["progressDeadlineSeconds"] > limit
