"""Layer by layer: the first layer that differs is found, and by how much."""

import numpy as np
import pytest
import torch

from yolocourse.models import build, tiny, yolov2
from yolocourse.weights.compare import activations, compare, read_activations

ANCHORS = [[1.0, 2.0], [3.0, 1.5]]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return yolov2(3, ANCHORS, width=0.05)


@pytest.fixture(scope="module")
def images():
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_activations_are_those_of_the_layers(model, images):
    seen = activations(model.train(), images)
    assert model.training
    with torch.no_grad():
        raw = model.eval()(images)
        fine, coarse = model.trunk(images)
    torch.testing.assert_close(seen[-1][1], raw)
    torch.testing.assert_close(seen[16][1], fine)
    torch.testing.assert_close(seen[22][1], coarse)
    assert seen[0][1].shape == (1, 8, 64, 64) and seen[1][0].kind == "maxpool"
    assert 25 not in seen  # a route


def test_agreement_and_first_difference(model, images):
    expected = {n: output[0].clone() for n, (_, output) in activations(model, images).items() if n >= -1}
    rows = compare(model, images, expected)
    assert [row.number for row in rows] == sorted(n for n in expected if n >= 0) + [-1]
    assert max(row.relative for row in rows) == 0
    expected[13][0, 0, 0] += 0.5
    rows = compare(model, images, expected)
    (wrong,) = [row for row in rows if row.relative > 1e-6]
    assert wrong.number == 13 and wrong.difference == pytest.approx(0.5, rel=1e-4)
    assert wrong.largest == expected[13].abs().max()


def test_a_classifiers_probabilities(images):
    model = build("darknet19", num_outputs=5, width=0.05).eval()
    with torch.no_grad():
        expected = model(images).softmax(1)
    (row,) = compare(model, images, {-2: expected})
    assert row.difference == 0


def test_other_networks_are_refused(model, images):
    with pytest.raises(
        ValueError, match=r"layer 0 \(convolutional\) has shape \(8, 64, 64\) here, \(4, 64, 64\) expec"
    ):
        compare(model, images, {0: torch.zeros(4, 64, 64)})
    with pytest.raises(ValueError, match="layer 99 is expected, but the network has 31 layers"):
        compare(model, images, {99: torch.zeros(1)})


def test_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, input=np.zeros((3, 32, 64)), layer_00=np.ones((2, 2)), layer_12=np.ones(3), head=np.ones(4), seed=1)
    images, expected = read_activations(path)
    assert images.shape == (1, 3, 32, 64) and images.dtype == torch.float32
    assert sorted(expected) == [-1, 0, 12]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"head": np.ones(3)}, "needs the arrays input and layer_00"),
        ({"input": np.ones((1, 32, 32)), "head": np.ones(3)}, r"input of shape \(1, 1, 32, 32\)"),
        ({"input": np.ones((3, 32, 32)), "layer_one": np.ones(3)}, "layers are named layer_00"),
        ({"input": np.ones((3, 32, 32)), "head": np.array([object()])}, "cannot be read as .npz"),
    ],
)
def test_bad_files(arrays, message, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_activations(tmp_path / "a.npz")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file of activations"):
        read_activations(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read as .npz"):
        read_activations(tmp_path / "a.npz")


def test_tiny_counts_its_last_pooling():
    model = tiny(3, ANCHORS, width=0.05)
    seen = activations(model, torch.rand(1, 3, 64, 64))
    assert [seen[n][0].kind for n in (10, 11, 12)] == ["convolutional", "samepool", "convolutional"]
