"""The experiment of notebook 04 over several seeds, and the results that come with the course."""

import numpy as np
import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.metrics import VocResult
from yolocourse.studies import anchor_boxes as study
from yolocourse.studies.results import read, select, summary

LABELS = toytown.labels("coarse")


def test_a_small_run_writes_a_row_for_each_network_and_slice(tmp_path):
    out = tmp_path / "results.csv"
    study.run([3], out, scenes=16, tests=2, images=16)
    rows = read(out)
    assert [(row["network"], row["slice"]) for row in rows] == [(n, s) for n in study.NETWORKS for s in study.SLICES]
    assert all(row["seed"] == 3 and row["images"] == 16 and 0 <= row["AP50"] <= row["recall"] <= 1 for row in rows)


def test_share_found_counts_things_and_not_classes():
    result = VocResult(np.zeros(3), 0.0, np.array([0.1, 1.0, np.nan]), 0.55, [], np.array([90, 10, 0]))
    assert study.share_found(result) == pytest.approx((9 + 10) / 100)


def test_share_misnamed_by_hand():
    there = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    target = {"boxes": there, "labels": torch.tensor([0, 1])}
    boxes = torch.cat([there, there[:1] + 30, there[:1]])
    found = {"boxes": boxes, "scores": torch.tensor([0.9, 0.8, 0.7, 0.6]), "labels": torch.tensor([0, 2, 0, 3])}
    nothing = {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.long)}
    # two things, so the two best boxes count: one right, one on a thing of another class
    assert study.share_misnamed([found], [target]) == 0.5
    # with another picture of two things all four count: right, wrong name, on nothing, wrong name
    assert study.share_misnamed([found, nothing], [target, target]) == 0.5


def test_unknown_network():
    with pytest.raises(ValueError, match="known: connected"):
        study.build("yolo", study.recipe_for(0), LABELS)


def output_of(network, images):
    torch.manual_seed(0)
    model = study.build(network, study.recipe_for(0), LABELS).eval()
    with torch.no_grad():
        return model, model(images)


def test_convolutional_yolo_puts_out_what_yolo_does():
    images = torch.rand(2, 3, 224, 224)
    (connected, a), (convolutional, b) = (output_of(name, images) for name in ("connected", "convolutional"))
    assert a.shape == b.shape == (2, 7, 7, 10 + len(LABELS))
    start = connected.head[-1].bias.detach().view(7, 7, -1)
    torch.testing.assert_close(b, start.expand_as(b), atol=0.3, rtol=0)  # nearly the same numbers before training
    loss, decode = study.way_of("convolutional", LABELS)
    assert decode(b).boxes.shape == (2, 98, 4)
    boxes, labels = torch.tensor([[[64.0, 96, 112, 128]]] * 2), torch.zeros(2, 1, dtype=torch.long)
    assert torch.isfinite(loss(b, boxes, labels).total)


def test_each_cell_of_the_convolutional_one_has_the_same_weights():
    torch.manual_seed(0)
    head = study.convolutional_yolo(len(LABELS)).head.eval()
    features = torch.rand(1, head[0][0].in_channels, 7, 7)
    with torch.no_grad():
        one, moved = (head(x).view(1, 7, 7, -1) for x in (features, features.roll(2, dims=3)))
    torch.testing.assert_close(one[:, 2:5, 1:4], moved[:, 2:5, 3:6])  # away from the border


def test_one_list_is_the_same_for_all_anchors_of_a_cell():
    images = torch.rand(1, 3, 224, 224)
    (model, shared), (_, own) = (output_of(name, images) for name in ("one list", "anchors"))
    shared, own = (x.unflatten(1, (5, -1)) for x in (shared, own))
    torch.testing.assert_close(shared[:, :, 5:], own[:, :, 5:].mean(1, keepdim=True).expand_as(own[:, :, 5:]))
    torch.testing.assert_close(shared[:, :, :5], own[:, :, :5])
    assert model.num_outputs == len(LABELS)


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def test_results_have_three_seeds_of_all_networks(rows):
    found = {(row["network"], row["seed"], row["slice"]) for row in rows}
    assert {(n, seed, s) for n in study.NETWORKS for seed in range(3) for s in study.SLICES} <= found
    assert len(found) == len(rows) and {row["images"] for row in rows} == {study.IMAGES}


def gains(rows, column, name, before="convolutional", after="anchors"):
    """What `after` has more than `before`, seed by seed."""
    one, two = (
        {row["seed"]: row[column] for row in select(rows, network=network, slice=name)} for network in (before, after)
    )
    return [two[seed] - one[seed] for seed in sorted(one)]


def test_results_say_what_the_notebook_says(rows):
    assert min(gains(rows, "found", "overlap")) > 0.03  # recall rises by several points where things share a cell
    assert min(gains(rows, "found", "everyday")) > 0.01 and max(gains(rows, "found", "everyday")) < 0.1
    assert max(gains(rows, "found", "flock")) < 0  # a flock gains nothing,
    assert min(gains(rows, "recall", "flock")) > 0.05  # but the mean over the classes does not show it
    assert max(gains(rows, "AP50", "everyday")) < 0
    assert min(gains(rows, "AP50", "overlap")) < 0 < max(gains(rows, "AP50", "overlap"))
    for name in study.SLICES:
        assert min(gains(rows, "found", name, "connected", "convolutional")) > 0.03


def test_results_say_what_the_notebook_says_about_class_lists(rows):
    assert min(gains(rows, "found", "overlap", "one list")) > 0
    means = [summary(select(rows, network=n, slice="overlap"), "misnamed").mean for n in study.NETWORKS[1:]]
    assert means == sorted(means, reverse=True)
    for name in ("overlap", "everyday"):
        one, own = (summary(select(rows, network=n, slice=name), "AP50").mean for n in ("one list", "anchors"))
        assert abs(one - own) < 0.02
