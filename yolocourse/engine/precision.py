"""Which number format trains fastest on a device: measured when asked, not assumed.

A processor may accept bfloat16 and yet compute it in software, many times slower than float32; what its flags say
is no guide (torch's own check answers yes for every x86). So a small convolution is timed in both.
"""

import functools
import time

import torch
from torch.nn.functional import conv2d

GAIN_WANTED = 1.1  # bfloat16 keeps 8 bits of mantissa; that is not given up for a gain within the noise of the clock


def convolution_seconds(device: torch.device | str, dtypes: tuple[torch.dtype, ...], repeats: int = 7) -> list[float]:
    """Seconds of one 3x3 convolution, forward and backward, on `device` under autocast to each of `dtypes`.

    The best of `repeats`, taken in turns, so that a passing load on the machine hits all formats alike. A format that
    the device refuses counts as infinitely slow. Takes about 0.4 s on two cores.
    Draws nothing from torch's global generator.
    """
    device = torch.device(device)
    generator = torch.Generator().manual_seed(0)
    images, weight = (
        torch.randn(shape, generator=generator).to(device).contiguous(memory_format=torch.channels_last)
        for shape in ((8, 128, 28, 28), (128, 128, 3, 3))
    )
    images.requires_grad_()
    weight.requires_grad_()
    best = [float("inf")] * len(dtypes)
    for turn in range(repeats + 1):
        for i, dtype in enumerate(dtypes):
            try:
                seconds = _one_step(images, weight, dtype)
            except RuntimeError:
                continue
            if turn:  # the first turn loads kernels
                best[i] = min(best[i], seconds)
    return best


def _one_step(images: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> float:
    kind = images.device.type
    _synchronize(kind)
    began = time.perf_counter()
    with torch.enable_grad(), torch.autocast(kind, dtype=dtype, enabled=dtype != torch.float32):
        loss = conv2d(images, weight, padding=1).float().square().mean()
    loss.backward()
    _synchronize(kind)
    return time.perf_counter() - began


def _synchronize(kind: str) -> None:
    if kind == "cuda":
        torch.cuda.synchronize()
    elif kind == "mps":
        torch.mps.synchronize()


@functools.cache
def fastest_precision(device: torch.device | str) -> torch.dtype:
    """torch.bfloat16 where `device` computes convolutions clearly faster in it, else torch.float32.

    Measured once per device and process. For `torch.autocast(device.type, dtype=..., enabled=dtype != torch.float32)`.
    """
    plain, half = convolution_seconds(device, (torch.float32, torch.bfloat16))
    return torch.bfloat16 if half * GAIN_WANTED < plain else torch.float32
