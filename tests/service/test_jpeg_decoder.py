"""A service whose device process decodes JPEGs."""

import sys
from pathlib import Path
from typing import Any

import pytest

from analysis.jpegs.nvimagecodec import installed
from analysis.workers.layout import Layout
from analysis.workers.replica import Replica
from engines.errors import EngineError
from service.factory import find_models, layout_of
from service.settings import Settings
from tests.analysis.jpegs.decoders import ON_CPU
from tests.observability.samples import read_samples
from tests.photographs import ASTRONAUT_FILE, encode, read
from tests.server import serving


def layout(plans: Path, **settings: Any) -> Layout:
    chosen = Settings.model_validate({"plans": plans, "engine": "onnxruntime"} | settings)
    return layout_of(chosen, find_models(chosen), Replica())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"jpeg_decoder": "nvimagecodec"}, "needs a GPU and its device process"),
        ({"jpeg_decoder": "nvimagecodec", "device_process": True}, "needs a GPU and its device"),
        ({"jpeg_decoder": "nvjpeg", "device_process": True}, "there are: cpu, nvimagecodec"),
    ],
)
def test_a_decoder_that_cannot_be_used_is_refused_at_the_start(
    plans: Path, settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(EngineError, match=problem):
        layout(plans, **settings)


@pytest.mark.skipif(
    sys.platform != "linux" or not installed(), reason="devices and nvImageCodec are for Linux"
)
def test_answers_and_metrics_with_the_decoder(plans: Path) -> None:
    kinds = {"image/jpeg": "JPEG", "image/png": "PNG"}
    answers = []
    for decoder in ("cpu", ON_CPU):
        with (
            serving(
                plans,
                engine="onnxruntime",
                workers="1",
                device_process="true",
                jpeg_decoder=decoder,
            ) as server,
            server.client() as http,
        ):
            answers += [
                http.post(
                    "/v1/emotions",
                    content=encode(read(ASTRONAUT_FILE), kind),
                    headers={"content-type": name},
                )
                for name, kind in kinds.items()
            ]
            rows = read_samples(http.get("/metrics").text)["emotions_batch_items_sum"]
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json() for answer in answers[:2]] == [answer.json() for answer in answers[2:]]
    assert len(answers[0].json()["images"][0]["faces"]) == 1
    assert ({"network": "jpegs"}, 1.0) in rows
