"""Learning rates by hand, and who is pulled to zero."""

import pytest
import torch
from torch import nn

from yolocourse.engine.schedule import AdamW, learning_rate, make_optimizer
from yolocourse.engine.settings import TrainSettings
from yolocourse.models import yolov2

RATE = {"learning_rate": 0.1, "images": 1000, "warmup_images": 100}


@pytest.mark.parametrize(
    ("seen", "power", "expected"),
    [(0, 1, 0.001), (49, 1, 0.05), (99, 1, 0.1), (49, 4, 0.1 / 16), (99, 4, 0.1), (100, 4, 0.1)],
)
def test_warm_up(seen, power, expected):
    settings = TrainSettings(**RATE, warmup_power=power)
    assert learning_rate(settings, seen) == pytest.approx(expected)


@pytest.mark.parametrize(("seen", "expected"), [(100, 0.1), (400, 0.075), (550, 0.05), (700, 0.025), (1000, 0.0)])
def test_cosine_from_the_warm_up_to_zero(seen, expected):
    assert learning_rate(TrainSettings(**RATE), seen) == pytest.approx(expected, abs=1e-12)


def test_cosine_without_warm_up():
    settings = TrainSettings(**{**RATE, "warmup_images": 0})
    assert [learning_rate(settings, seen) for seen in (0, 500, 1000)] == pytest.approx([0.1, 0.05, 0.0])


def test_cosine_beyond_the_end_stays_zero():
    assert learning_rate(TrainSettings(**RATE), 1500) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("seen", "expected"), [(399, 0.1), (400, 0.05), (799, 0.05), (800, 0.025), (5000, 0.025)])
def test_steps(seen, expected):
    settings = TrainSettings(**RATE, schedule="steps", steps=(400, 800), step_factor=0.5)
    assert learning_rate(settings, seen) == pytest.approx(expected)


@pytest.mark.parametrize(("seen", "expected"), [(100, 0.1 * 0.9**4), (500, 0.1 / 16), (1000, 0), (1200, 0)])
def test_polynomial(seen, expected):
    settings = TrainSettings(**RATE, schedule="polynomial", power=4)
    assert learning_rate(settings, seen) == pytest.approx(expected)


def test_constant():
    settings = TrainSettings(**RATE, schedule="constant")
    assert {learning_rate(settings, seen) for seen in (100, 500, 1000)} == {0.1}


def test_time_limit_squeezes_the_schedule():
    """Half of the time is over although only a fifth of the pictures is done."""
    assert learning_rate(TrainSettings(**RATE), 200, progress=0.55) == pytest.approx(0.05)
    steps = TrainSettings(**RATE, schedule="steps", steps=(400, 800))
    assert learning_rate(steps, 200, progress=0.5) == pytest.approx(0.01)
    assert learning_rate(steps, 200, progress=0.3) == pytest.approx(0.1)


@pytest.mark.parametrize(("name", "kind"), [("adamw", AdamW), ("sgd", torch.optim.SGD)])
def test_only_convolution_weights_decay(name, kind):
    model = yolov2(2, [[1.0, 1.0]], width=0.02)
    optimizer = make_optimizer(model, TrainSettings(optimizer=name, weight_decay=0.03, momentum=0.8))
    assert type(optimizer) is kind
    assert optimizer.defaults["betas" if name == "adamw" else "momentum"] == ((0.8, 0.999) if name == "adamw" else 0.8)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    expected = {}
    for module in model.modules():
        for parameter_name, p in module.named_parameters(recurse=False):
            convolution = isinstance(module, torch.nn.Conv2d) and parameter_name == "weight"
            expected[id(p)] = 0.03 if convolution else 0.0
    assert decay == expected


def test_frozen_parameters_are_left_out():
    model = torch.nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    assert [len(group["params"]) for group in make_optimizer(model, TrainSettings()).param_groups] == [1, 0]


def small_network(order):
    torch.manual_seed(4)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 4, 3, groups=4)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 4 * 4, 5)).to(memory_format=order)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_adamw_is_that_of_torch(order, fused):
    networks = [small_network(order) for _ in range(2)]
    kinds = (AdamW, torch.optim.AdamW)
    optimizers = [
        k(n.parameters(), lr=0.1, weight_decay=0.3, fused=fused) for k, n in zip(kinds, networks, strict=True)
    ]
    for step in range(4):
        images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        for network, optimizer in zip(networks, optimizers, strict=True):
            optimizer.zero_grad()
            network(images.contiguous(memory_format=order)).square().sum().backward()
            optimizer.step()
    for ours, theirs in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    ours, theirs = (optimizer.state_dict()["state"] for optimizer in optimizers)
    for i in theirs:
        for name in ("exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(ours[i][name], theirs[i][name], rtol=1e-4, atol=1e-6)


def test_adamw_copies_no_gradient():
    network = small_network(torch.channels_last)
    optimizer = make_optimizer(network, TrainSettings())
    for p in network.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    with torch.profiler.profile() as profile:
        optimizer.step()
    calls = {event.key for event in profile.key_averages()}
    assert "aten::_fused_adamw_" in calls and "aten::clone" not in calls
