"""Analyzers of images: by the networks on this machine, or by a service elsewhere."""

from contextlib import AbstractAsyncContextManager

from analysis.types import Options
from offline.analyzers.local import open_local
from offline.analyzers.remote import open_remote
from offline.analyzers.types import Analyzer
from service.settings import Settings


def open_analyzer(
    settings: Settings, options: Options, url: str | None = None, *, identify: bool = False
) -> AbstractAsyncContextManager[Analyzer]:
    """Open the networks on this machine, or connect to the service at `url`.

    `identify` adds embeddings to `options` if there is an embedder.

    Raises:
        EngineError: see `open_local`.
        RemoteError: see `open_remote`.
    """
    if url:
        return open_remote(url, settings, options, identify=identify)
    return open_local(settings, options, identify=identify)
