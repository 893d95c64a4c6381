"""What schemathesis cannot know by itself: sound images, MessagePack, and answers as lines."""

import msgspec
import schemathesis
from hypothesis import strategies as st

from bench.inputs.corpus import images

FILES = st.sampled_from(sorted(images().values()))

schemathesis.openapi.format("binary", FILES)


@schemathesis.serializer("application/msgpack")
def msgpack(ctx: object, value: object) -> bytes:  # noqa: ARG001
    """As JSON, but an image's data are bytes."""
    return msgspec.msgpack.encode(_sized(value))


def _sized(value: object) -> object:
    """MessagePack has no integers beyond 64 bits; such a number becomes a float, as JSON's may."""
    if isinstance(value, dict):
        return {_sized(name): _sized(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_sized(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 2**1023 else str(value)
    return value


@schemathesis.deserializer("application/jsonl", "application/x-ndjson")
def lines(ctx: object, response: schemathesis.Response) -> object:  # noqa: ARG001
    """The first line: the description is of each line by itself."""
    return msgspec.json.decode(response.content.partition(b"\n")[0])
