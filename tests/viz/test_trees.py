"""Trees drawn: where nodes stand, what is bold, and the bars of a walk, worked out by hand."""

import pytest
import torch
from PIL import Image

from yolocourse.viz.jupyter import encode
from yolocourse.viz.style import INK, PALETTE
from yolocourse.viz.trees import ANSWER, SAID, best_path, dendrogram, descents
from yolocourse.wordtree import WordTree

#          thing
#     animal      car
#   dog     owl
# terrier pug
TREE = WordTree(["thing", "animal", "car", "dog", "owl", "terrier", "pug"], [-1, 0, 0, 1, 1, 3, 3])
P = torch.tensor([1.0, 0.9, 0.1, 0.8, 0.1, 0.45, 0.35])


def dots(axes):
    return [tuple(each.get_offsets()[0].tolist()) for each in axes.collections]


def test_leaves_stand_under_one_another_and_others_in_the_middle_of_their_children():
    figure = dendrogram(TREE)
    (axes,) = figure.axes
    # leaves from the top: terrier 0, pug 1, owl 2, car 3
    assert dots(axes) == [(0, 2.125), (1, 1.25), (1, 3), (2, 0.5), (2, 2), (3, 0), (3, 1)]
    assert [text.get_text() for text in axes.texts] == TREE.names
    assert len(axes.lines) == 6  # one for every node but the root
    encode(figure)


def test_values_and_marks():
    (axes,) = dendrogram(TREE, [1, 0.9, 0.001, 0.8, 0.1, 0.45, 0.35], marked=[0, 1, 3], title="a picture").axes
    texts = {text.get_text(): text.get_weight() for text in axes.texts}
    assert texts["animal  0.90"] == "bold" and texts["pug  0.35"] == "normal" and "car" in texts
    bold = [line for line in axes.lines if line.get_color() == PALETTE[1]]
    assert len(bold) == 2, "the lines between marked nodes"
    assert axes.get_title() == "a picture"
    light, dark = (axes.collections[node].get_facecolor()[0][:3].sum() for node in (2, 0))
    assert dark < light


def test_other_ways_are_dashed():
    (axes,) = dendrogram(TREE, ways=[(5, 2)]).axes
    (dashed,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed.get_xydata().tolist() == [[1, 3], [3, 0]]


def test_several_roots():
    forest = WordTree(["a", "b", "c"], [-1, -1, 1])
    assert dots(dendrogram(forest).axes[0]) == [(0, 0), (0, 1), (1, 1)]


def test_a_value_for_each_node():
    with pytest.raises(ValueError, match="2 values for the 7 nodes"):
        dendrogram(TREE, [0, 1])


def test_best_path_goes_to_the_best_child_and_not_to_the_best_leaf():
    assert best_path(TREE, P) == [0, 1, 3, 5]
    lone = torch.tensor([1.0, 0.55, 0.45, 0.3, 0.25, 0.1, 0.2])
    assert best_path(TREE, lone) == [0, 1, 3, 6], "car is the best leaf, but animal the better child"


def bars(axes):
    return [(round(bar.get_width(), 3), bar.get_facecolor()) for bar in axes.patches]


def colours(*names):
    from matplotlib.colors import to_rgba

    return [to_rgba(name) for name in names]


@pytest.mark.parametrize(("threshold", "answer"), [(0.4, 3), (0.45, 2), (0.5, 2), (0.85, 1), (0.95, 0), (1.0, 0)])
def test_the_answer_is_that_of_predict(threshold, answer):
    picture = Image.new("RGB", (8, 8))
    figure = descents([picture], TREE, P[None], threshold)
    axes = figure.axes[1]
    said, found, rest = colours(SAID, ANSWER, "#DDDDDD")
    assert [paint for _, paint in bars(axes)] == [said] * answer + [found] + [rest] * (3 - answer)
    assert [width for width, _ in bars(axes)] == pytest.approx([1, 0.9, 0.8, 0.45])
    bold = [text.get_text() for text in axes.texts if text.get_weight() == "bold"]
    scores = P.double().log()
    if threshold not in (0.45, 1.0):  # where equal, rounding decides
        node = int(TREE.predict(scores, threshold)[1])
        assert bold == [f"{TREE.names[node]}  {P[node]:.2f}"]
    encode(figure)


def test_pictures_side_by_side_with_titles_and_ticks():
    pictures = [Image.new("RGB", (8, 8))] * 2
    owl = torch.tensor([1.0, 0.9, 0.1, 0.1, 0.8, 0.05, 0.05])
    figure = descents(pictures, TREE, torch.stack([P, owl]), 0.5, ["sharp", "blurred"], [5, 5])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["sharp", "blurred"]
    first, second = ([text.get_text() for text in axes.texts] for axes in figure.axes[2:])
    assert first == ["thing  1.00 ✓", "animal  0.90 ✓", "dog  0.80 ✓", "terrier  0.45 ✓"]
    assert second == ["thing  1.00 ✓", "animal  0.90 ✓", "owl  0.80"]
    assert figure.axes[2].get_ylim() == figure.axes[3].get_ylim(), "levels stand side by side"


def test_without_a_threshold_all_is_said_and_nothing_answered():
    axes = descents([Image.new("RGB", (8, 8))], TREE, P[None]).axes[1]
    assert [paint for _, paint in bars(axes)] == colours(SAID) * 4 and not axes.lines
    assert all(text.get_color() == INK for text in axes.texts)


def test_a_row_for_each_picture():
    with pytest.raises(ValueError, match="2 pictures and 1 rows"):
        descents([Image.new("RGB", (8, 8))] * 2, TREE, P[None])
    with pytest.raises(ValueError, match="0 pictures"):
        descents([], TREE, P[None][:0])
