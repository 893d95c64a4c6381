"""From an ONNX graph to a plan: the graph after a line of profiles."""

import json
from typing import Any

import onnx

from tests.engines.backends.fake_tensorrt.types import (
    MARK,
    BuilderFlag,
    ILogger,
    ITensor,
    NetworkDefinitionCreationFlag,
    log,
)


class INetworkDefinition:
    model: onnx.ModelProto

    @property
    def num_inputs(self) -> int:
        return len(self.model.graph.input)

    def get_input(self, index: int) -> ITensor:
        return ITensor(self.model.graph.input[index])


class OnnxParser:
    num_errors = 1

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        assert isinstance(logger, ILogger)
        self._network = network

    def parse(self, model: bytes) -> bool:
        self._network.model = onnx.load_model_from_string(model)
        return all(node.op_type != "NonZero" for node in self._network.model.graph.node)

    def get_error(self, index: int) -> str:
        return f"error {index}: NonZero is not supported"


class IOptimizationProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[Any, Any, Any]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # noqa: A002
        self.shapes[input] = (min, opt, max)


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"t"


class IBuilderConfig:
    progress_monitor: Any

    def __init__(self) -> None:
        self.profiles: list[IOptimizationProfile] = []
        self.cleared: list[BuilderFlag] = []

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.cleared.append(flag)

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        return not ignore_mismatch and not cache.content.startswith(b"other GPU")


class Builder:
    def __init__(self, logger: ILogger) -> None:
        self._logger: Any = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> bytes | None:
        assert config.cleared == [BuilderFlag.TF32]
        monitor = config.progress_monitor
        monitor.phase_start("Building engine", None, 2)
        for step in range(2):
            if not monitor.step_complete("Building engine", step):
                return None
        monitor.phase_finish("Building engine")
        if network.model.graph.name == "unbuildable":
            log(self._logger, "ERROR", "no tactic was found")
            return None
        shapes = [list(profile.shapes.items()) for profile in config.profiles]
        content: bytes = network.model.SerializeToString()
        return MARK + json.dumps(shapes).encode() + b"\n" + content
