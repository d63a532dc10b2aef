"""Random numbers that can be had again, and pictures kept in memory."""

import pickle

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.tv_tensors import BoundingBoxes

from yolocourse.datasets.batch import collate
from yolocourse.datasets.loading import Cached, Seeded, shrink
from yolocourse.datasets.transforms import train_transform


class Pictures(Dataset):
    """Six pictures of 60 x 40, each with one box, and a count of how often they were read."""

    names = ("a", "b")

    def __init__(self):
        self.reads = 0

    def __len__(self):
        return 6

    def __getitem__(self, i):
        self.reads += 1
        boxes = BoundingBoxes([[6.0, 4, 30, 36]], format="XYXY", canvas_size=(40, 60))
        target = {"boxes": boxes, "labels": torch.tensor([1]), "difficult": torch.tensor([False]), "image_id": i}
        return Image.new("RGB", (60, 40), (i, 99, 9)), target


class Draw(Dataset):
    """Draws while it reads, as a rendering data set might."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.rand(()), {"label": i}


def noise(image, target):
    return float(torch.rand(())), target


def test_items_depend_on_seed_epoch_and_index_alone():
    data = Seeded(Pictures(), noise, seed=3)
    first = [data[i][0] for i in range(6)]
    torch.rand(17)
    assert [data[i][0] for i in (5, 2, 0)] == [first[5], first[2], first[0]]
    assert data[-1][0] == first[5]
    assert len(set(first)) == 6
    data.set_epoch(1)
    second = [data[i][0] for i in range(6)]
    assert not set(first) & set(second)
    assert [Seeded(Pictures(), noise, seed=4)[i][0] for i in range(6)] != first
    data.set_epoch(0)
    assert [data[i][0] for i in range(6)] == first


def test_the_rest_of_the_program_draws_as_before():
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    data = Seeded(Pictures(), noise)
    data[0]
    a = torch.rand(())
    data[3]
    assert torch.stack([a, torch.rand(())]).tolist() == expected.tolist()


def test_the_generator_is_put_back_after_an_error():
    def broken(image, target):
        torch.rand(())
        raise ValueError("broken picture")

    torch.manual_seed(0)
    expected = torch.rand(())
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="broken picture"):
        Seeded(Pictures(), broken)[0]
    assert torch.rand(()) == expected


def test_seeds_what_the_data_set_draws_too():
    assert Seeded(Draw(), None)[1] == Seeded(Draw(), None)[1]
    assert Seeded(Draw(), None)[1] != Seeded(Draw(), None)[2]


def test_end_of_the_data_set():
    data = Seeded(Pictures(), None)
    assert len(data) == 6
    with pytest.raises(IndexError):
        data[6]
    with pytest.raises(ValueError, match="seed must be 0 or more, got -1"):
        Seeded(Pictures(), None, seed=-1)


def test_workers_change_nothing_even_when_kept_alive():
    data = Seeded(Pictures(), train_transform(32), seed=5)

    def epochs(workers):
        loader = DataLoader(data, batch_size=3, collate_fn=collate, num_workers=workers, persistent_workers=workers > 0)
        result = []
        for epoch in range(2):
            data.set_epoch(epoch)
            result += [batch.images for batch in loader]
        return torch.cat(result)

    alone, helped = epochs(0), epochs(2)
    assert torch.equal(alone, helped)
    assert not torch.equal(alone[:6], alone[6:])


def test_cached_pictures_are_read_once_and_smaller():
    inside = Pictures()
    data = Cached(inside, max_side=30)
    assert inside.reads == len(data) == 6
    image, target = data[2]
    assert inside.reads == 6
    assert (image.shape, image.dtype) == ((3, 20, 30), torch.uint8)
    assert image[:, 5, 5].tolist() == [2, 99, 9]
    assert target["boxes"].tolist() == [[3, 2, 15, 18]]
    assert target["boxes"].canvas_size == (20, 30)
    assert target["image_id"] == 2
    assert data.target(2)["boxes"].tolist() == [[3, 2, 15, 18]]
    assert data.names == ("a", "b")
    with pytest.raises(AttributeError, match="sizes"):
        data.sizes()
    assert len(pickle.loads(pickle.dumps(data))) == 6


def test_cached_pictures_pass_through_the_augmentation_unharmed():
    data = Seeded(Cached(Pictures(), max_side=30), train_transform(32))
    before = data.dataset[0][0].clone()
    image, target = data[0]
    assert image.shape == (3, 32, 32)
    assert torch.equal(data.dataset[0][0], before)
    assert data.dataset[0][1]["boxes"].tolist() == [[3, 2, 15, 18]]


def test_small_pictures_stay():
    image, target = Pictures()[1]
    for max_side in (None, 60, 100):
        kept, boxes = shrink(image, target, max_side)
        assert kept.shape == (3, 40, 60)
        assert boxes is target
    picture, label = shrink(image, {"label": torch.tensor(1)}, 30)
    assert (picture.shape, label) == ((3, 20, 30), {"label": torch.tensor(1)})


def test_cache_has_a_limit():
    with pytest.raises(ValueError, match="the first 3 of 6 pictures take over .* choose a max_side under 60 pixels"):
        Cached(Pictures(), limit=20_000)
    assert len(Cached(Pictures(), max_side=30, limit=20_000)) == 6
