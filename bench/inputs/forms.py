"""The forms that a request can have: one image as the body, or several images in one body."""

import msgspec

BOUNDARY = "corpus"
PART = 'content-disposition: form-data; name="images"; filename="{}.jpg"\r\n\r\n'


class Body(msgspec.Struct, frozen=True):
    """A request body and its content type."""

    kind: str
    content: bytes


def as_it_is(image: bytes) -> Body:
    """A JPEG, and nothing else."""
    return Body("image/jpeg", image)


def as_multipart(images: list[bytes]) -> Body:
    """A form with one file per image, all in the field `images`."""
    begin = f"--{BOUNDARY}\r\n".encode()
    files = (begin + PART.format(i).encode() + each + b"\r\n" for i, each in enumerate(images))
    content = b"".join(files) + f"--{BOUNDARY}--\r\n".encode()
    return Body(f"multipart/form-data; boundary={BOUNDARY}", content)


def as_json(images: list[bytes]) -> Body:
    """JSON with base64, which msgspec makes of bytes."""
    named = [{"id": str(i), "data": each} for i, each in enumerate(images)]
    return Body("application/json", msgspec.json.encode({"images": named}))


def as_msgpack(images: list[bytes]) -> Body:
    """MessagePack with raw bytes."""
    named = [{"id": str(i), "data": each} for i, each in enumerate(images)]
    return Body("application/msgpack", msgspec.msgpack.encode({"images": named}))
