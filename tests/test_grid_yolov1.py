"""YOLO's decoding and encoding: numbers worked out by hand, and each undoing the other."""

import pytest
import torch

from yolocourse.grid import to_cells
from yolocourse.grid_yolov1 import decode, decode_cells, encode, split
from yolocourse.labels import FlatLabels


def raw_of(n=1, h=7, w=7, classes=2):
    return torch.zeros(n, h, w, 10 + classes)


def test_one_box_by_hand():
    raw = raw_of()
    # Row 2, column 4, second predictor: centre (4.5, 2.25) cells = (144, 72) px; a quarter of the picture wide (56 px),
    # a sixteenth high (14 px).
    raw[0, 2, 4, 5:10] = torch.tensor([0.5, 0.25, 0.5, 0.25, 0.8])
    raw[0, 2, 4, 10:] = torch.tensor([0.75, 0.25])
    found = decode(raw)
    at = (2 * 7 + 4) * 2 + 1
    torch.testing.assert_close(found.boxes[0, at], torch.tensor([144 - 28, 72 - 7, 144 + 28, 72 + 7.0]))
    torch.testing.assert_close(found.objectness[0, at], torch.tensor(0.8))
    probabilities = FlatLabels(["bird", "car"]).probabilities(found.scores[0, at])
    torch.testing.assert_close(probabilities, torch.tensor([0.75, 0.25]))
    assert found.boxes.shape == (1, 98, 4) and found.scores.shape == (1, 98, 2)


def test_a_negative_root_is_the_same_size():
    raw = raw_of()
    raw[..., 2:4] = -0.5
    torch.testing.assert_close(decode_cells(split(raw))[0, 0, 0, 0, 2:], torch.tensor([1.75, 1.75]))


def test_both_predictors_of_a_cell_share_its_classes():
    torch.manual_seed(0)
    found = decode(torch.randn(2, 7, 7, 13))
    scores = found.scores.view(2, 49, 2, 3)
    torch.testing.assert_close(scores[:, :, 0], scores[:, :, 1])


@pytest.mark.parametrize("classes", [[0.9, 0.3], [0.2, 0.1], [-0.4, 0.6], [1.7, 0.0]])
def test_score_is_confidence_times_class_probability(classes):
    """Equation 1 of the paper, wherever the class outputs, cut to 0 ... 1, do not exceed 1 together."""
    raw = raw_of()
    raw[0, 0, 0, 4], raw[0, 0, 0, 10:] = 0.5, torch.tensor(classes)
    found = decode(raw)
    score = found.objectness[0, 0] * FlatLabels(["a", "b"]).probabilities(found.scores[0, 0])
    expected = torch.tensor(classes).clamp(0, 1)
    torch.testing.assert_close(score, 0.5 * expected / max(1.0, float(expected.sum())), atol=2e-4, rtol=0)


def test_encode_undoes_decode():
    torch.manual_seed(0)
    centre, size = torch.rand(50, 2) * 7, torch.rand(50, 2) * 7
    truth = torch.cat([centre, size], dim=1)
    xy, root = encode(truth, 7, 7)
    assert ((xy >= 0) & (xy <= 1)).all()
    for box, at, side in zip(truth, xy, root, strict=True):
        column, row = box[:2].long().tolist()
        raw = raw_of()
        raw[0, row, column, :2], raw[0, row, column, 2:4] = at, side
        torch.testing.assert_close(decode_cells(split(raw))[0, row, column, 0], box, rtol=1e-5, atol=1e-5)


def test_encode_by_hand():
    # 56 x 14 px around (144, 72): cell column 4, row 2, a quarter and a sixteenth of 224.
    xy, root = encode(to_cells(torch.tensor([[116.0, 65.0, 172.0, 79.0]])), 7, 7)
    torch.testing.assert_close(xy, torch.tensor([[0.5, 0.25]]))
    torch.testing.assert_close(root, torch.tensor([[0.5, 0.25]]))


def test_a_centre_on_the_far_border_belongs_to_the_last_cell():
    xy, _ = encode(torch.tensor([[7.0, 7.0, 1.0, 1.0]]), 7, 7)
    torch.testing.assert_close(xy, torch.ones(1, 2))


@pytest.mark.parametrize("value", [1e4, -1e4, 1e30, -1e30])
def test_extreme_outputs_stay_finite(value):
    found = decode(torch.full((1, 7, 7, 12), value))
    assert all(part.isfinite().all() for part in found)
    assert ((found.objectness >= 0) & (found.objectness <= 1)).all()


@pytest.mark.parametrize("shape", [(1, 7, 7, 10), (1, 12, 49), (7, 7, 12)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \(N, H, W"):
        split(torch.zeros(shape))
