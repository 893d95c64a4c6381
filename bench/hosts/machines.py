"""GPUs with their published rates, and hosts of cloud providers. Each number names its source.

`resnet50`: images per second of ResNet-50 v1.5, int8, TensorRT: MLPerf Inference, data center,
closed division, scenario Offline, NVIDIA's own runs on one GPU; the rate is in the file
`closed/NVIDIA/results/SYSTEM/resnet50/Offline/performance/run_1/mlperf_log_summary.txt` of
github.com/mlcommons/inference_results_VERSION. No other rate is published for all of these GPUs
by one author with one method.

`jpeg_pixels`: decoded pixels per second in units of 1e9. Ampere's A100 and A30, Ada, Hopper and
Blackwell have hardware for JPEG (nvJPEG's documentation, "Hardware Acceleration"). One rate is
published: 1000 JPEGs of 551x676 pixels, the mean, in 127.7 ms on an A100 with nvJPEG
(github.com/pytorch/vision, pull request 8496). NVIDIA states a decoder of 5 cores for the A100, 4
decoders for the L4, and 7 for H100 and H200; each counts as a core of the A100. An A10 decodes on
the units that run the networks: 6,000 images/s of ImageNet on an A100 without its decoder (NVIDIA's
article on DALI and the JPEG decoder of the A100, quoted in github.com/NVIDIA/DALI, issue 5362), at
0.19 million pixels each, scaled by the ratio of `resnet50`.

`pcie`: bytes per second in units of 1e9, host to GPU. PCIe 5.0: 54.8 was measured on an H100
(github.com/aigatech/vpbenchmarking); PCIe 4.0 counts as half of that.
"""

from typing import NamedTuple

JPEG_CORE = 1000 * 551 * 676 / 0.1277 / 5 / 1e9
CUDA_ON_A100 = 6000 * 0.19e-3
A100 = 42_379.3
PCIE_5 = 54.8
PCIE_4 = PCIE_5 / 2


class GpuModel(NamedTuple):
    """A type of GPU: see above. `engines`: its JPEG decoders; 0 if its cores decode."""

    name: str
    resnet50: float
    pcie: float
    engines: int

    @property
    def jpeg_pixels(self) -> float:
        """Decoded pixels per second, in units of 1e9."""
        return self.engines * JPEG_CORE or CUDA_ON_A100 * self.resnet50 / A100


class Host(NamedTuple):
    """A machine type: its vCPUs, which are hyperthreads, and its GPUs."""

    name: str
    cores: int
    gpus: int
    gpu: GpuModel


# The known GPU: `bench.fakes.device.Cost` has times of RetinaFace on it. MLPerf v0.7, T4x1_TRT.
T4 = GpuModel("T4", 6_035.57, PCIE_4, 0)
GPUS = {
    gpu.name: gpu
    for gpu in (
        GpuModel("L4", 12_881.7, PCIE_4, 4),  # v3.1, L4x1_TRT
        GpuModel("A10", 13_805.2, PCIE_4, 0),  # v1.1, A10x1_TRT
        GpuModel("A100", A100, PCIE_4, 5),  # v3.0, DGX-A100_A100-SXM-80GBx1_TRT
        GpuModel("H100", 88_714.3, PCIE_5, 7),  # v4.0, DGX-H100_H100-SXM-80GBx1_TRT
        GpuModel("H200", 756_960 / 8, PCIE_5, 7),  # v4.1, H200-SXM-141GBx8_TRT
    )
}
# vCPUs and GPUs as the providers list them: Compute Engine, "Accelerator-optimized machine family";
# Amazon EC2, "Accelerated computing instances". A g5 has an A10G, for which MLPerf has no rate: it
# counts as an A10.
HOSTS = tuple(
    Host(name, cores, gpus, GPUS[gpu])
    for name, cores, gpus, gpu in (
        ("g2-standard-4", 4, 1, "L4"),
        ("g6.4xlarge", 16, 1, "L4"),
        ("g6.48xlarge", 192, 8, "L4"),
        ("g5.4xlarge", 16, 1, "A10"),
        ("a2-highgpu-1g", 12, 1, "A100"),
        ("p4d.24xlarge", 96, 8, "A100"),
        ("a3-highgpu-1g", 26, 1, "H100"),
        ("p5.48xlarge", 192, 8, "H100"),
        ("p5en.48xlarge", 192, 8, "H200"),
    )
)
