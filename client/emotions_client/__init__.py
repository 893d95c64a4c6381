"""A client of the emotions service, sync and async."""

from emotions_client.aio import AsyncClient
from emotions_client.client import Client
from emotions_client.errors import EmotionsError, RefusedError, UnreachableError
from emotions_client.requests import Image, Options, Url
from emotions_client.results import Answer, Face, ImageError, ImageResult, Model, Models, Pose
from emotions_client.retry import Retry

# Names in earlier versions.
Refused, Unreachable = RefusedError, UnreachableError

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "EmotionsError",
    "Face",
    "Image",
    "ImageError",
    "ImageResult",
    "Model",
    "Models",
    "Options",
    "Pose",
    "Refused",
    "RefusedError",
    "Retry",
    "Unreachable",
    "UnreachableError",
    "Url",
]
