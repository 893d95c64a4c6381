"""Properties of the chart that hold for all values."""

from typing import Any

from hypothesis import Phase, given, settings

from service.http.routes import probes
from service.settings import Settings
from tests.kubernetes import chart
from tests.kubernetes.release import Release
from tests.kubernetes.variants import NAMES, variants

pytestmark = chart.needs_helm
PATHS = {route.path for route in probes.routes}  # type: ignore[attr-defined]


def matches(selector: Any, pod: chart.Document) -> bool:
    wanted: dict[str, str] = selector["matchLabels"]
    labels: dict[str, str] = pod["metadata"]["labels"]
    return wanted.items() <= labels.items()


def environment(container: chart.Document) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("env", [])}


def follows_the_restricted_standard(release: Release) -> None:
    """No pod has a right that the "restricted" Pod Security Standard of Kubernetes forbids."""
    for pod in (each["spec"] for each in release.pods):
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
        assert not pod["automountServiceAccountToken"]
        # Otherwise a Service named emotions sets EMOTIONS_PORT.
        assert not pod["enableServiceLinks"]
        assert pod["shareProcessNamespace"]
        assert (
            pod["securityContext"].items()
            >= {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            }.items()
        )
        assert not [each for each in pod["volumes"] if "hostPath" in each]
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def stops_as_late_as_needed(release: Release) -> None:
    pause = release.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    deadline = Settings(**_settings(release)).deadline_s
    assert pause == release.values["drainSeconds"]
    assert release.pod["spec"]["terminationGracePeriodSeconds"] >= pause + deadline + 10
    assert release.pod["spec"]["terminationGracePeriodSeconds"] < pause + deadline + 12


def selects_its_pods(release: Release) -> None:
    serving, *building = release.pods
    (service,), (policy,) = release.kind("Service"), release.kind("NetworkPolicy")
    selectors = [
        release.deployment["spec"]["selector"],
        {"matchLabels": service["spec"]["selector"]},
        *(each["spec"]["selector"] for each in release.kind("PodDisruptionBudget")),
        *(each["spec"]["selector"] for each in release.kind("PodMonitor")),
        *(each["labelSelector"] for each in release.pod["spec"]["topologySpreadConstraints"]),
    ]
    for selector in selectors:
        assert matches(selector, serving)
        assert not [pod for pod in building if matches(selector, pod)]
    assert all(matches(policy["spec"]["podSelector"], pod) for pod in release.pods)


def lets_nodes_drain(release: Release) -> None:
    (budget,) = release.kind("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] >= 1
    assert "minAvailable" not in budget["spec"]


def has_short_unique_names(release: Release) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in release.documents]
    assert len(set(names)) == len(names)
    labels = [each["metadata"]["labels"] for each in [*release.documents, *release.pods]]
    for text in [name for _, name in names] + [each for one in labels for each in one.values()]:
        assert len(text) <= 63


def passes_the_settings_on(release: Release) -> None:
    given = Settings(**_settings(release))
    for pod in release.pods:
        found = environment(pod["spec"]["containers"][0])
        file = found.pop("EMOTIONS_API_KEYS_FILE", None)
        assert bool(file) == bool(release.values["keysSecret"])
        assert Settings(**_lower(found)) == given


def probes_routes_of_the_service(release: Release) -> None:
    (port,) = release.container["ports"]
    assert port == {"name": "http", "containerPort": 8000}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        target = release.container[probe]["httpGet"]
        assert target["path"] in PATHS
        assert target["port"] == port["name"]
    for monitor in release.kind("PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["path"] in PATHS
        assert endpoint["port"] == port["name"]


def names_what_exists(release: Release) -> None:
    """A pod mounts volumes that it has, of claims that the chart makes or the user names."""
    made = {each["metadata"]["name"] for each in release.kind("PersistentVolumeClaim")}
    (account,) = release.kind("ServiceAccount")
    assert release.pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
    for pod in (each["spec"] for each in release.pods):
        volumes = {each["name"]: each for each in pod["volumes"]}
        mounts = {each["mountPath"]: each["name"] for each in pod["containers"][0]["volumeMounts"]}
        assert set(mounts.values()) == volumes.keys()
        assert mounts.items() >= {"/plans": "plans", "/tmp": "tmp"}.items()
        if claim := volumes["plans"].get("persistentVolumeClaim"):
            assert claim["claimName"] in made | {release.values["plans"].get("claim")}


def builds_what_it_serves(release: Release) -> None:
    """A Job has the image, the settings and the resources of the pods, and outlives no hook."""
    kinds = release.values["plans"]["build"]
    assert len(release.kind("Job")) == len(kinds)
    for job, kind in zip(release.kind("Job"), kinds, strict=True):
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["build"]
        for field in ("image", "env", "resources", "volumeMounts"):
            assert container.get(field) == release.container.get(field)
        # A pre-install hook runs before the chart's own objects exist.
        assert "serviceAccountName" not in job["spec"]["template"]["spec"]
        wanted = kind.get("nodeSelector") or release.values["nodeSelector"]
        assert job["spec"]["template"]["spec"].get("nodeSelector", {}) == wanted


def has_one_owner_of_the_number_of_pods(release: Release) -> None:
    assert ("replicas" in release.deployment["spec"]) != bool(release.kind("ScaledObject"))


def opens_no_connections_by_default(release: Release) -> None:
    (policy,) = release.kind("NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert bool(policy["spec"]["egress"]) == bool(release.values["networkPolicy"]["egress"])
    (rule,) = policy["spec"]["ingress"]
    assert rule["ports"] == [{"port": 8000, "protocol": "TCP"}]
    assert rule.get("from", []) == release.values["networkPolicy"]["from"]


def _settings(release: Release) -> dict[str, Any]:
    return _lower(release.values["settings"])


def _lower(variables: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("EMOTIONS_").lower(): value for name, value in variables.items()}


# An example is small enough to read, and rendering it takes too long for shrinking.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
PROPERTIES = [
    follows_the_restricted_standard,
    stops_as_late_as_needed,
    selects_its_pods,
    lets_nodes_drain,
    has_short_unique_names,
    passes_the_settings_on,
    probes_routes_of_the_service,
    names_what_exists,
    builds_what_it_serves,
    has_one_owner_of_the_number_of_pods,
    opens_no_connections_by_default,
]


@settings(max_examples=40, deadline=None, phases=PHASES)
@given(values=variants(), name=NAMES)
def test_every_release_has_every_property(values: chart.Values, name: str) -> None:
    release = Release(values, name)
    for holds in PROPERTIES:
        holds(release)


@settings(max_examples=10, deadline=None, phases=PHASES)
@given(values=variants())
def test_versions_of_helm_that_read_numbers_as_texts_render_the_same(values: chart.Values) -> None:
    assert chart.render(values, numbers=True) == chart.render(values)
