"""The experiments of notebook 05: a tiny run, and the results that come with the course."""

import numpy as np
import pytest
import torch

from yolocourse import grid
from yolocourse.anchors import average_iou, dimension_clusters
from yolocourse.studies import dimension_clusters as study
from yolocourse.studies.results import read, select


def test_a_tiny_run_is_not_done_twice(tmp_path, monkeypatch):
    out, runs = tmp_path / "results.csv", (("clusters", 16), ("squares", 16))
    rows = study.study([3], out, scenes=20, tests=2, runs=runs)
    trained = select(rows, experiment="training")
    assert [(row["anchors"], row["slice"]) for row in trained] == [(n, s) for n, _ in runs for s in study.SLICES]
    for row in trained:
        assert row["seed"] == 3 and row["images"] == 16 and row["k"] == 5
        assert all(0 <= row[name] <= 1 for name in ("AP50", "recall", "AP", "AP50 unstretched", "recall in training"))
    fits = {row["anchors"]: row["average IoU"] for row in select(rows, experiment="fit")}
    assert len(fits) == 5 and fits["clusters, IoU"] > fits["by hand, squares"]
    monkeypatch.setattr(study, "training", None)
    assert study.study([3], out, scenes=20, tests=2, runs=runs) == read(out)


def test_squared_clusters_are_plain_k_means():
    """Each box in the cluster with the nearest centre, each centre the mean of its boxes; better than other centres."""
    sizes = np.exp(np.random.default_rng(0).normal(0.5, 0.8, (300, 2)))
    centres = study.squared_clusters(sizes, 4)
    squares = ((sizes[:, None] - centres[None]) ** 2).sum(-1)
    for k in range(4):
        np.testing.assert_allclose(sizes[squares.argmin(1) == k].mean(0), centres[k])
    by_iou = ((sizes[:, None] - dimension_clusters(sizes, 4).anchors[None]) ** 2).sum(-1)
    assert squares.min(1).sum() < by_iou.min(1).sum()


def test_nine_by_hand_are_three_sizes_in_three_proportions():
    nine = np.array(study.NINE)
    np.testing.assert_allclose(sorted(nine.prod(1)), [1, 1, 1, 4, 4, 4, 16, 16, 16])
    np.testing.assert_allclose(sorted(nine[:, 0] / nine[:, 1]), [0.5] * 3 + [1] * 3 + [2] * 3)


def test_unstretched_boxes_have_the_sizes_of_their_anchors():
    torch.manual_seed(0)
    anchors, raw = np.array([[1.0, 2.0], [3.0, 1.0]]), torch.randn(2, 2 * 8, 3, 3)
    fixed, free = study.unstretched(anchors)(raw), grid.decode(raw, torch.tensor(anchors).float())
    size = (fixed.boxes[..., 2:] - fixed.boxes[..., :2]).view(2, 2, 9, 2)
    for a in (0, 1):
        torch.testing.assert_close(size[:, a], torch.tensor(anchors[a] * 32).float().expand(2, 9, 2))
    torch.testing.assert_close(
        fixed.boxes[..., :2] + fixed.boxes[..., 2:], free.boxes[..., :2] + free.boxes[..., 2:], atol=1e-3, rtol=1e-5
    )
    torch.testing.assert_close(fixed.scores, free.scores)


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def test_results_are_complete(rows):
    trained = {(r["anchors"], r["images"], r["seed"], r["slice"]) for r in select(rows, experiment="training")}
    seeds = {row["seed"] for row in rows}
    assert len(seeds) >= 3
    assert trained == {(n, i, s, t) for n, i in study.RUNS for s in seeds for t in study.SLICES}
    assert len(select(rows, experiment="fit")) == 5 * len(seeds)


def test_results_of_seed_0_are_what_the_package_finds_now(rows):
    from yolocourse.datasets import toytown

    sizes = np.asarray(toytown.scenes(1000).sizes()) * study.CELLS
    fits = {row["anchors"]: row["average IoU"] for row in select(rows, experiment="fit", seed=0)}
    assert fits["by hand, squares"] == pytest.approx(average_iou(sizes, study.SQUARES), abs=1e-3)
    assert fits["clusters, IoU"] == pytest.approx(dimension_clusters(sizes, 5).average_iou, abs=1e-3)


def lead(rows, column, images, slice, over="squares"):
    """Clusters minus other anchors, for each seed."""
    values = {
        name: {r["seed"]: r[column] for r in select(rows, anchors=name, images=images, slice=slice)}
        for name in ("clusters", over)
    }
    return [values["clusters"][seed] - values[over][seed] for seed in values["clusters"]]


def test_results_say_what_the_notebook_says_about_average_iou(rows):
    for seed in {row["seed"] for row in rows}:
        fits = {row["anchors"]: row["average IoU"] for row in select(rows, experiment="fit", seed=seed)}
        assert fits["clusters, Euclidean"] < fits["clusters, IoU"] < fits["clusters, IoU, nine"]
        assert fits["by hand, squares"] < fits["by hand, nine"] < fits["clusters, IoU"] - 0.1


@pytest.mark.parametrize("slice", ["overlap", "aspect", "everyday"])
def test_results_say_what_the_notebook_says_about_ap(rows, slice):
    assert min(lead(rows, "AP50", 1_500, slice)) > 0
    assert min(lead(rows, "AP", 1_500, slice)) > 0 and min(lead(rows, "AP", 4_000, slice)) > 0
    if slice == "overlap":
        assert min(lead(rows, "AP50", 4_000, slice)) > 0
    else:
        assert min(lead(rows, "AP50", 4_000, slice)) < 0 < max(lead(rows, "AP50", 4_000, slice))


def test_results_say_what_the_notebook_says_about_learning_and_stretching(rows):
    for images in (1_500, 4_000):
        assert min(lead(rows, "recall in training", images, "everyday")) > 0.03
        assert min(lead(rows, "AP50 unstretched", images, "everyday")) > 0.05
    assert min(lead(rows, "recall", 4_000, "overlap", over="VOC's")) > 0.1
    for name, kept in {"clusters": (0.75, 1.0), "squares": (0.4, 0.8), "VOC's": (0.3, 0.55)}.items():
        for slice in study.SLICES:
            found = select(rows, anchors=name, images=4_000, slice=slice)
            share = sum(row["AP50 unstretched"] for row in found) / sum(row["AP50"] for row in found)
            assert kept[0] < share < kept[1], (name, slice)
