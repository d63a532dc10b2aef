"""Dimension clusters: a plain k-means, an exhaustive search and numbers worked out by hand say the same."""

import itertools
import time

import numpy as np
import pytest
import torch

from yolocourse import anchors
from yolocourse.anchors import (
    HAND_PICKED,
    PRESETS,
    average_iou,
    check_cells,
    dimension_clusters,
    from_pixels,
    iou_curve,
    to_pixels,
)
from yolocourse.boxes import shape_iou


def plain_iou(a, b):
    shared = min(a[0], b[0]) * min(a[1], b[1])
    return shared / (a[0] * a[1] + b[0] * b[1] - shared)


def plain_closest(size, centres):
    overlaps = [plain_iou(size, centre) for centre in centres]
    return max(overlaps), overlaps.index(max(overlaps))


def plain_average(sizes, centres):
    return sum(plain_closest(size, centres)[0] for size in sizes) / len(sizes)


def plain_k_means(sizes, centres):
    """k-means from given centres, in loops; for data in which no cluster loses all its boxes."""
    before = None
    while True:
        groups = [plain_closest(size, centres)[1] for size in sizes]
        if groups == before:
            return sorted(centres, key=lambda c: c[0] * c[1])
        before = groups
        members = [[size for size, g in zip(sizes, groups, strict=True) if g == k] for k in range(len(centres))]
        centres = [[sum(m[i] for m in group) / len(group) for i in range(2)] for group in members]


def random_sizes(count, seed):
    """Sizes like a data set's: many small ones, few large ones, in cells."""
    generator = np.random.default_rng(seed)
    return np.exp(generator.normal(0.5, 0.8, (count, 2)))


def test_average_iou_by_hand():
    sizes = [[2, 2], [4, 1], [1, 1]]
    assert average_iou(sizes, [[2, 2]]) == pytest.approx((1 + 2 / 6 + 1 / 4) / 3)
    assert average_iou(sizes, [[2, 2], [4, 2]]) == pytest.approx((1 + 4 / 8 + 1 / 4) / 3)


def test_average_iou_equals_loops():
    sizes, centres = random_sizes(60, 0), random_sizes(4, 1)
    assert average_iou(sizes, centres) == pytest.approx(plain_average(sizes.tolist(), centres.tolist()))


def test_closest_equals_shape_iou_across_pieces():
    sizes, centres = torch.from_numpy(random_sizes(50, 2)), torch.from_numpy(random_sizes(3, 3))
    overlap, which = anchors._closest(sizes, centres, chunk=16)
    expected = shape_iou(sizes, centres).max(dim=1)
    torch.testing.assert_close(overlap, expected.values)
    assert torch.equal(which, expected.indices)


@pytest.mark.parametrize("seed", range(6))
def test_iterations_equal_plain_k_means(seed):
    sizes, k = random_sizes(40, seed), 2 + seed % 3
    found = anchors._lloyd(torch.from_numpy(sizes), torch.from_numpy(sizes[:k]), 300)
    expected = plain_k_means(sizes.tolist(), sizes[:k].tolist())
    np.testing.assert_allclose(found.anchors, expected)
    assert found.average_iou == pytest.approx(plain_average(sizes.tolist(), expected))


@pytest.mark.parametrize("seed", range(3))
def test_result_is_a_fixed_point(seed):
    sizes = random_sizes(300, seed)
    found = dimension_clusters(sizes, 5, seed)
    assert found.assignment.tolist() == [plain_closest(size, found.anchors.tolist())[1] for size in sizes.tolist()]
    for k in range(5):
        np.testing.assert_allclose(sizes[found.assignment == k].mean(axis=0), found.anchors[k])


@pytest.mark.parametrize("seed", range(4))
def test_finds_the_best_of_all_fixed_points(seed):
    """All ways to share 9 boxes out among 2 clusters; those at which k-means can stand still; the best of them."""
    sizes = random_sizes(9, seed + 10)
    best = 0.0
    for groups in itertools.product((0, 1), repeat=8):
        group = np.array((0, *groups))
        if group.any():
            centres = [sizes[group == k].mean(axis=0).tolist() for k in (0, 1)]
            if group.tolist() == [plain_closest(size, centres)[1] for size in sizes.tolist()]:
                best = max(best, plain_average(sizes.tolist(), centres))
    assert dimension_clusters(sizes, 2, restarts=20).average_iou == pytest.approx(best)


def test_three_plain_groups_are_found():
    """People (tall), cars (wide) and distant things (small), as in VOC: means by hand, smallest area first."""
    small, tall, wide = [[1, 1], [1, 2]], [[3, 8], [5, 10], [4, 9]], [[12, 5], [10, 7]]
    found = dimension_clusters(wide + small + tall, 3)
    np.testing.assert_allclose(found.anchors, [[1, 1.5], [4, 9], [11, 6]])
    assert found.assignment.tolist() == [2, 2, 0, 0, 1, 1, 1]
    overlaps = [55 / 71, 60 / 76, 1 / 1.5, 1.5 / 2, 24 / 36, 36 / 50, 1]
    assert found.average_iou == pytest.approx(sum(overlaps) / 7)


def test_history_leads_from_the_start_to_the_anchors():
    sizes = random_sizes(200, 4)
    found = dimension_clusters(sizes, 4)
    assert len(found.history) > 2
    np.testing.assert_array_equal(found.history[-1], found.anchors)
    for start in found.history[0]:
        assert (sizes == start).all(axis=1).any(), "k-means++ starts at boxes"


