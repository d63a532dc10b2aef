"""Raw head output <-> boxes: numbers worked out by hand, loops, and the way there and back."""

import math

import pytest
import torch

from yolocourse.boxes import xyxy_to_cxcywh
from yolocourse.grid import Predictions, assign, cell_of, decode, decode_cells, encode, split, to_cells

ANCHORS = torch.tensor([[1.0, 2.0], [3.0, 1.5]])


def logit(p):
    return math.log(p / (1 - p))


def test_decode_by_hand():
    """Two anchors, one class, a grid of 2 rows and 3 columns; one box of anchor 1 in row 1, column 2."""
    raw = torch.zeros(1, 2 * 6, 2, 3)
    raw[0, 6:, 1, 2] = torch.tensor([logit(0.25), logit(0.75), math.log(2), math.log(4), logit(0.9), 7.0])
    boxes, objectness, scores = decode(raw, ANCHORS)
    assert boxes.shape == (1, 12, 4) and objectness.shape == (1, 12) and scores.shape == (1, 12, 1)

    # Centre (2.25, 1.75) cells = (72, 56) pixels; size 3 * 2 = 6 by 1.5 * 4 = 6 cells = 192 pixels.
    torch.testing.assert_close(boxes[0, 11], torch.tensor([72.0 - 96, 56.0 - 96, 72.0 + 96, 56.0 + 96]))
    assert objectness[0, 11].item() == pytest.approx(0.9)
    assert scores[0, 11].item() == 7.0

    # All others are as the network begins: in the middle of their cell, as large as their anchor.
    # Number 4 is anchor 0, row 1, column 1: centre (48, 48), 32 wide, 64 high.
    torch.testing.assert_close(boxes[0, 4], torch.tensor([32.0, 16.0, 64.0, 80.0]))
    # Number 6 is anchor 1, row 0, column 0: centre (16, 16), 96 wide, 48 high.
    torch.testing.assert_close(boxes[0, 6], torch.tensor([-32.0, -8.0, 64.0, 40.0]))
    assert objectness[0, :11].tolist() == [0.5] * 11


