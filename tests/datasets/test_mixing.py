"""Two data sets in the words of one tree, mixed in every batch."""

import pickle

import pytest
import torch

from yolocourse.datasets.batch import collate
from yolocourse.datasets.mixing import Mixed, Relabelled
from yolocourse.labels import FlatLabels
from yolocourse.wordtree import WordTree

TREE = WordTree(["animal", "dog", "cat", "terrier"], [-1, 0, 0, 1], ["n1", "n2", "n3", "n4"])
PICTURE = torch.zeros(3, 32, 32, dtype=torch.uint8)


class Boxed:
    labels = FlatLabels(["cat", "dog"], ["n3", "n2"])

    def __init__(self, count=6):
        self.count = count

    def __len__(self):
        return self.count

    def sizes(self):
        return torch.tensor([[0.5, 0.25]])

    def target(self, i):
        return {"boxes": torch.tensor([[1.0, 2, 9, 8]] * 2), "labels": torch.tensor([1, 0]), "image_id": f"scene {i}"}

    def __getitem__(self, i):
        return PICTURE, self.target(i)


class Things:
    labels = FlatLabels(["terrier", "cat"], ["n4", "n3"])

    def __init__(self, count=10):
        self.count = count

    def __len__(self):
        return self.count

    def label(self, i):
        return i % 2

    def __getitem__(self, i):
        return PICTURE, {"label": torch.tensor(i % 2), "image_id": f"thing {i}"}


def mixed(boxed=6, things=10, ratio=4.0):
    return Mixed(Relabelled(Boxed(boxed), TREE), Relabelled(Things(things), TREE), ratio)


def batches(dataset, size, seed=0):
    order = dataset.order(size, torch.Generator().manual_seed(seed))
    assert len(order) == dataset.epoch_length(size)
    return [order[start : start + size] for start in range(0, len(order), size)]


def test_classes_are_found_by_id():
    boxed, things = Relabelled(Boxed(), TREE), Relabelled(Things(), TREE)
    assert boxed.labels is TREE and boxed[0][1]["labels"].tolist() == boxed.target(0)["labels"].tolist() == [1, 2]
    assert [things[i][1]["label"].item() for i in (0, 1)] == [things.label(0), things.label(1)] == [3, 2]
    assert boxed.sizes().tolist() == [[0.5, 0.25]] and len(boxed) == 6
    assert Relabelled(Boxed(), TREE, [3, 0])[0][1]["labels"].tolist() == [0, 3], "places given"
    assert pickle.loads(pickle.dumps(boxed))[1][1]["image_id"] == "scene 1", "as worker processes need it"


def test_classes_that_do_not_fit():
    with pytest.raises(ValueError, match="3 places for the 2 classes"):
        Relabelled(Boxed(), TREE, [0, 1, 2])
    with pytest.raises(ValueError, match="class 'dog' is sent to 4, outside 0 to 3"):
        Relabelled(Boxed(), TREE, [0, 4])
    other = Boxed()
    other.labels = FlatLabels(["bus", "dog"], ["n9", "n2"])
    with pytest.raises(ValueError, match=r"has no n9 \(bus\)"):
        Relabelled(other, TREE)


def test_items_are_numbered_round_by_round():
    dataset = mixed(boxed=2, things=10, ratio=2.5)  # 10 = 2.5 * 4: boxes have to come twice
    assert (dataset.boxed_rounds, dataset.class_rounds, len(dataset)) == (2, 1, 14)
    ids = [dataset[i][1]["image_id"] for i in range(len(dataset))]
    assert ids == ["scene 0", "scene 1"] * 2 + [f"thing {i}" for i in range(10)]
    assert dataset[-1][1]["image_id"] == "thing 9"
    with pytest.raises(IndexError):
        dataset[14]


@pytest.mark.parametrize(
    ("boxed", "things", "ratio", "size", "rounds"),
    [
        (6, 100, 4.0, 10, (5, 1)),  # as in the paper: boxes are few
        (60, 20, 4.0, 10, (1, 12)),  # classes are few
        (50, 70, 1.0, 8, (2, 1)),
        (20, 40, 2.0, 6, (1, 1)),
        (9, 30, 3.5, 7, (1, 2)),
    ],
)
def test_every_batch_has_its_share_of_both(boxed, things, ratio, size, rounds):
    dataset = mixed(boxed, things, ratio)
    assert (dataset.boxed_rounds, dataset.class_rounds) == rounds
    first, wanted, so_far = boxed * dataset.boxed_rounds, size / (1 + ratio), 0
    made = batches(dataset, size)
    for number, batch in enumerate(made, 1):
        count = sum(i < first for i in batch)
        so_far += count
        assert abs(count - wanted) < 1 and abs(so_far - number * wanted) < 1
    numbers = sum(made, [])
    assert len(set(numbers)) == len(numbers), "each number once"
    # Of each kind every picture comes before any comes again.
    of_boxed, of_things = [i for i in numbers if i < first], [i - first for i in numbers if i >= first]
    for kind, count in ((of_boxed, boxed), (of_things, things)):
        times = torch.bincount(torch.tensor(kind) % count, minlength=count)
        assert times.max() - times.min() <= 1
    used = max(len(of_boxed) / boxed, len(of_things) / things)
    assert used > 0.8, "an epoch is about one round of what lasts longer"


def test_order_depends_on_the_generator_and_is_mixed_within_a_batch():
    dataset = mixed(30, 120)
    assert batches(dataset, 10) == batches(dataset, 10) != batches(dataset, 10, seed=1)
    places = {tuple(i for i, number in enumerate(batch) if number < 30) for batch in batches(dataset, 10)}
    assert len(places) > 5


def test_a_batch_keeps_the_two_kinds_apart():
    dataset = mixed()
    batch = collate([dataset[0], dataset[len(dataset) - 1]])
    assert batch.has_boxes.tolist() == [True, False] and batch.label.tolist() == [-1, 2]
    assert batch.labels.tolist() == [[1, 2], [-1, -1]]


def test_mixtures_that_cannot_be():
    with pytest.raises(ValueError, match="same classes, see Relabelled; found FlatLabels"):
        Mixed(Boxed(), Things())
    with pytest.raises(ValueError, match="pictures with boxes has none"):
        mixed(boxed=0)
    with pytest.raises(ValueError, match="above 0; not 0"):
        mixed(ratio=0)
    assert mixed(2, 2).epoch_length(1000) == 0


def test_both_parts_can_be_changed():
    dataset = mixed(ratio=3.0).changed(lambda part: Relabelled(part, TREE, [0, 0, 0, 0]))
    assert dataset.ratio == 3.0 and dataset[0][1]["labels"].tolist() == [0, 0] and dataset[-1][1]["label"] == 0
