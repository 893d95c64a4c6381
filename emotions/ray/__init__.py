"""An application of Ray Serve: `serve run emotions.ray:app`."""

from emotions.ray.application import Arguments, app

__all__ = ["Arguments", "app"]