def test_decode_equals_loops():
    A, C, H, W = 2, 3, 2, 4
    raw = torch.randn(2, A * (5 + C), H, W, generator=torch.Generator().manual_seed(0))
    decoded = decode(raw, ANCHORS)
    for n in range(2):
        for a in range(A):
            for row in range(H):
                for column in range(W):
                    tx, ty, tw, th, to, *classes = raw[n, a * (5 + C) : (a + 1) * (5 + C), row, column].tolist()
                    x, y = 32 * (column + 1 / (1 + math.exp(-tx))), 32 * (row + 1 / (1 + math.exp(-ty)))
                    w, h = 32 * ANCHORS[a, 0].item() * math.exp(tw), 32 * ANCHORS[a, 1].item() * math.exp(th)
                    at = (a * H + row) * W + column
                    expected = torch.tensor([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
                    torch.testing.assert_close(decoded.boxes[n, at], expected, rtol=1e-5, atol=1e-3)
                    assert decoded.objectness[n, at].item() == pytest.approx(1 / (1 + math.exp(-to)), rel=1e-5)
                    assert decoded.scores[n, at].tolist() == pytest.approx(classes)


def test_416_pixels_and_5_anchors_give_845_boxes():
    assert decode(torch.zeros(1, 125, 13, 13), torch.ones(5, 2)).boxes.shape == (1, 845, 4)


def test_runaway_sizes_stay_finite():
    raw = torch.full((1, 12, 1, 1), 1e4)
    boxes = decode(raw, ANCHORS).boxes
    assert torch.isfinite(boxes).all()
    size = boxes[..., 2:] - boxes[..., :2]
    assert torch.isfinite(size.prod(-1)).all()


def test_half_precision_is_decoded_in_float32():
    raw = torch.randn(1, 12, 2, 2, generator=torch.Generator().manual_seed(1))
    half = decode(raw.bfloat16(), ANCHORS)
    assert half.boxes.dtype == torch.float32
    torch.testing.assert_close(half.boxes, decode(raw.bfloat16().float(), ANCHORS).boxes)


@pytest.mark.parametrize(("channels", "anchors"), [(13, 2), (10, 2), (125, 4)])
def test_channels_that_do_not_fit_are_refused(channels, anchors):
    with pytest.raises(ValueError, match=f"{channels} channels cannot be {anchors} anchors"):
        split(torch.zeros(1, channels, 2, 2), anchors)


def test_to_cells_by_hand():
    cells = to_cells(torch.tensor([[[32.0, 64.0, 96.0, 80.0]]]))
    assert cells.tolist() == [[[2.0, 2.25, 2.0, 0.5]]]


def test_encode_by_hand():
    truth = torch.tensor([[4.25, 1.5, 6.0, 3.0]])
    xy, wh = encode(truth, torch.tensor([1]), torch.tensor([4]), ANCHORS[1:])
    torch.testing.assert_close(xy, torch.tensor([[0.25, 0.5]]))
    torch.testing.assert_close(wh, torch.tensor([[math.log(2), math.log(2)]]))


def test_encode_of_a_point_is_finite():
    _, wh = encode(torch.tensor([[0.5, 0.5, 0.0, 0.0]]), torch.tensor([0]), torch.tensor([0]), ANCHORS[:1])
    torch.testing.assert_close(wh, torch.tensor([[math.log(1e-3), math.log(1e-3 / 2)]]))


def test_decode_undoes_encode():
    generator = torch.Generator().manual_seed(2)
    truth = torch.rand(20, 4, generator=generator) * torch.tensor([7.0, 5.0, 4.0, 3.0]) + 0.01
    row, column = cell_of(truth, 6, 8)
    for a, anchor in enumerate(ANCHORS):
        xy, wh = encode(truth, row, column, anchor.expand(20, 2))
        assert ((xy >= 0) & (xy <= 1)).all()
        for i in range(20):
            predictions = Predictions(
                torch.zeros(1, 2, 6, 8, 2), torch.zeros(1, 2, 6, 8, 2), torch.zeros(1, 2, 6, 8), torch.zeros(0)
            )
            predictions.xy[0, a, row[i], column[i]], predictions.wh[0, a, row[i], column[i]] = xy[i], wh[i]
            torch.testing.assert_close(decode_cells(predictions, ANCHORS)[0, a, row[i], column[i]], truth[i])


def test_decode_undoes_encode_in_pixels():
    """The whole way from a box in pixels to a raw output and back, on a grid that is not square."""
    box = torch.tensor([[40.0, 70.0, 101.0, 95.0]])
    truth = to_cells(box)
    row, column = cell_of(truth, 3, 5)
    xy, wh = encode(truth, row, column, ANCHORS[:1])
    raw = torch.zeros(1, 12, 3, 5)
    raw[0, :4, row[0], column[0]] = torch.cat([torch.logit(xy[0]), wh[0]])
    boxes = decode(raw, ANCHORS).boxes[0]
    torch.testing.assert_close(boxes[row[0] * 5 + column[0]], box[0])
    torch.testing.assert_close(xyxy_to_cxcywh(boxes[0]), torch.tensor([16.0, 16.0, 32.0, 64.0]))  # the others as before


def test_cell_of_by_hand():
    truth = torch.tensor([[0.0, 0.0, 1, 1], [1.99, 2.01, 1, 1], [5.0, 3.0, 1, 1], [7.5, -0.5, 1, 1]])
    row, column = cell_of(truth, h=3, w=5)
    assert row.tolist() == [0, 2, 2, 0]  # a centre on the border, or outside, belongs to the last cell
    assert column.tolist() == [0, 1, 4, 4]


def position(n, a, row, column, h=3, w=5, anchors=2):
    return ((n * anchors + a) * h + row) * w + column


def test_assign_by_hand():
    truth = torch.tensor(
        [
            [[1.5, 0.5, 1.1, 1.9], [4.2, 2.9, 3.0, 1.0], [0.0, 0.0, 0.0, 0.0]],  # tall, wide, padding
            [[1.5, 0.5, 3.0, 1.4], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]],
        ]
    )
    valid = torch.tensor([[True, True, False], [True, False, False]])
    found = assign(truth, valid, ANCHORS, h=3, w=5)
    assert found.responsible.tolist() == [True, True, False, True, False, False]
    expected = [position(0, 0, 0, 1), position(0, 1, 2, 4), position(1, 1, 0, 1)]
    assert found.index[found.responsible].tolist() == expected
    assert found.anchor[found.responsible].tolist() == [0, 1, 1]
    assert found.taken.shape == (2, 2, 3, 5)
    assert found.taken.flatten().nonzero().flatten().tolist() == sorted(expected)


def test_tie_goes_to_the_first_anchor():
    same = torch.tensor([[2.0, 1.0], [1.0, 2.0], [2.0, 1.0]])
    truth = torch.tensor([[[0.5, 0.5, 1.5, 1.5]]])  # overlaps all three alike
    assert assign(truth, torch.tensor([[True]]), same, 1, 1).anchor.tolist() == [0]


def test_later_truth_wins():
    truth = torch.tensor([[[0.2, 0.2, 1.0, 2.0], [0.8, 0.4, 0.9, 1.8], [0.5, 0.5, 3.0, 1.5]]])
    found = assign(truth, torch.ones(1, 3, dtype=torch.bool), ANCHORS, 1, 1)
    assert found.anchor.tolist() == [0, 0, 1]
    assert found.responsible.tolist() == [False, True, True]
    padded = assign(truth, torch.tensor([[True, False, True]]), ANCHORS, 1, 1)
    assert padded.responsible.tolist() == [True, False, True], "padding displaces nothing"


def test_match_by_predicted_size_looks_into_the_right_cell():
    """The anchors fit truth 0 best in place 0, but the sizes predicted in its cell say otherwise."""
    sizes = torch.ones(2, 2, 2, 3, 2)  # (N, A, H, W, 2): all predict 1 x 1 ...
    sizes[1, 1, 0, 2] = torch.tensor([5.0, 4.0])  # ... but anchor 1 of row 0, column 2 in picture 1
    truth = torch.tensor([[[2.5, 0.5, 5.0, 4.0]], [[2.5, 0.5, 5.0, 4.0]]])
    found = assign(truth, torch.ones(2, 1, dtype=torch.bool), sizes, 2, 3)
    assert found.anchor.tolist() == [0, 1]
    assert found.index.tolist() == [2, ((1 * 2 + 1) * 2 + 0) * 3 + 2]


def test_assign_without_truths():
    found = assign(torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=torch.bool), ANCHORS, 3, 5)
    assert found.index.shape == (0,)
    assert not found.taken.any() and found.taken.shape == (2, 2, 3, 5)


