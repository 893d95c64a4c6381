"""Engines that need no plan: they answer without computing, or record which plans are opened.

`engines.select.load_engine` makes one of these from its origin, such as `bench.fakes:instant:8`; so
`EMOTIONS_ENGINE=bench.fakes:instant:8 emotions serve` is the real service with fake networks.
"""

from bench.fakes.engine import FakeEngine, Recorder, instant, recorder, simulated

__all__ = ["FakeEngine", "Recorder", "instant", "recorder", "simulated"]
