"""The experiment of notebook 09: its networks, a tiny run, and what the results that come with the course say."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models import vgg16

from yolocourse.models import Darknet19
from yolocourse.models.yolov1 import yolov1_classifier
from yolocourse.studies import darknet19 as study
from yolocourse.studies.bench import count_operations
from yolocourse.studies.results import read, select, summary


def test_a_tiny_run_has_a_row_for_each_network_and_lesson(tmp_path):
    trial = {"things": 40, "tests": 6, "lessons": (32, 64)}
    rows = study.run([3], tmp_path / "results.csv", **trial)
    assert {(row["network"], row["images"]) for row in rows} == {(n, i) for n in study.NETWORKS for i in (32, 64)}
    assert len(rows) == 10 and all(0 <= row["top1"] <= row["top5"] <= 1 and row["seed"] == 3 for row in rows)
    assert study.run([3], tmp_path / "results.csv", **trial) == rows  # nothing is run twice


@pytest.mark.parametrize(("network", "package"), [("Darknet-19", Darknet19), ("YOLO's trunk", yolov1_classifier)])
def test_networks_that_the_package_has_are_the_packages(network, package):
    torch.manual_seed(0)
    mine = study.build(network, 7).eval()
    torch.manual_seed(0)
    theirs = package(7, study.WIDTH).eval()
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(mine(x), theirs(x))


def convolutions(network):
    return [(m.in_channels, m.out_channels, *m.kernel_size) for m in network.modules() if isinstance(m, nn.Conv2d)]


def test_vgg_is_torchvisions():
    with torch.device("meta"):
        mine, theirs = study.build("VGG-16", 10, 1.0), vgg16()
    assert convolutions(mine)[:-1] == convolutions(theirs)
    assert convolutions(mine)[-1] == (512, 10, 1, 1)


@pytest.mark.parametrize(
    ("network", "billions", "layers"),
    [("Darknet-19", 5.58, 19), ("without 1x1", 8.05, 13), ("all 3x3", 8.05, 19), ("YOLO's trunk", 8.52, 21)],
)
def test_operations_at_full_width(network, billions, layers):
    """5.58 and 8.52 are the paper's own (section 3), at 224 pixels with ImageNet's 1,000 classes."""
    with torch.device("meta"):
        model = study.build(network, 1000, 1.0)
    assert count_operations(model, 224) == pytest.approx(billions, abs=0.005)
    assert len(convolutions(model)) == layers


def test_the_two_without_1x1_have_the_same_operations():
    a, b = (count_operations(study.build(network, 27), study.SIZE) for network in ("without 1x1", "all 3x3"))
    assert a == b


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match="unknown network 'ResNet'; known: Darknet-19, "):
        study.build("ResNet", 10)
    with pytest.raises(ValueError, match="at least one stage"):
        study.Trunk([])


def seen_from(stages, stage):
    """Width of what one value at the end of a stage sees, by walking an interval back to the picture."""
    low = high = 0
    for number in range(stage, -1, -1):
        for _, kernel in reversed(stages[number]):
            stride = 2 if kernel == 7 else 1
            low, high = stride * low - kernel // 2, stride * high + kernel // 2
        if number:
            low, high = 2 * low, 2 * high + 1  # the pooling before the stage
    return high - low + 1


@pytest.mark.parametrize("network", study.NETWORKS)
def test_reach(network):
    stages = study.NETWORKS[network]
    assert study.reach(stages) == [seen_from(stages, number) for number in range(len(stages))]


def test_reach_by_hand():
    """3x3; pooled, 4 pixels, and two more on either side for the next 3x3: 8."""
    assert study.reach(study.DARKNET)[:2] == [3, 8]
    assert study.reach(study.NETWORKS["VGG-16"])[0] == 5


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def top1(rows, network, lesson):
    return summary(select(rows, network=network, images=study.LESSONS[lesson]), "top1")


def test_results_hold_three_seeds_of_all(rows):
    for network in study.NETWORKS:
        for images in study.LESSONS:
            assert {row["seed"] for row in select(rows, network=network, images=images)} >= {0, 1, 2}


def test_results_say_what_the_notebook_says(rows):
    for lesson in (0, 1):
        means = {network: top1(rows, network, lesson).mean for network in study.NETWORKS}
        assert max(means, key=means.get) == "VGG-16"
        assert means["all 3x3"] < means["Darknet-19"]
        shallow = [top1(rows, network, lesson).low for network in ("without 1x1", "VGG-16")]
        deep = [top1(rows, network, lesson).high for network in ("Darknet-19", "all 3x3", "YOLO's trunk")]
        assert min(shallow) > max(deep)
    gaps = [top1(rows, "VGG-16", lesson).mean - top1(rows, "Darknet-19", lesson).mean for lesson in (0, 1)]
    assert gaps[1] < gaps[0] / 2


def test_results_fit_the_range_that_the_notebook_asserts(rows):
    """0.35 < Darknet-19 < VGG-16 < 0.95 after the short lesson, with room on both sides."""
    darknet, vgg = top1(rows, "Darknet-19", 0), top1(rows, "VGG-16", 0)
    assert darknet.low > 0.45 and darknet.high + 0.1 < vgg.low and vgg.high < 0.9


def test_operations_of_the_results(rows):
    of = {row["network"]: row["operations"] for row in rows}
    assert of["VGG-16"] / of["Darknet-19"] == pytest.approx(5.43, abs=0.01)
    assert of["all 3x3"] / of["Darknet-19"] == pytest.approx(1.43, abs=0.005) and of["all 3x3"] == of["without 1x1"]


def test_half_a_lesson_is_no_result(tmp_path, monkeypatch):
    real = study.train

    def stopped(*args, **options):
        return replace(real(*args, **options), interrupted=True)

    monkeypatch.setattr(study, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        study.run([3], tmp_path / "results.csv", things=40, tests=6, lessons=(32,))
    assert not (tmp_path / "results.csv").exists()
