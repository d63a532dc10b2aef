"""Augmentation: boxes follow their things, leave the picture by the rule, and colours move in HSV."""

import colorsys

import pytest
import torch
from PIL import Image as PilImage
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import to_pil_image
from torchvision.tv_tensors import BoundingBoxes, Image

from yolocourse.datasets.transforms import (
    ColorJitter,
    JitterPlacement,
    Mirror,
    RandomCrop,
    ZoomOut,
    crop_transform,
    eval_transform,
    jitter_hsv,
    keep_visible,
    train_transform,
)
from yolocourse.preprocess import Preprocess


def target(rows, size, **further):
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    return {
        "boxes": BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        "labels": torch.arange(len(rows)),
        "difficult": torch.zeros(len(rows), dtype=torch.bool),
        "image_id": "x",
        **further,
    }


def scene(height=120, width=200, boxes=((30, 20, 90, 70), (120, 40, 180, 110))):
    """Black, with boxes filled in pure colours: the first red, the second green."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    for channel, (x1, y1, x2, y2) in enumerate(boxes):
        image[channel, y1:y2, x1:x2] = 255
    return to_pil_image(image), target(boxes, (height, width))


def extent(channel):
    """xyxy of what is brighter than half."""
    rows, columns = (torch.nonzero((channel > 127).any(dim=d)).flatten() for d in (1, 0))
    return torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=torch.float32)


def geometry(size, rule="stretch"):
    return train_transform(size, hue=0, saturation=1, exposure=1, rule=rule)


@pytest.mark.parametrize("rule", ["stretch", "letterbox"])
def test_boxes_follow_their_things(rule):
    torch.manual_seed(0)
    seen = 0
    for _ in range(25):
        image, found = geometry((160, 224), rule)(*scene())
        assert isinstance(image, Image)
        assert (image.shape, image.dtype) == ((3, 160, 224), torch.uint8)
        assert found["boxes"].canvas_size == (160, 224)
        for box, label in zip(found["boxes"], found["labels"], strict=True):
            # The grey around is as bright as half; only pure colours have the other channels dark.
            pure = image[label].int() - image[2].int()
            assert (extent(pure) - box.as_subclass(torch.Tensor)).abs().max() <= 1.0
            seen += 1
    assert seen > 43


def test_borders_move_by_at_most_the_jitter_and_independently():
    torch.manual_seed(1)
    jitter = JitterPlacement(320, 0.2)
    regions = torch.tensor([jitter.draw(200, 100) for _ in range(2000)]).float()
    moved = (regions - torch.tensor([0, 0, 200, 100])) / torch.tensor([200, 100, 200, 100])
    assert moved.abs().max() <= 0.2
    assert (moved.amin(dim=0) < -0.19).all()
    assert (moved.amax(dim=0) > 0.19).all()
    assert moved.mean(dim=0).abs().max() < 0.02
    off_diagonal = torch.corrcoef(moved.T) - torch.eye(4)
    assert off_diagonal.abs().max() < 0.1


def test_outside_the_picture_is_grey():
    torch.manual_seed(2)
    white = PilImage.new("RGB", (100, 100), "white")
    values = set()
    for _ in range(20):
        image, _ = geometry(160)(white, target([], (100, 100)))
        values |= set(image[:, [0, -1]].unique().tolist()) | set(image[:, :, [0, -1]].unique().tolist())
    assert 128 in values
    assert values <= set(range(128, 256))


def test_mirror_is_torchvisions_flip():
    """The same random numbers, the same pictures and boxes; also of a picture with a class only."""
    image = Image(torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8))
    boxes = BoundingBoxes([[1.0, 2, 11, 9], [0, 0, 30, 20]], format="XYXY", canvas_size=(20, 30))
    for target in ({"boxes": boxes, "labels": torch.tensor([3, 4])}, {"label": torch.tensor(5)}, {"boxes": boxes[:0]}):
        moved = 0
        for seed in range(8):
            results = []
            for flip in (Mirror(0.5), v2.RandomHorizontalFlip(0.5)):
                torch.manual_seed(seed)
                results.append(flip(image, dict(target)))
            (mine, my_target), (theirs, their_target) = results
            assert torch.equal(mine, theirs) and my_target.keys() == their_target.keys()
            assert all(torch.equal(my_target[key], their_target[key]) for key in target)
            moved += not torch.equal(mine, image)
        assert 0 < moved < 8
    with pytest.raises(ValueError, match="a probability is 0 to 1, got 1.5"):
        Mirror(1.5)


def test_flip_mirrors_half_of_the_pictures():
    torch.manual_seed(3)
    transform = train_transform(96, jitter=0, hue=0, saturation=1, exposure=1)
    found = [transform(*scene())[1]["boxes"].as_subclass(torch.Tensor) for _ in range(200)]
    straight = torch.tensor([[30, 20, 90, 70], [120, 40, 180, 110]]) * torch.tensor([0.48, 0.8] * 2)
    mirrored = straight.clone()
    mirrored[:, [0, 2]] = 96 - straight[:, [2, 0]]
    flips = sum(torch.allclose(boxes, mirrored, atol=1e-3) for boxes in found)
    assert flips + sum(torch.allclose(boxes, straight, atol=1e-3) for boxes in found) == 200
    assert 70 < flips < 130


def keep(rows, **settings):
    before = target(rows, (100, 100), fine=torch.arange(len(rows)) * 10)
    return keep_visible(before, before["boxes"].as_subclass(torch.Tensor), (0, 0, 100, 100), (100, 100), **settings)


def test_boxes_that_leave():
    rows = [
        [10, 10, 30, 30],  # inside
        [-10, 10, 10, 30],  # half is left
        [-15, 10, 5, 30],  # exactly a quarter
        [-16, 10, 4, 30],  # a fifth
        [90, 90, 110, 110],  # a quarter, over a corner
        [91, 90, 111, 110],  # less
        [-30, 10, -10, 30],  # gone
        [-50, -50, 150, 150],  # larger than the picture: a quarter of it is seen
    ]
    kept = keep(rows)
    assert kept["labels"].tolist() == [0, 1, 2, 4, 7]
    assert kept["fine"].tolist() == [0, 10, 20, 40, 70]  # any further key by box
    assert len(kept["difficult"]) == 5
    assert kept["image_id"] == "x"
    assert kept["boxes"].tolist() == [
        [10, 10, 30, 30],
        [0, 10, 10, 30],
        [0, 10, 5, 30],
        [90, 90, 100, 100],
        [0, 0, 100, 100],
    ]
    assert keep(rows, min_share=0.0)["labels"].tolist() == [0, 1, 2, 3, 4, 5, 7]
    assert keep(rows, min_share=1.0)["labels"].tolist() == [0]


def test_splinters_go():
    rows = [[10, 10, 10.9, 50], [10, 10, 50, 10.9], [10, 10, 11, 11], [-0.5, 0, 0.9, 50]]
    assert keep(rows)["labels"].tolist() == [2]


def test_pictures_without_boxes_stay_known_to_have_none():
    for transform in (train_transform(96), eval_transform(96)):
        _, found = transform(PilImage.new("RGB", (50, 40)), target([], (40, 50)))
        assert found["boxes"].shape == (0, 4)
        assert found["labels"].shape == (0,)


def test_class_only_samples_pass():
    torch.manual_seed(4)
    for transform in (train_transform(96), eval_transform(96)):
        image, found = transform(PilImage.new("RGB", (50, 40)), {"label": torch.tensor(5)})
        assert image.shape == (3, 96, 96)
        assert found == {"label": torch.tensor(5)}


@pytest.mark.parametrize("rule", ["stretch", "letterbox"])
def test_evaluation_sees_what_the_detector_sees(rule):
    torch.manual_seed(5)
    picture = to_pil_image(torch.randint(0, 256, (3, 50, 70), dtype=torch.uint8))
    image, found = eval_transform((96, 160), rule)(picture, target([[7, 5, 35, 25]], (50, 70)))
    expected, placement = Preprocess((96, 160), rule)(picture)
    # The grey of letterbox bars is 0.5 there and 128/255 here: the only difference.
    assert (image.as_subclass(torch.Tensor).float() / 255 - expected).abs().max() < 0.003
    boxes = found["boxes"].as_subclass(torch.Tensor)
    torch.testing.assert_close(boxes, placement.to_network(torch.tensor([[7.0, 5, 35, 25]])))


def test_same_seed_same_result():
    def run(seed):
        torch.manual_seed(seed)
        return train_transform(96)(*scene())

    (a, found_a), (b, found_b), (c, _) = run(7), run(7), run(8)
    assert torch.equal(a, b)
    assert torch.equal(found_a["boxes"], found_b["boxes"])
    assert not torch.equal(a, c)


def test_the_input_is_left_alone():
    picture, there = scene()
    image = Image(torch.randint(0, 256, (3, 120, 200), dtype=torch.uint8))
    before, boxes = image.clone(), there["boxes"].clone()
    for transform in (train_transform(96), eval_transform(96), train_transform(128, jitter=0)):
        transform(image, there)
    assert torch.equal(image, before)
    assert torch.equal(there["boxes"], boxes)


def test_hsv_equals_the_standard_library():
    generator = torch.Generator().manual_seed(6)
    images = torch.rand(5, 3, 7, 9, generator=generator)
    images[0] = images[0, :1]  # grey
    images[1, :, 0] = 0  # black
    images[1, :, 1] = 1  # white
    images[2, 1] = images[2, 0]  # two channels alike: the borders between the sectors of the circle
    hue = torch.tensor([0.1, -0.1, 0.05, 0.0, 0.5])
    saturation = torch.tensor([1.5, 0.7, 1.2, 1.0, 1.4])
    exposure = torch.tensor([1.2, 1.5, 0.7, 1.0, 0.8])
    changed = jitter_hsv(images, hue, saturation, exposure)
    for n in range(5):
        for y in range(7):
            for x in range(9):
                h, s, v = colorsys.rgb_to_hsv(*images[n, :, y, x].tolist())
                h, s, v = (h + float(hue[n])) % 1, min(1, s * float(saturation[n])), min(1, v * float(exposure[n]))
                expected = torch.tensor(colorsys.hsv_to_rgb(h, s, v), dtype=torch.float32)
                torch.testing.assert_close(changed[n, :, y, x], expected, atol=2e-5, rtol=0)


def test_hsv_keeps_type_shape_and_unchanged_pictures():
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (2, 3, 300, 130), dtype=torch.uint8, generator=generator)  # more than one strip
    same, changed = torch.tensor([0.0, 0.05]), torch.tensor([1.0, 1.3])
    result = jitter_hsv(images, same, changed, changed)
    assert result.dtype == torch.uint8
    assert torch.equal(result[0], images[0])
    assert not torch.equal(result[1], images[1])
    alone = jitter_hsv(images[1], same[1], changed[1], changed[1])
    assert torch.equal(alone, result[1])
    in_float = jitter_hsv(images / 255, same, changed, changed)
    assert (in_float * 255 - result).abs().max() <= 0.51
    half = jitter_hsv((images / 255).half(), same, changed, changed)
    assert half.dtype == torch.float16
    assert (half - in_float).abs().max() < 0.01
    assert jitter_hsv(images[:0], same[:0], changed[:0], changed[:0]).shape == (0, 3, 300, 130)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_hsv_makes_network_input_in_the_same_pass(kind):
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (3, 3, 700, 500), dtype=torch.uint8, generator=generator)  # more than one strip
    changes = torch.tensor([[0.0, 0.05, -0.1], [1.0, 1.3, 0.8], [1.0, 1.4, 0.7]])
    before = images.clone()
    result = jitter_hsv(images, *changes, dtype=kind)
    assert torch.equal(images, before)
    assert result.dtype == kind and result.is_contiguous(memory_format=torch.channels_last)
    in_float = jitter_hsv(images / 255, *changes)
    torch.testing.assert_close(result, in_float.to(kind), atol=1e-5 if kind == torch.float32 else 4e-3, rtol=0)
    assert (result[0].float() * 255 - images[0]).abs().max() < (1e-3 if kind == torch.float32 else 0.6)


def test_colour_factors_have_the_stated_range():
    hue, saturation, exposure = ColorJitter(0.1, 1.5, 2.0).draw((4000,), torch.Generator().manual_seed(8))
    assert hue.min() < -0.098
    assert hue.max() > 0.098
    assert hue.abs().max() <= 0.1
    for factors, limit in ((saturation, 1.5), (exposure, 2.0)):
        assert 1 / limit <= factors.min() < 1.02 / limit
        assert limit * 0.99 < factors.max() <= limit
        assert 0.46 < (factors > 1).float().mean() < 0.54


def test_colour_of_a_batch_differs_by_picture():
    torch.manual_seed(9)
    batch = Image(
        torch.full((6, 3, 8, 8), 100, dtype=torch.uint8) * torch.tensor([1, 2, 1], dtype=torch.uint8)[:, None, None]
    )
    changed = ColorJitter()(batch)
    assert changed.shape == batch.shape
    assert len({tuple(image[:, 0, 0].tolist()) for image in changed}) == 6


def test_bad_settings():
    with pytest.raises(ValueError, match="under 0.5.*got 0.5"):
        train_transform(96, jitter=0.5)
    with pytest.raises(ValueError, match="96 and 128"):
        train_transform(100)
    with pytest.raises(ValueError, match="unknown rule 'crop'"):
        eval_transform(96, "crop")
    with pytest.raises(ValueError, match="hue is a share.*got 18"):
        train_transform(96, hue=18)
    with pytest.raises(ValueError, match="at least 1, got 0.5 and 1.5"):
        train_transform(96, saturation=0.5)
    with pytest.raises(ValueError, match="share of a box's area, 0 to 1, got 25"):
        train_transform(96, min_share=25)


def test_a_picture_of_one_pixel():
    torch.manual_seed(10)
    for _ in range(20):
        image, _ = train_transform(32)(PilImage.new("RGB", (1, 1), "red"), target([[0, 0, 1, 1]], (1, 1)))
        assert image.shape == (3, 32, 32)


def test_evaluation_keeps_boxes_of_any_size():
    picture = PilImage.new("RGB", (1000, 1000))
    rows = [[0, 0, 3, 1000], [500, 500, 501, 501]]
    assert eval_transform(32)(picture, target(rows, (1000, 1000)))[1]["labels"].tolist() == [0, 1]
    torch.manual_seed(11)
    assert train_transform(32, jitter=0)(picture, target(rows, (1000, 1000)))[1]["labels"].tolist() == []


def gradient_picture(height=60, width=90):
    """Red grows to the right, green downwards."""
    x = torch.linspace(0, 255, width).expand(height, width)
    y = torch.linspace(0, 255, height)[:, None].expand(height, width)
    return Image(torch.stack([x, y, torch.full_like(x, 200)]).round().to(torch.uint8))


def test_crop_without_chance_is_a_square_with_all_rows():
    crop = RandomCrop(60, 60, 60, angle=0.0, aspect=1.0)
    torch.manual_seed(0)
    columns = set()
    for _ in range(20):
        image, target = crop(gradient_picture(), {"label": 3})
        assert image.shape == (3, 60, 60) and target == {"label": 3}
        assert image[1, :, 0].tolist() == gradient_picture()[1, :, 0].tolist(), "all rows are there"
        columns.add(int(image[0, 0, 0]))
    assert len(columns) > 5, "the square lies anywhere across"


def test_crop_changes_size_proportions_and_angle():
    torch.manual_seed(0)
    draws = [RandomCrop(64, 40, 120, 7.0, 0.75).make_params([gradient_picture()]) for _ in range(300)]
    shorter = [min(draw["inner"]) for draw in draws]
    ratios = [draw["inner"][1] / draw["inner"][0] / 1.5 for draw in draws]
    assert 39 <= min(shorter) < 45 and 115 < max(shorter) <= 121
    assert 0.73 < min(ratios) < 0.78 and 1.28 < max(ratios) < 1.36
    assert 6 < max(abs(draw["angle"]) for draw in draws) <= 7
    for draw in draws:
        sides = draw["inner"][::-1]
        assert all(abs(s) <= abs(side - 64) / 2 for s, side in zip(draw["shift"], sides, strict=True))


def test_a_small_picture_lies_on_grey():
    torch.manual_seed(1)
    image, _ = RandomCrop(96, 30, 30, 0.0, 1.0)(gradient_picture(), {})
    blue = image[2]
    assert int((blue == 200).sum()) == 30 * 45 and int((blue == 128).sum()) == 96 * 96 - 30 * 45


@pytest.mark.parametrize(
    "changed", [{"min_crop": 0}, {"min_crop": 50, "max_crop": 40}, {"aspect": 0.0}, {"aspect": 1.5}]
)
def test_crops_that_cannot_be(changed):
    with pytest.raises(ValueError, match="got"):
        RandomCrop(**{"size": 64, "min_crop": 40, "max_crop": 80} | changed)


def test_crop_transform_for_a_classifier():
    torch.manual_seed(0)
    transform = crop_transform(64, 40, 100, hue=0.1, saturation=1.3, exposure=1.3)
    image, target = transform(PilImage.new("RGB", (90, 60), "red"), {"label": torch.tensor(1)})
    assert image.shape == (3, 64, 64) and image.dtype == torch.uint8 and target["label"] == 1


def test_zoom_out_lays_a_whole_picture_on_grey():
    torch.manual_seed(3)
    picture, places = Image(torch.full((3, 60, 90), 255, dtype=torch.uint8)), []
    for _ in range(30):
        image, target = ZoomOut(3.0)(picture, {"label": torch.tensor(4)})
        assert image.shape == (3, 60, 90) and target["label"] == 4
        rows, columns = (image[0] == 255).any(1).nonzero().flatten(), (image[0] == 255).any(0).nonzero().flatten()
        height, width = len(rows), len(columns)
        assert (image[0] == 255).sum() == height * width, "a rectangle"
        assert ((image == 255) | (image == 128)).all()
        assert 20 <= height <= 60 and abs(width - 1.5 * height) <= 1
        places.append((rows[0].item(), columns[0].item()))
    assert len(set(places)) > 20


def test_zoom_out_leaves_pictures_with_boxes_alone():
    picture = Image(torch.full((3, 60, 90), 255, dtype=torch.uint8))
    empty = {"boxes": BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=(60, 90))}
    assert ZoomOut(3.0)(picture, empty)[0] is picture
    with pytest.raises(ValueError, match="factor of at least 1, got 0.5"):
        ZoomOut(0.5)
