"""Label spaces: names, probabilities, loss and prediction, worked out by hand."""

import json
import math
import time

import pytest
import torch

from yolocourse.labels import FlatLabels, LabelSpace, labels_from_dict

LABELS = FlatLabels(["dog", "bird", "bus"], ["n02084071", "n01503061", "n02924116"])
# Odds 1 : 2 : 5, so probabilities 1/8, 1/4, 5/8.
SCORES = torch.tensor([math.log(1.0), math.log(2.0), math.log(5.0)])


def test_names_and_indices():
    assert len(LABELS) == LABELS.num_outputs == 3
    assert [LABELS.index(name) for name in ("dog", "bird", "bus")] == [0, 1, 2]
    assert LABELS.ids == ("n02084071", "n01503061", "n02924116")
    assert FlatLabels(["dog"]).ids is None


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown class 'cat'; the 3 known classes are: dog, bird, bus$"):
        LABELS.index("cat")
    with pytest.raises(ValueError, match=r"the 30 known classes are: 0, .*, 19 \.\.\.$"):
        FlatLabels([str(i) for i in range(30)]).index("cat")


def test_probabilities_by_hand():
    torch.testing.assert_close(LABELS.probabilities(SCORES), torch.tensor([1 / 8, 1 / 4, 5 / 8]))
    torch.testing.assert_close(LABELS.log_probabilities(SCORES), torch.tensor([1 / 8, 1 / 4, 5 / 8]).log())


def test_probabilities_keep_leading_dimensions():
    scores = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    probabilities = LABELS.probabilities(scores)
    assert probabilities.shape == (2, 4, 3)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(2, 4))


def test_loss_by_hand_is_not_reduced():
    loss = LABELS.loss(SCORES.expand(2, 3), torch.tensor([0, 2]))
    torch.testing.assert_close(loss, torch.tensor([math.log(8), math.log(8 / 5)]))
    assert LABELS.loss(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)).shape == (0,)


def test_prediction_by_hand():
    probability, label = LABELS.predict(torch.stack([SCORES, SCORES.flip(0)]))
    torch.testing.assert_close(probability, torch.tensor([5 / 8, 5 / 8]))
    assert label.tolist() == [2, 0]


@pytest.mark.parametrize("labels", [LABELS, FlatLabels(["a", "b"])])
def test_description_survives_json(labels):
    again = labels_from_dict(json.loads(json.dumps(labels.to_dict())))
    assert again == labels and hash(again) == hash(labels)
    assert isinstance(again, LabelSpace)


def test_other_names_order_or_ids_are_another_space():
    assert FlatLabels(["a", "b"]) != FlatLabels(["b", "a"])
    assert FlatLabels(["a", "b"]) != FlatLabels(["a", "b"], ["1", "2"])
    assert FlatLabels(["a"]) != "a"


@pytest.mark.parametrize(
    ("names", "ids", "message"),
    [
        ([], None, "at least one class name"),
        (["dog", "cat", "dog"], None, "class name given twice: 'dog'"),
        (["dog", "cat"], ["n1", "n1"], "class id given twice: 'n1'"),
        (["dog", "cat"], ["n1"], "2 class names but 1 ids"),
    ],
)
def test_bad_names_are_refused(names, ids, message):
    with pytest.raises(ValueError, match=message):
        FlatLabels(names, ids)


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unknown kind of label space: 'cloud'; known: 'flat'"):
        labels_from_dict({"kind": "cloud", "names": ["a"]})


def test_many_names_take_no_time():
    began = time.perf_counter()
    FlatLabels([str(i) for i in range(20_000)])
    assert time.perf_counter() - began < 0.5, "the search for duplicates must not be quadratic"
