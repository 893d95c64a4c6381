"""The forms that images are sent in: one as it is, or several in one body."""

import base64

import msgspec

BOUNDARY = "corpus"
PART = 'content-disposition: form-data; name="images"; filename="{}.jpg"\r\n\r\n'


class Body(msgspec.Struct, frozen=True):
    """A request's body and the content type that it comes with."""

    kind: str
    content: bytes


def as_it_is(image: bytes) -> Body:
    """A JPEG, and nothing else."""
    return Body("image/jpeg", image)


def as_multipart(images: list[bytes]) -> Body:
    """A form with a file of the field `images` for each."""
    begin = f"--{BOUNDARY}\r\n".encode()
    files = (begin + PART.format(i).encode() + each + b"\r\n" for i, each in enumerate(images))
    content = b"".join(files) + f"--{BOUNDARY}--\r\n".encode()
    return Body(f"multipart/form-data; boundary={BOUNDARY}", content)


def as_json(images: list[bytes]) -> Body:
    """JSON with base64."""
    named = [{"id": str(i), "data": base64.b64encode(each)} for i, each in enumerate(images)]
    return Body("application/json", msgspec.json.encode({"images": named}))


def as_msgpack(images: list[bytes]) -> Body:
    """MessagePack with raw bytes."""
    named = [{"id": str(i), "data": each} for i, each in enumerate(images)]
    return Body("application/msgpack", msgspec.msgpack.encode({"images": named}))
