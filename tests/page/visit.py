"""Helpers to use the page, and answers in place of the service."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import FilePayload, Page

SEEN_MS = 20_000
ENDPOINT = "**/v1/emotions?*"
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
Open = Callable[[str], Page]


def file(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def upload(page: Page, *files: FilePayload) -> None:
    page.set_input_files("#files", list(files))


def answer(*emotions: str, quality: float = 0.8) -> str:
    """Return an answer for an image with faces of these emotions, side by side."""
    faces: list[dict[str, Any]] = [
        {
            "box": [160 * index + 20, 20, 160 * index + 140, 140],
            "score": 0.9,
            "emotion": emotion,
            "scores": {label: 0.7 if label == emotion else 0.05 for label in LABELS},
            "pose": {"yaw": -12.3, "pitch": 4.6, "roll": 0.2},
            "quality": quality,
        }
        for index, emotion in enumerate(emotions)
    ]
    image = {"width": 160 * len(emotions), "height": 160, "faces": faces}
    model = {"detector": "detector", "emotion": "emotion", "backend": "stub"}
    return json.dumps({"model": model, "images": [image]})
