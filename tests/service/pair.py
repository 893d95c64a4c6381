"""An engine with two GPUs without computation: the first finds one face, the second two."""

from bench.fakes import FakeEngine

NAME = "tests.service.pair:engine:x"


class Pair(FakeEngine):
    def __init__(self, faces: int = 0) -> None:
        super().__init__(NAME, faces)

    def devices(self) -> int:
        return 2

    def on(self, device: int) -> "Pair":
        return Pair(device + 1)


def engine(_: str) -> Pair:
    return Pair()
