"""Everything that can be set; the only place that reads the environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from analysis.close_up import CloseUps
from engines.catalog import Precision
from engines.plan import DEFAULT_FOLDER

MEBI = 1 << 20
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
List = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Settings by precedence: command line, environment (`EMOTIONS_` + NAME), default."""

    model_config = SettingsConfigDict(env_prefix="EMOTIONS_", frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one"
    )

    http_processes: Count = Field(
        default=1,
        description="Processes that accept on the port, for hosts where parsing is the limit; each "
        "gets its share of workers and limits (Linux)",
    )

    engine: str = Field(default="auto", description="Engine that runs the networks; auto picks")
    precision: Precision | None = Field(
        default=None, description="Precision of the plans; by default the engine's own"
    )
    compute_capability: str | None = Field(
        default=None,
        description="GPU that tensorrt-rtx builds for, as 8.9; by default the one here",
    )
    detector: str = Field(default="retinaface-mnet025", description="Catalog entry of the detector")
    landmarks: str = Field(
        default="landmarks-64",
        description="Catalog entry of the network that places landmarks; none leaves them where "
        "the detector sees them",
    )
    emotion: str = Field(
        default="emotion-fer48", description="Catalog entry of the emotion network"
    )
    embedder: str = Field(
        default="arcface-mobilefacenet",
        description="Catalog entry of the embedder, left out if not built",
    )
    catalog: Path | None = Field(
        default=None, description="A catalog file of your own, beside ours"
    )
    plans: Path = Field(
        default=DEFAULT_FOLDER, description="Folder of built plans and pulled weights"
    )
    workers: int = Field(
        default=0,
        ge=0,
        description="Worker processes; 0 is one per core of affinity and CPU quota, or two per "
        "core in front of a device process",
    )
    isolate: bool = Field(
        default=True,
        description="Analyze images in worker processes, each started anew when it dies or hangs "
        "(Linux); else in threads of the service",
    )
    device_process: bool | None = Field(
        default=None,
        description="Run the networks in a device process that batches the rows of all workers; "
        "by default where a GPU runs them, one process per GPU",
    )
    batch_limit_s: float | None = Field(
        default=None,
        gt=0,
        description="Longest time a batch, or decoding an image, may take before its process is "
        "started anew, seconds; by default a third of deadline_s, but not below 5",
    )

    max_body_bytes: Count = Field(default=64 * MEBI, description="Largest request body")
    max_held_bytes: Count = Field(
        default=1024 * MEBI,
        description="Bytes of bodies, and of images fetched for them, held at once in all",
    )
    max_image_bytes: Count = Field(default=32 * MEBI, description="Largest encoded image")
    max_pixels: Count = Field(default=64_000_000, description="Most pixels an image may decode to")
    max_images: Count = Field(default=64, description="Most images a request may hold")
    max_queue: Count = Field(
        default=512, description="Images that may be under way, from being let in to their answer"
    )
    deadline_s: float = Field(
        default=30.0, gt=0, description="Longest time a request may take, seconds"
    )

    max_connections: Count = Field(
        default=4096,
        description="Connections that may be open at once; each takes a file descriptor",
    )
    patience_s: float = Field(
        default=10.0,
        gt=0,
        description="Longest wait for the head of a request, or for a client that does not read "
        "its answer, seconds",
    )

    min_score: Fraction = Field(
        default=0.5, description="Least detection score of a face, by default"
    )
    max_faces: Count = Field(default=100, description="Most faces an image may give, by default")
    nms_iou: Fraction = Field(
        default=0.4, description="Overlap above which two detections are one face"
    )
    close_ups: CloseUps = Field(
        default="auto",
        description="Look again at a third the size for faces that fill the frame; auto where one "
        "is half seen",
    )

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Keys that clients must show, KEY or NAME:KEY, separated by commas; without "
        "these and a file of keys everybody is let in",
    )
    api_keys_file: Path | None = Field(
        default=None,
        description="File of keys by hash, `emotions keys new NAME`; read again within about a "
        "second of a change",
    )
    max_images_per_key: int = Field(
        default=128, ge=0, description="Images a key may have under way at once; 0 is any number"
    )

    url_allow: List = Field(
        default=(),
        description="Where images may be fetched from, as https://images.example.com or "
        "https://*.example.com:8443, separated by commas; empty turns URLs off",
    )
    url_networks: List = Field(
        default=(),
        description="Networks, as 10.1.0.0/16, that URLs may lead to although they are not public",
    )
    url_timeout_s: float = Field(
        default=10.0, gt=0, description="Longest time to fetch one image, seconds"
    )
    url_max_redirects: int = Field(default=3, ge=0, description="Redirects to follow, at most")

    docs: bool = Field(default=True, description="Serve /docs and /openapi.json")
    cors_origins: List = Field(
        default=(),
        description="Origins of web pages that may ask, as https://example.com, separated by "
        "commas",
    )
    otlp_url: str | None = Field(
        default=None,
        description="Collector that traces go to by OTLP over HTTP, as http://localhost:4318; "
        "needs the extra otel",
    )
    trace_share: Fraction = Field(
        default=1.0, description="Share of requests to trace where the caller has not decided"
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Form of the log lines")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level"
    )

    @field_validator("api_keys", "url_allow", "url_networks", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Take a list as one string with commas, the form that an environment variable has."""
        return (
            [item.strip() for item in value.split(",") if item.strip()]
            if isinstance(value, str)
            else value
        )


def wrong(kind: type[BaseSettings], error: ValidationError) -> str:
    """Which settings of `kind` are wrong and how; never what they are, which may be a key."""
    return "; ".join(
        _told(kind, ".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()
    )


def _told(kind: type[BaseSettings], name: str, message: str) -> str:
    field = kind.model_fields.get(name.partition(".")[0])
    about = f" ({field.description})" if field and field.description else ""
    return f"{kind.model_config.get('env_prefix', '')}{name.upper()}: {message}{about}"
