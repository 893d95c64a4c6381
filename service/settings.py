"""All settings; the only module that reads the environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from analysis.close_up import CloseUps
from analysis.types import Orientation
from engines.catalog import Precision
from engines.plan import DEFAULT_FOLDER
from service.values import Fraction, MinFace

MEBI = 1 << 20
KUBERNETES = (
    "Kubernetes sets this variable for a Service named emotions; set enableServiceLinks: false in "
    "the specification of the Pod, or rename the Service"
)
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
List = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Settings by precedence: command line, environment (`EMOTIONS_` + NAME), default."""

    model_config = SettingsConfigDict(env_prefix="EMOTIONS_", frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one"
    )
    root_path: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Prefix of all paths behind a proxy, e.g. /emotions; paths without the prefix "
        "are served, too",
    )

    http_processes: Count = Field(
        default=1,
        description="Processes that accept connections on the port (Linux). More than one helps "
        "where parsing HTTP is the limit; workers and limits are divided among them",
    )

    engine: str = Field(
        default="auto", description="Engine that runs the networks; auto picks the best one here"
    )
    precision: Precision | None = Field(
        default=None, description="Precision of the plans; by default that of the engine"
    )
    compute_capability: str | None = Field(
        default=None,
        description="Compute capability of the GPU that tensorrt-rtx builds for, e.g. 8.9; by "
        "default that of this machine",
    )
    detector: str = Field(default="retinaface-mnet025", description="Catalog entry of the detector")
    landmarks: str = Field(
        default="landmarks-64",
        description="Catalog entry of the landmark network; with none, the landmarks are those of "
        "the detector",
    )
    emotion: str = Field(
        default="emotion-fer48", description="Catalog entry of the emotion network"
    )
    embedder: str = Field(
        default="arcface-mobilefacenet",
        description="Catalog entry of the embedder; the default is skipped if it is not built",
    )
    catalog: Path | None = Field(
        default=None, description="A catalog file that extends the built-in one"
    )
    plans: Path = Field(
        default=DEFAULT_FOLDER, description="Folder of built plans and downloaded weights"
    )
    workers: int = Field(
        default=0,
        ge=0,
        description="Number of workers; 0 means one per available CPU core, or two per core in "
        "front of a device process",
    )
    isolate: bool = Field(
        default=True,
        description="Analyze images in worker processes (Linux), which are replaced when they die "
        "or hang; otherwise in threads of the service",
    )
    device_process: bool | None = Field(
        default=None,
        description="Run the networks in a device process that batches the rows of all workers; "
        "by default only on GPUs, one process per GPU",
    )
    gpu_memory_bytes: Count | None = Field(
        default=None,
        description="Maximum memory that the networks may take on each GPU; batches are smaller if "
        "it does not suffice. By default the free memory is the limit. Workers without a device "
        "process divide it",
    )
    jpeg_decoder: str = Field(
        default="cpu",
        description="Decoder of plain JPEG images in front of a GPU: cpu, or nvimagecodec, which "
        "decodes on the GPU",
    )
    batch_limit_s: Seconds | None = Field(
        default=None,
        description="Maximum time to run one batch or to decode one image before the process "
        "is replaced, in seconds; by default a third of deadline_s, at least 5",
    )

    max_body_bytes: Count = Field(default=64 * MEBI, description="Maximum size of a request body")
    max_held_bytes: Count = Field(
        default=1024 * MEBI,
        description="Maximum size of all request bodies and fetched images in memory together",
    )
    max_image_bytes: Count = Field(
        default=64 * MEBI, description="Maximum size of an encoded image"
    )
    max_pixels: Count = Field(
        default=64_000_000,
        description="Maximum number of decoded pixels of an image; a baseline JPEG of up to 16 "
        "times as many is decoded at a smaller scale",
    )
    max_images: Count = Field(default=64, description="Maximum number of images per request")
    max_queue: Count = Field(
        default=512,
        description="Maximum number of images under way, from admission to the answer",
    )
    deadline_s: Seconds = Field(default=30.0, description="Maximum time per request, in seconds")

    max_connections: Count = Field(
        default=4096,
        description="Maximum number of open connections; each uses a file descriptor",
    )
    patience_s: Seconds = Field(
        default=10.0,
        description="Maximum wait for the head of a request, or for a client that does not read "
        "its answer, in seconds",
    )
    keep_alive_s: Count = Field(
        default=100,
        description="Time that an idle connection stays open after an answer, in seconds; it must "
        "be longer than that of the balancer in front",
    )

    min_score: Fraction = Field(
        default=0.5, description="Default of the parameter min_score: minimum detection score"
    )
    max_faces: Count = Field(
        default=100, description="Default of the parameter max_faces: maximum faces per image"
    )
    min_face: MinFace = Field(
        default="auto",
        description="Default of the parameter min_face: the smallest face to find, in pixels of "
        "the image; auto depends on the size of the image, and fast detects once at 640x640",
    )
    min_quality: Fraction = Field(
        default=0, description="Default of the parameter min_quality: minimum quality of a face"
    )
    orientation: Orientation = Field(
        default="exif",
        description="Default of the parameter orientation: exif relies on the orientation that "
        "the file states; auto also looks for faces on their side or upside down if none is "
        "upright",
    )
    max_tiles: Count = Field(
        default=16,
        description="Maximum number of overlapping detector inputs per image; it bounds what "
        "min_face may cost",
    )
    nms_iou: Fraction = Field(
        default=0.4, description="Overlap (IoU) above which two detections are the same face"
    )
    close_ups: CloseUps = Field(
        default="auto",
        description="Detect again at a third of the size, to find faces that fill the frame; auto "
        "does so only if a face is partly detected",
    )

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="API keys, KEY or NAME:KEY, separated by commas; without keys here and in a "
        "file, no key is required",
    )
    api_keys_file: Path | None = Field(
        default=None,
        description="File of hashed API keys, written by `emotions keys new NAME`; a change takes "
        "effect within about a second",
    )
    max_images_per_key: int = Field(
        default=128,
        ge=0,
        description="Maximum number of images under way per API key; 0 means no limit",
    )

    url_allow: List = Field(
        default=(),
        description="Origins to fetch images from, e.g. https://images.example.com or "
        "https://*.example.com:8443, separated by commas; empty turns URLs off",
    )
    url_networks: List = Field(
        default=(),
        description="Networks that are not public but may be fetched from, e.g. 10.1.0.0/16",
    )
    url_timeout_s: Seconds = Field(
        default=10.0, description="Maximum time to fetch one image, in seconds"
    )
    url_max_redirects: int = Field(
        default=3, ge=0, description="Maximum number of redirects to follow per URL"
    )

    docs: bool = Field(default=True, description="Serve /docs and /openapi.json")
    cors_origins: List = Field(
        default=(),
        description="Origins of web pages that may send requests, e.g. https://example.com, "
        "separated by commas",
    )
    otlp_url: str | None = Field(
        default=None,
        description="Collector for traces, by OTLP over HTTP, e.g. http://localhost:4318; needs "
        "the extra otel",
    )
    trace_share: Fraction = Field(
        default=1.0,
        description="Share of requests to trace, for requests whose caller has not decided",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Format of the log lines"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Minimum level of the log lines"
    )

    @field_validator("port", mode="before")
    @classmethod
    def _reject_service_link(cls, value: object) -> object:
        if isinstance(value, str) and value.startswith("tcp://"):
            raise PydanticCustomError("kubernetes", KUBERNETES)
        return value

    @field_validator("root_path", mode="before")
    @classmethod
    def _trim(cls, value: object) -> object:
        """Accept `emotions` and `/emotions/` as well."""
        if not isinstance(value, str):
            return value
        name = value.strip("/")
        return f"/{name}" if name else ""

    @field_validator("api_keys", "url_allow", "url_networks", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Split a string at commas, the form that lists have in the environment."""
        if not isinstance(value, str):
            return value
        return [item.strip() for item in value.split(",") if item.strip()]
