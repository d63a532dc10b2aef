"""AP by groups of classes: with boxes and without, and what guessing the commonest child gives."""

import math

import pytest
import torch

from yolocourse.detect import Detections
from yolocourse.engine.groups import commonest, evaluate_groups, with_and_without
from yolocourse.labels import FlatLabels, GuessedLabels, labels_from_dict

NAMES = ["terrier", "dalmatian", "jeep", "palm"]


class Scenes:
    """Two pictures: a terrier and a jeep, then a dalmatian. No palm anywhere."""

    labels = FlatLabels(NAMES)
    boxes = [torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 40]]), torch.tensor([[5.0, 5, 15, 15]])]
    kinds = [torch.tensor([0, 2]), torch.tensor([1])]

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return i, {"boxes": self.boxes[i], "labels": self.kinds[i], "difficult": self.kinds[i] > 5}


class Finder:
    """Finds all boxes and calls them what `answer` makes of the truth."""

    batch_size = 2

    def __init__(self, answer, labels=Scenes.labels):
        self.answer, self.labels = answer, labels

    def __call__(self, pictures, threshold=None):
        found = []
        for i in pictures:
            labels = self.answer[Scenes.kinds[i]]
            names = [self.labels.names[label] for label in labels]
            found.append(Detections(Scenes.boxes[i], torch.full((len(labels),), 0.5), labels, names, (48, 48)))
        return found


GROUPS = {"dogs": [0, 1], "others": [2, 3], "all": range(4)}


def test_means_and_ranking_by_hand():
    """Every dog is called a terrier: one of two terriers is right, first or second of equals; no dalmatian is found."""
    result = evaluate_groups(Finder(torch.tensor([0, 0, 2, 3])), Scenes(), GROUPS)
    assert result.voc.ap[:3].tolist() == [1.0, 0.0, 1.0] and math.isnan(result.voc.ap[3])
    assert result.mean("dogs") == 0.5 and result.mean("others") == 1.0
    assert result.mean("all") == pytest.approx(2 / 3), "classes without truths do not count"
    assert result.ranking("all") == [("terrier", 1.0), ("jeep", 1.0), ("dalmatian", 0.0)]
    lines = result.table(ends=1).splitlines()
    assert lines[:3] == [
        "dogs: AP50 0.500 over 2 classes with truths",
        "  best  terrier 1.000",
        "  worst dalmatian 0.000",
    ]
    assert lines[3:5] == ["others: AP50 1.000 over 1 classes with truths", "  best  jeep 1.000"]


def test_a_group_without_truths_has_no_mean():
    result = evaluate_groups(Finder(torch.arange(4)), Scenes(), {"palms": [3]})
    assert math.isnan(result.mean("palms")) and result.ranking("palms") == []


def test_bad_groups_and_classes():
    finder = Finder(torch.arange(4))
    with pytest.raises(ValueError, match="group 'x' has class 4, of 4"):
        evaluate_groups(finder, Scenes(), {"x": [0, 4]})
    with pytest.raises(ValueError, match="group 'x' has no classes"):
        evaluate_groups(finder, Scenes(), {"x": []})
    with pytest.raises(ValueError, match=r"classes \['terrier'.*are not the detector's \['a'\]"):
        evaluate_groups(Finder(torch.arange(4), FlatLabels(["a"])), Scenes(), GROUPS)


def test_classes_with_boxes_are_told_by_id():
    classes = FlatLabels(["crane", "dog", "crane (bird)"], ["n1", "n2", "n3"])
    groups = with_and_without(classes, FlatLabels(["Hund", "bus"], ["n2", "n9"]))
    assert groups == {"all": [0, 1, 2], "boxes in training": [1], "no box in training": [0, 2]}
    assert "boxes in training" not in with_and_without(classes, FlatLabels(["bus"], ["n9"]))
    with pytest.raises(ValueError, match="by WordNet id"):
        with_and_without(classes, FlatLabels(["dog"]))


def test_only_the_commonest_child_is_guessed():
    # children of class 0: 0, 1, 3 (1 is the commonest); of class 1: 2 and 5, equally common; 4 has no parent
    assert commonest(torch.tensor([2, 7, 4, 3, 99, 4]), [0, 0, 1, 0, -1, 1]) == [-1, 0, 1, -1, -1, -1]


def test_guessed_probabilities_by_hand():
    known = FlatLabels(["dog", "car"])
    guessed = GuessedLabels(known, NAMES, [0, -1, 1, -1])
    scores = torch.tensor([[math.log(3.0), 0.0]])  # a dog with 3/4
    torch.testing.assert_close(guessed.probabilities(scores), torch.tensor([[0.75, 0.0, 0.25, 0.0]]))
    probability, label = guessed.predict(scores)
    assert guessed.num_outputs == 2 and probability.item() == pytest.approx(0.75) and label.item() == 0
    torch.testing.assert_close(guessed.loss(scores, torch.tensor([2])), torch.tensor([math.log(4)]))
    which, label, score = guessed.candidates(torch.tensor([0.8]), scores, 0.1)
    assert which.tolist() == [0, 0] and label.tolist() == [0, 2]
    torch.testing.assert_close(score, torch.tensor([0.6, 0.2]))
    again = labels_from_dict(guessed.to_dict())
    assert again.names == NAMES and again.guesses == [0, -1, 1, -1] and again.known == known
    with pytest.raises(ValueError, match="3 guesses for 4 names"):
        GuessedLabels(known, NAMES, [0, 0, 0])
    with pytest.raises(ValueError, match="'jeep' is guessed from class 2, outside -1 to 1"):
        GuessedLabels(known, NAMES, [0, 0, 2, -1])
