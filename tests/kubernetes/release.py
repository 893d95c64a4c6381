"""A rendered release, and what its documents say."""

from functools import cached_property

from tests.kubernetes import chart


class Release:
    """The documents of the chart with some values, and those values with the defaults."""

    def __init__(self, values: chart.Values, name: str = "emotions") -> None:
        self.name = name
        self.values = chart.merge(chart.read(chart.CHART / "values.yaml"), values)
        self.documents = chart.render(values, name)

    def kind(self, name: str) -> list[chart.Document]:
        """The documents of a kind."""
        return [each for each in self.documents if each["kind"] == name]

    @cached_property
    def deployment(self) -> chart.Document:
        """The Deployment."""
        (found,) = self.kind("Deployment")
        return found

    @property
    def pod(self) -> chart.Document:
        """The pod of the Deployment."""
        found: chart.Document = self.deployment["spec"]["template"]
        return found

    @property
    def container(self) -> chart.Document:
        """The container that serves."""
        found: chart.Document
        (found,) = self.pod["spec"]["containers"]
        return found

    @property
    def pods(self) -> list[chart.Document]:
        """The pods of the Deployment and of the Jobs."""
        return [self.pod, *(each["spec"]["template"] for each in self.kind("Job"))]
