"""The options of an image as the settings have them."""

from analysis.types import Options
from service.settings import Settings


def default_options(settings: Settings) -> Options:
    """Return the options of an image whose client chooses none."""
    return Options(
        min_score=settings.min_score,
        max_faces=settings.max_faces,
        min_face=settings.min_face,
        orientation=settings.orientation,
        min_quality=settings.min_quality,
    )
