"""Images as bytes of files."""

import io

from PIL import Image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of an image file; `kind` is Pillow's name of the format."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
