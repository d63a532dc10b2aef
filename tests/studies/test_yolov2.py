"""The experiment of notebook 10 over several seeds, and the results that come with the course."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.engine.train import train
from yolocourse.error_analysis import analyse_errors
from yolocourse.studies import yolov2 as study
from yolocourse.studies.results import read, select, summary


def test_a_small_run_writes_a_row_for_each_set_of_weights(tmp_path):
    rows = study.run([3], tmp_path / "results.csv", scenes=20, tests=2, images=16)
    assert [(row["weights"], row["seed"]) for row in rows] == [(name, 3) for name in study.WEIGHTS]
    assert all(row["images"] == 16 and 0 <= row["AP50"] <= 1 for row in rows)
    assert study.run([3], tmp_path / "results.csv", scenes=20, tests=2, images=16) == rows  # nothing is run twice


def test_a_lesson_cut_short_is_no_result(tmp_path, monkeypatch):
    def cut(*arguments, **more):
        return replace(train(*arguments, **more), interrupted=True)

    monkeypatch.setattr(study, "train", cut)
    with pytest.raises(KeyboardInterrupt):
        study.run([3], tmp_path / "results.csv", scenes=20, tests=2, images=16, weights=["equal"])
    assert not (tmp_path / "results.csv").exists()


def test_similar_classes_are_those_of_toy_town():
    labels = toytown.labels("coarse")
    names = [[labels.names[label] for label in group] for group in study.similar(labels)]
    assert names == [["dog", "cat", "bird", "fish"], ["car", "bus", "boat", "bicycle"]]


def test_error_shares_by_hand():
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    found = {"boxes": boxes[:1], "scores": torch.tensor([0.9]), "labels": torch.tensor([0])}
    shares = study.error_shares(analyse_errors([found], [{"boxes": boxes, "labels": torch.tensor([0, 1])}], 2))
    assert shares["correct"] == 1 and shares["background"] == 0 and shares["missed"] == 0.5
    assert np.isclose(sum(value for name, value in shares.items() if name != "missed"), 1)


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def test_results_have_three_seeds_of_all_weights(rows):
    found = [(row["weights"], row["seed"]) for row in rows]
    assert {(name, seed) for name in study.WEIGHTS for seed in range(3)} <= set(found) and len(set(found)) == len(found)
    assert all(row["images"] == study.IMAGES for row in rows)


def test_results_say_what_the_notebook_says(rows):
    """Section 4: localisation is the largest error after so short a lesson, whichever the seed."""
    for row in select(rows, weights="darknet"):
        assert row["localisation"] > 1.5 * max(row[kind] for kind in ("similar", "other", "background"))
    ap50 = summary(select(rows, weights="darknet"), "AP50")
    assert ap50.count >= 3 and ap50.high - ap50.low < 0.06


def test_results_say_of_the_weights_what_the_notebook_says(rows):
    """Section 4: YOLO's weights reach a lower AP50 and find as much; 1 everywhere finds less."""

    def span(weights, column):
        found = summary(select(rows, weights=weights), column)
        return found.low, found.high

    assert span("yolo", "AP50")[1] < span("darknet", "AP50")[0]
    assert span("equal", "AP50")[1] < span("yolo", "AP50")[0]
    assert span("yolo", "correct")[1] < span("darknet", "correct")[0]
    assert span("yolo", "other")[0] > span("darknet", "other")[1]
    assert span("equal", "recall")[1] < span("darknet", "recall")[0]
    for column in ("recall", "AP75"):
        means = [summary(select(rows, weights=weights), column).mean for weights in ("darknet", "yolo")]
        assert abs(means[0] - means[1]) < 0.02
