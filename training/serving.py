"""The networks of the service in this process, with the plans of `emotions build`."""

from collections.abc import Iterator
from contextlib import contextmanager

from analysis.analyze import analyze
from analysis.networks import Networks, open_networks
from analysis.types import Analysis, Input, Options
from engines.types import U8
from service.factory import FoundModels, find_models, plans_of
from service.settings import Settings

DEFAULTS = Options()


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[FoundModels, Networks]]:
    """Open the networks of the service in this process."""
    models = find_models(settings)
    with open_networks(models.engine, plans_of(settings, models)) as networks:
        yield models, networks


def analyzed(networks: Networks, image: U8, options: Options = DEFAULTS) -> Analysis:
    """Analyse upright RGB pixels (h, w, 3) uint8 like the service.

    Raises:
        ServiceError: an error of the image.
    """
    (result,) = analyze([Input(image, options)], networks)
    return result.unwrap()