def test_location_of_region_proposals_by_hand():
    """Anchor 3 x 1.5 cells in row 1, column 2; tx = 0.5 moves it by half its width, ty = -1 by its whole height."""
    raw = torch.zeros(1, 2 * 6, 2, 3)
    raw[0, 6:8, 1, 2] = torch.tensor([0.5, -1.0])
    boxes = decode(raw, ANCHORS, location="offset").boxes
    # Centre (2.5 + 1.5, 1.5 - 1.5) = (4, 0) cells, outside a grid that is 3 wide: (128, 0) pixels; 96 by 48 pixels.
    torch.testing.assert_close(boxes[0, 11], torch.tensor([80.0, -24.0, 176.0, 24.0]))
    torch.testing.assert_close(boxes[0, :11], decode(torch.zeros(1, 12, 2, 3), ANCHORS).boxes[0, :11])

    xy, wh = encode(torch.tensor([[4.0, 0.0, 3.0, 1.5]]), torch.tensor([1]), torch.tensor([2]), ANCHORS[1:], "offset")
    torch.testing.assert_close(xy, torch.tensor([[0.5, -1.0]]))
    torch.testing.assert_close(wh, torch.zeros(1, 2))


def test_sigmoid_stays_in_its_cell_and_offset_does_not():
    raw = 8 * torch.randn(4, 12, 5, 5, generator=torch.Generator().manual_seed(3))
    for location, inside in (("sigmoid", True), ("offset", False)):
        centres = xyxy_to_cxcywh(decode(raw, ANCHORS, 1, location).boxes)[..., :2].view(4, 2, 5, 5, 2)
        corner = torch.stack(torch.meshgrid(torch.arange(5), torch.arange(5), indexing="xy"), dim=-1)
        within = (centres - corner + 1e-4 >= 0) & (centres - corner <= 1 + 1e-4)
        assert within.all().item() is inside


def test_unknown_location_is_refused():
    with pytest.raises(ValueError, match="location must be one of sigmoid, offset; not 'middle'"):
        decode(torch.zeros(1, 12, 2, 2), ANCHORS, location="middle")
