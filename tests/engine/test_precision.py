"""The choice between float32 and bfloat16 follows the clock."""

import pytest
import torch

from yolocourse.engine import precision


@pytest.fixture
def fresh():
    precision.fastest_precision.cache_clear()
    yield
    precision.fastest_precision.cache_clear()


@pytest.mark.parametrize(
    ("plain", "half", "chosen"),
    [
        (1.0, 0.5, torch.bfloat16),
        (1.0, 0.95, torch.float32),  # faster, but within the noise
        (1.0, 8.0, torch.float32),  # computed in software
        (1.0, float("inf"), torch.float32),  # refused
    ],
)
def test_choice_follows_the_clock(monkeypatch, fresh, plain, half, chosen):
    monkeypatch.setattr(precision, "convolution_seconds", lambda device, dtypes: [plain, half])
    assert precision.fastest_precision("cpu") == chosen


def test_measured_once_per_device(monkeypatch, fresh):
    asked = []
    monkeypatch.setattr(precision, "convolution_seconds", lambda device, dtypes: asked.append(device) or [1.0, 1.0])
    precision.fastest_precision("cpu")
    precision.fastest_precision("cpu")
    assert asked == ["cpu"]


def test_real_times_are_short_and_leave_no_trace():
    state = torch.get_rng_state()
    grad = torch.is_grad_enabled()
    seconds = precision.convolution_seconds("cpu", (torch.float32, torch.bfloat16), repeats=2)
    assert all(0 < second < 1 for second in seconds)
    assert torch.is_grad_enabled() == grad
    assert torch.equal(torch.get_rng_state(), state), "asking must not change what is drawn next"


def test_works_where_gradients_are_off():
    with torch.no_grad():
        assert precision.convolution_seconds("cpu", (torch.float32,), repeats=1)[0] < 10


def test_refused_format_is_infinitely_slow(monkeypatch):
    real = precision._one_step

    def refuse(images, weight, dtype):
        if dtype == torch.bfloat16:
            raise RuntimeError("unsupported autocast type")
        return real(images, weight, dtype)

    monkeypatch.setattr(precision, "_one_step", refuse)
    plain, half = precision.convolution_seconds("cpu", (torch.float32, torch.bfloat16), repeats=1)
    assert plain < half == float("inf")
