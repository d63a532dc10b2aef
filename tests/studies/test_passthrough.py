"""The experiment of notebook 07 over several seeds, and the results that come with the course."""

import pytest
import torch

from yolocourse.datasets.toytown import labels
from yolocourse.recipes import toytown
from yolocourse.studies import passthrough as study
from yolocourse.studies.results import read, select, summary
from yolocourse.weights.checkpoint import load_checkpoint


def expected(seeds):
    return {
        (start, network, seed, name)
        for start, networks in study.STARTED.items()
        for network in networks
        for seed in seeds
        for name in study.SLICES
    }


def keys(rows):
    return [(row["start"], row["network"], row["seed"], row["slice"]) for row in rows]


def test_a_small_run_writes_a_row_for_each_network_and_slice(tmp_path):
    rows = study.run([3], tmp_path / "results.csv", scenes=20, tests=2, images=16)
    assert set(keys(rows)) == expected([3]) and len(rows) == 14
    assert all(row["images"] == 16 and 0 <= row["AP50"] <= 1 for row in rows)
    assert study.run([3], tmp_path / "results.csv", scenes=20, tests=2, images=16) == rows  # nothing is run twice


@pytest.mark.parametrize(("network", "inputs"), [("without", 256), ("pooled", 320), ("clean", 320), ("darknet", 320)])
def test_inputs_of_the_last_convolution(network, inputs):
    """The pooled fine features are as many as the passthrough's, so that only their places are missing."""
    model = study.build(network, toytown(), labels("coarse"), [[1, 1], [2, 2]])
    assert model.merge[0].in_channels == inputs
    assert model(torch.zeros(2, 3, 64, 96)).shape == (2, 2 * 17, 2, 3)
    assert model.stride == 32


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match="unknown network 'wide'; known: without, pooled"):
        study.build("wide", toytown(), None, None)


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def test_a_start_brings_its_layers_along_and_no_others():
    shipped = load_checkpoint(study.DETECTOR).model.state_dict()
    for start, brought in (("classifier", ()), ("detector", ("trunk.", "neck."))):
        model = study.build("darknet", toytown(), labels("coarse"), [[1, 1]] * 5)
        study.begin(model, start)
        same = {name for name, tensor in model.state_dict().items() if torch.equal(tensor, shipped[name])}
        convolutions = {name for name in shipped if name.endswith("0.weight") and name.count(".") > 1}
        assert same & convolutions == {name for name in convolutions if name.startswith(brought)}


def test_results_have_three_seeds_of_all_networks(rows):
    assert expected(range(3)) <= set(keys(rows)) and len(set(keys(rows))) == len(rows)
    assert all(row["images"] == study.STARTS[row["start"]]["images"] for row in rows)


def values(rows, network, name, column):
    return [row[column] for row in sorted(select(rows, network=network, slice=name), key=lambda row: row["seed"])]


def test_results_say_what_the_notebook_says(rows):
    """Section 4: a large gain over "without", little over "pooled"; from the later start, small things gain."""
    classifier, detector = (select(rows, start=start) for start in study.STARTS)
    for name in study.SLICES:
        without, pooled, clean = (values(classifier, n, name, "AP50") for n in ("without", "pooled", "clean"))
        assert min(clean) > 2 * max(without) and min(pooled) > 2 * max(without)
        assert abs(sum(clean) - sum(pooled)) / 3 < 0.02
        small_pooled, small_clean = (values(detector, n, name, "AP_small") for n in ("pooled", "clean"))
        assert min(small_clean) > max(small_pooled)
    ratios = {
        name: summary(select(detector, network="clean", slice=name), "AP_small").mean
        / summary(select(detector, network="pooled", slice=name), "AP_small").mean
        for name in study.SLICES
    }
    assert 1.8 < ratios["flock"] < 2.5 and 1.25 < ratios["everyday"] < 1.45


def test_results_say_of_darknets_order_what_the_notebook_says(rows):
    detector = select(rows, start="detector")
    for name in study.SLICES:
        darknet, pooled, clean = (
            summary(select(detector, network=network, slice=name), "AP_small")
            for network in ("darknet", "pooled", "clean")
        )
        assert darknet.mean < pooled.high and darknet.high < clean.low
    assert max(values(detector, "darknet", "everyday", "AP50")) < min(values(detector, "pooled", "everyday", "AP50"))
