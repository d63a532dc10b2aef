"""The checks of notebook 01: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import pytest
from torchvision.ops import batched_nms, nms

from yolocourse.checks.yolo_and_its_limits import check_class_nms, check_eleven_points, check_iou


def sides(a, b, clamp=True, extra=0):
    result = []
    for i in (0, 1):
        side = min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2) + extra
        result.append(max(0, side) if clamp else side)
    return result


def right_iou(a, b):
    across, down = sides(a, b)
    return across * down / (a[2] * a[3] + b[2] * b[3] - across * down)


def forgot_to_clamp(a, b):
    across, down = sides(a, b, clamp=False)
    return across * down / (a[2] * a[3] + b[2] * b[3] - across * down)


def wrong_union(a, b):
    across, down = sides(a, b)
    return across * down / (a[2] * a[3] + b[2] * b[3])


def over_the_smaller(a, b):
    across, down = sides(a, b)
    return across * down / min(a[2] * a[3], b[2] * b[3])


def inclusive(a, b):
    across, down = sides(a, b, extra=1)
    return across * down / ((a[2] + 1) * (a[3] + 1) + (b[2] + 1) * (b[3] + 1) - across * down)


def corners(a, b):
    across, down = max(0, min(a[2], b[2]) - max(a[0], b[0])), max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - across * down
    return across * down / union if union else 0.0


def raising(*anything):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_iou, "Exercise 1: right."),
        (lambda a, b: None, "nothing returned yet"),
        (lambda a, b: right_iou(a, b) or None, "sometimes nothing"),
        (forgot_to_clamp, "do not touch"),
        (wrong_union, "twice"),
        (over_the_smaller, "smaller box"),
        (inclusive, "without + 1"),
        (corners, "read as two corners"),
        (lambda a, b: 0.5, "it should be"),
        (lambda a, b: float("nan"), "it should be"),
        (lambda a, b: "a lot", "not str"),
        (lambda a, b: [1, 2], "not list"),
        (raising, "NameError"),
        (lambda a: 1, "TypeError"),
    ],
)
def test_iou(function, said, capsys):
    assert check_iou(function) is None
    assert said in capsys.readouterr().out


def class_blind(boxes, scores, labels, threshold):
    return nms(boxes, scores, threshold).tolist()


def right_nms(boxes, scores, labels, threshold):
    return batched_nms(boxes, scores, labels, threshold)


def in_the_order_given(boxes, scores, labels, threshold):
    return batched_nms(boxes, -scores.new_tensor(range(len(scores))), labels, threshold).tolist()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_nms, "Exercise 2: right."),
        (lambda *case: right_nms(*case).tolist(), "Exercise 2: right."),
        (lambda *case: None, "nothing returned yet"),
        (class_blind, "same label"),
        (in_the_order_given, "best score comes first"),
        (lambda boxes, scores, labels, threshold: scores.argsort(descending=True), "Nothing was suppressed"),
        (lambda *case: [1, 3, 2], "not best first"),
        (lambda *case: [0, 4], "worst boxes"),
        (lambda *case: [], "It kept []"),
        (lambda *case: 3, "list of indices"),
        (raising, "NameError"),
    ],
)
def test_class_nms(function, said, capsys):
    assert check_class_nms(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


def eleven(recall, precision, tenths=range(11), pick=max):
    values = [[p for r, p in zip(recall, precision, strict=True) if r >= t / 10] for t in tenths]
    return sum(pick(v) if v else 0 for v in values) / len(values)


def area(recall, precision):
    steps = zip(recall, [0, *recall], strict=False)
    return sum((r - before) * max(precision[i:]) for i, (r, before) in enumerate(steps))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (eleven, "Exercise 3: right."),
        (lambda r, p: None, "nothing returned yet"),
        (area, "area under the curve"),
        (lambda r, p: eleven(r, p, range(1, 11)), "looks like ten"),
        (lambda r, p: eleven(r, p, range(10)), "one is missing"),
        (lambda r, p: eleven(r, p, pick=lambda values: values[0]), "best precision at recall r or beyond"),
        (lambda r, p: 11 * eleven(r, p), "Divide by 11"),
        (lambda r, p: sum(p) / len(p), "it should be"),
        (raising, "NameError"),
    ],
)
def test_eleven_points(function, said, capsys):
    assert check_eleven_points(function) is None
    assert said in capsys.readouterr().out