def test_empty_cluster_is_moved_to_the_worst_box():
    sizes = torch.tensor([[1.0, 1.0], [1.2, 1.0], [9.0, 9.0], [10.0, 9.0]], dtype=torch.float64)
    starts = torch.tensor([[1.0, 1.0], [9.0, 9.0], [500.0, 0.001]], dtype=torch.float64)
    found = anchors._lloyd(sizes, starts, 300)
    assert np.bincount(found.assignment, minlength=3).min() >= 1


def test_cluster_moved_onto_anothers_only_box_is_moved_on():
    """The worst box is all that its cluster has: both would stand on it, one of them empty for ever."""
    sizes = torch.tensor([[1.0, 20.0], [5.0, 5.0], [5.0, 6.0], [6.0, 5.0]], dtype=torch.float64)
    starts = torch.tensor([[2.0, 30.0], [5.0, 5.0], [900.0, 0.001]], dtype=torch.float64)
    found = anchors._lloyd(sizes, starts, 300)
    assert np.bincount(found.assignment, minlength=3).min() >= 1
    assert len(np.unique(found.anchors, axis=0)) == 3


def test_as_many_clusters_as_sizes_fit_perfectly():
    sizes = [[1, 1], [2, 1], [3, 5], [1, 1], [7, 7]]
    found = dimension_clusters(sizes, 4)
    assert found.average_iou == 1
    assert sorted(map(tuple, found.anchors.tolist())) == [(1, 1), (2, 1), (3, 5), (7, 7)]


def test_one_cluster_is_the_mean():
    sizes = random_sizes(30, 5)
    np.testing.assert_allclose(dimension_clusters(sizes, 1).anchors, sizes.mean(axis=0, keepdims=True))


def test_same_seed_same_result():
    sizes = random_sizes(400, 6)
    first, second = (dimension_clusters(sizes, 5, seed=3, restarts=1) for _ in range(2))
    np.testing.assert_array_equal(first.anchors, second.anchors)
    np.testing.assert_array_equal(first.assignment, second.assignment)
    starts = {dimension_clusters(sizes, 5, seed=s, restarts=1).history[0].tobytes() for s in range(5)}
    assert len(starts) == 5, "other seeds start elsewhere"


def test_restarts_do_not_make_it_worse():
    sizes = random_sizes(200, 7)
    one, many = (dimension_clusters(sizes, 6, restarts=n).average_iou for n in (1, 6))
    assert many >= one


def test_many_boxes_are_clustered_with_all_of_them(monkeypatch):
    monkeypatch.setattr(anchors, "LARGE", 100)
    sizes = random_sizes(1000, 8)
    found = dimension_clusters(sizes, 3)
    assert len(found.assignment) == 1000
    for k in range(3):
        np.testing.assert_allclose(sizes[found.assignment == k].mean(axis=0), found.anchors[k])


def test_unit_of_the_boxes_does_not_matter():
    sizes = random_sizes(100, 9)
    cells, pixels = dimension_clusters(sizes, 4), dimension_clusters(sizes * 32, 4)
    np.testing.assert_allclose(to_pixels(cells.anchors), pixels.anchors)
    assert cells.average_iou == pytest.approx(pixels.average_iou)


def test_more_clusters_fit_better():
    curve = iou_curve(random_sizes(500, 10), range(1, 8))
    assert all(later > earlier for earlier, later in itertools.pairwise(curve))
    assert 0.3 < curve[0] < curve[-1] < 1


@pytest.mark.parametrize(
    ("sizes", "k", "message"),
    [
        ([[1, 2, 3]], 1, r"sizes must be \(B, 2\).*found shape \(1, 3\)"),
        ([1, 2], 1, r"sizes must be \(B, 2\)"),
        ([[1, 1], [0, 3]], 1, r"box 1 has size \[0.0, 3.0\]"),
        ([[1, 1], [2, -3]], 1, "box 1"),
        ([[float("nan"), 1]], 1, "box 0"),
        ([[1, float("inf")]], 1, "box 0"),
        ([[1, 1], [1, 1], [2, 2]], 3, "k = 3 clusters need at least 3 different box sizes.*found 2"),
        ([[1, 1]], 0, "must be at least 1, not 0"),
        (np.zeros((0, 2)), 1, "found 0"),
    ],
)
def test_bad_input_is_refused(sizes, k, message):
    with pytest.raises(ValueError, match=message):
        dimension_clusters(sizes, k)


def test_units():
    np.testing.assert_allclose(to_pixels([[1.0, 2.5]]), [[32, 80]])
    np.testing.assert_allclose(from_pixels([[32, 80]]), [[1.0, 2.5]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[30, 61]], "61 is above 40 grid cells.*in pixels.*from_pixels"),
        ([[1, 0]], "above 0"),
        ([[1, float("inf")]], "finite"),
        ([[1, float("nan")]], "finite"),
        ([1, 2], "pairs"),
        (np.zeros((0, 2)), "pairs"),
    ],
)
def test_what_cannot_be_anchors_in_cells_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        check_cells(values)


def test_published_anchors_are_in_cells():
    assert [len(check_cells(PRESETS[name])) for name in ("voc", "coco", "yolo9000")] == [5, 5, 3]


@pytest.mark.slow
def test_a_million_boxes_take_seconds():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        sizes = random_sizes(1_000_000, 11)
        began = time.process_time()
        found = dimension_clusters(sizes, 5)
        seconds = time.process_time() - began
    finally:
        torch.set_num_threads(threads)
    assert np.bincount(found.assignment, minlength=5).min() > 1000
    assert seconds < 20


def test_hand_picked_anchors_are_three_squares_and_two_of_the_middle_area():
    areas, ratios = [w * h for w, h in HAND_PICKED], [w / h for w, h in HAND_PICKED]
    assert areas == pytest.approx([1, 4, 4, 4, 16]) and ratios == pytest.approx([1, 1, 0.5, 2, 1])
    assert len(check_cells(HAND_PICKED)) == 5
