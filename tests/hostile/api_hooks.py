"""What schemathesis does not know: valid images, MessagePack, and JSON Lines."""

import msgspec
import schemathesis
from hypothesis import strategies as st

from bench.inputs.corpus import images

FILES = st.sampled_from(sorted(images().values()))

schemathesis.openapi.format("binary", FILES)


@schemathesis.serializer("application/msgpack")
def msgpack(ctx: object, value: object) -> bytes:  # noqa: ARG001
    """Encode like JSON, but the data of an image are bytes."""
    return msgspec.msgpack.encode(_sized(value))


def _sized(value: object) -> object:
    """Convert integers beyond 64 bits, which MessagePack lacks, to floats."""
    if isinstance(value, dict):
        return {_sized(name): _sized(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_sized(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 2**1023 else str(value)
    return value


@schemathesis.deserializer("application/jsonl", "application/x-ndjson")
def lines(ctx: object, response: schemathesis.Response) -> object:  # noqa: ARG001
    """Decode the first line: the document describes each line separately."""
    return msgspec.json.decode(response.content.partition(b"\n")[0])
