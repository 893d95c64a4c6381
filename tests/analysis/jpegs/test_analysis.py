"""An analysis with the decoder of a GPU."""

from analysis.analyze import analyze
from analysis.timing import Batch
from analysis.types import Input, Options
from tests.analysis.fakes import Recorder
from tests.analysis.jpegs.decoders import Recording
from tests.analysis.jpegs.files import sampled

LARGE = (1280, 960)


def test_the_decoder_gets_the_images_and_reports_its_batches() -> None:
    gpu, networks = Recording(), Recorder().networks(images=2)
    networks.jpeg_decoder = gpu
    inputs = [Input(sampled(each), Options()) for each in ("420", "444", "411")]
    found = [result.unwrap() for result in analyze(inputs, networks)]
    assert [(each.width, each.height) for each in found] == [(321, 243)] * 3
    assert gpu.calls == 2
    assert Batch("jpegs", 2, 0.0, 0.0, 0.0) in networks.take_batches()


def test_an_image_with_a_small_face_is_decoded_there_again() -> None:
    gpu, networks = Recording(), Recorder(boxes=((10.0, 10.0, 30.0, 34.0),)).networks()
    networks.jpeg_decoder = gpu
    (result,) = analyze([Input(sampled("420", LARGE), Options(min_face="fast"))], networks)
    assert len(result.unwrap().faces.boxes) == 1
    assert gpu.calls == 2


def test_the_cpu_decodes_an_image_that_was_on_a_device_when_it_ended() -> None:
    gpu, networks = Recording(), Recorder().networks()
    networks.jpeg_decoder = gpu
    for trusted in (False, True):
        analyze([Input(sampled("420"), Options(), trusted)], networks)
        assert gpu.calls == trusted
