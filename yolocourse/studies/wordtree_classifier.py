"""What notebook 11 measures, with several seeds: one small classifier with a flat softmax and with a word tree.

    python -m yolocourse.studies.wordtree_classifier --seeds 0 1 2 3 4        # about 3 minutes a seed on one core

Four of Toy Town's fine kinds are kept out of training: their names are in both label spaces, their pictures in neither
lesson. That is done twice, with other kinds (`KEPT_OUT`). NETWORKS says what each network learns from; the budget is
the same for all. The second question is what pictures are worth that are labelled coarsely only ("dog"): a tree can
learn from them, a flat softmax cannot.

The numbers of pictures and the kinds of "a" were settled in trials with one or two seeds. In one of them, with fine
labels for 600 pictures and all others as often as they come, the coarse ones did harm: FEW is small on purpose.

A flat softmax can be read as a tree, too: the probability of "dog" is the sum over the breeds (`summed`). So both are
tested by the same walk. Rows go to data/results/wordtree_classifier.csv. A seed decides on the weights to begin with,
the order of the pictures and their augmentation; pictures and tests are always the same.

Shape letters: N pictures, T nodes of the tree, K fine classes, D levels.
"""

import argparse
import itertools
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.transforms.v2.functional import gaussian_blur, resize

from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import best_device
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.tasks import Classification
from yolocourse.labels import FlatLabels, LabelSpace
from yolocourse.metrics import top_k
from yolocourse.models import Darknet19
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import WIDTH
from yolocourse.treeview import map_classes
from yolocourse.wordtree import WordTree

RESULTS = FOLDER / "wordtree_classifier.csv"
SIZE, THINGS, TESTS = 64, 1_500, 1_080  # side of the pictures, pixels; pictures drawn to train on; drawn to test with
IMAGES, FEW = 16_000, 92  # pictures to train on, repeats included; drawn ones with a fine label where these are few
# "a": the notebook's own; "b": those that notebook 12 shows without boxes
KEPT_OUT = {"a": ("dalmatian", "Siamese cat", "taxi", "tugboat"), "b": toytown.NEVER_BOXED}
# what learns: from which labels
NETWORKS = {
    "flat": "fine labels",
    "tree": "fine labels",
    "flat, few": "the first FEW pictures with fine labels, nothing else",
    "tree, few": "the first FEW pictures with fine labels, nothing else",
    "tree, mixed": "half of the time those, half of the time all others, which have coarse labels",
}
RUNS = [("flat", "a"), ("tree", "a"), ("flat", "b"), ("tree", "b")]
RUNS += [(network, "a") for network in NETWORKS if "," in network]
THRESHOLDS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
SETS = ("known", "unseen", "blurred", "dark", "small")


class Named(Dataset):
    """Some pictures of one thing each, with labels of another space.

    things: such as `toytown.things`, fine labels. items: which of them. places: the new label for each fine one.
    coarse_places, fine_items: where given, an item that is not among `fine_items` gets its label from coarse_places.
    """

    def __init__(
        self, things: Dataset, labels: LabelSpace, items: Sequence[int], places: Sequence[int],
        coarse_places: Sequence[int] | None = None, fine_items: Iterable[int] = (),
    ):  # fmt: skip
        self.things, self.labels, self.items, self.places = things, labels, list(items), list(places)
        self.coarse_places, self.fine_items = coarse_places, frozenset(fine_items)

    def __len__(self) -> int:
        return len(self.items)

    def target(self, i: int) -> dict:
        item = self.items[i]
        coarse = self.coarse_places is not None and item not in self.fine_items
        return {"label": torch.tensor((self.coarse_places if coarse else self.places)[self.things.label(item)])}

    def __getitem__(self, i: int) -> tuple:
        return self.things[self.items[i]][0], self.target(i)


def split(things: Dataset, unseen: Sequence[str] = KEPT_OUT["a"]) -> tuple[list[int], list[int]]:
    """The numbers of the pictures whose kind may be learned, and of those whose kind is kept out."""
    out = {things.labels.index(name) for name in unseen}
    known, kept_out = [], []
    for i in range(len(things)):
        (kept_out if things.label(i) in out else known).append(i)
    return known, kept_out


def lesson(things: Dataset, network: str, items: Sequence[int], few: int = FEW) -> Named:
    """What a network of NETWORKS learns from. Raises ValueError for another name."""
    if network not in NETWORKS:
        raise ValueError(f"unknown network {network!r}; known: {', '.join(NETWORKS)}")
    if network.startswith("flat"):
        space, places = toytown.labels("fine"), list(range(len(toytown.FINE)))
    else:
        space = toytown.tree()
        places = map_classes(space, toytown.labels("fine"))
    if network.endswith("few"):
        return Named(things, space, items[:few], places)
    if network.endswith("mixed"):
        fine, rest = list(items[:few]), list(items[few:])
        return Named(things, space, fine * max(1, round(len(rest) / few)) + rest, places, coarse_nodes(space), fine)
    return Named(things, space, items, places)


def coarse_nodes(tree: WordTree) -> list[int]:
    """The node of the coarse class of each fine one (K,)."""
    coarse = map_classes(tree, toytown.labels("coarse"))
    return [coarse[toytown.COARSE.index(toytown.coarse_of(name))] for name in toytown.FINE]


def settings(images: int = IMAGES, seed: int = 0) -> TrainSettings:
    """The lesson: small pictures, from new weights."""
    return TrainSettings(
        images=images, size=SIZE, batch_size=32, learning_rate=3e-3, warmup_images=max(1, images // 12),
        hue=0.03, saturation=1.3, exposure=1.3, seed=seed,
    )  # fmt: skip


def teach(pictures: Named, images: int = IMAGES, seed: int = 0, **options) -> nn.Module:
    """A quarter-width Darknet-19 with new weights, trained; `options` go to `engine.train.train`."""
    torch.manual_seed(seed)
    model, task = Darknet19(pictures.labels.num_outputs, WIDTH), Classification(pictures.labels)
    options = {"device": best_device()} | options
    return train(model, pictures, pictures.labels, settings(images, seed), task=task, **options).model


def summed(scores: Tensor, labels: FlatLabels, tree: WordTree) -> Tensor:
    """Flat scores (N, K) -> scores (N, T) that give every node the sum of the probabilities of the classes below it.

    The classes are leaves of the tree, found by id. The score of a node is the logarithm of that sum, so that a softmax
    over siblings gives each its share of their parent's. Raises ValueError for a class that is no leaf, or where a leaf
    is no class: then the sums would not be those of a tree.
    """
    nodes = map_classes(tree, labels)
    if sorted(nodes) != tree.leaves:
        raise ValueError(f"{len(nodes)} classes and {len(tree.leaves)} leaves; each leaf has to be one class")
    found = torch.log_softmax(scores.double(), dim=-1)  # (N, K)
    below = torch.zeros(len(nodes), len(tree), dtype=torch.bool)
    for k, node in enumerate(nodes):
        below[k, tree.path(node)] = True
    spread = torch.where(below, found[..., None], -torch.inf)  # (N, K, T)
    return spread.logsumexp(dim=-2).float()  # (N, T)


def changed(images: Tensor, how: str) -> Tensor:
    """Pictures (N, 3, S, S), 0 to 1, made hard to see. Raises ValueError for an unknown way.

    "blurred": a Gaussian of 2.5 pixels; "dark": a fifth of the light; "small": the whole picture half as large, its
    mean colour around it.
    """
    if how == "blurred":
        return gaussian_blur(images, [15, 15], [2.5, 2.5])
    if how == "dark":
        return images * 0.2
    if how == "small":
        side = images.shape[-1]
        canvas = images.mean(dim=(2, 3), keepdim=True).expand(images.shape).clone()
        place = slice(side // 4, side // 4 + side // 2)
        canvas[:, :, place, place] = resize(images, [side // 2, side // 2], antialias=True)
        return canvas
    raise ValueError(f"unknown way to change pictures: {how!r}; known: 'blurred', 'dark', 'small'")


@torch.inference_mode()
def scores_of(model: nn.Module, images: Tensor) -> Tensor:
    """Pictures (N, 3, S, S), 0 to 1 -> raw scores (N, T or K), on the processor."""
    device = next(model.parameters()).device
    return torch.cat([model.eval()(part.to(device)).float().cpu() for part in images.split(64)])


def level_accuracy(tree: WordTree, found: Tensor, truth: Tensor) -> list[tuple[float, int]]:
    """For each level from the root: share of pictures right at it, and how many pictures are that deep.

    found, truth (N,): leaves. At a level both stand for their ancestor there.
    """
    levels = []
    for level in range(tree.levels):
        pairs = [(tree.path(f), tree.path(t)) for f, t in zip(found.tolist(), truth.tolist(), strict=True)]
        deep = [(f, t) for f, t in pairs if len(t) > level]
        if deep:
            right = sum(len(f) > level and f[level] == t[level] for f, t in deep)
            levels.append((right / len(deep), len(deep)))
    return levels


def judge(tree: WordTree, answers: Tensor, truth: Tensor) -> dict[str, float]:
    """What answers (N,), nodes at any depth, are worth for pictures of the leaves `truth` (N,), as shares.

    right: the answer is the truth or lies above it. leaf: it is a leaf. coarse: right, and as exact as the coarse class
    or more. level: mean number of steps below the root.
    """
    coarse = dict(zip(map_classes(tree, toytown.labels("fine")), coarse_nodes(tree), strict=True))
    leaves, sums = set(tree.leaves), dict.fromkeys(("right", "leaf", "coarse", "level"), 0)
    for answer, true in zip(answers.tolist(), truth.tolist(), strict=True):
        path = tree.path(true)
        right = answer in path
        sums["right"] += right
        sums["leaf"] += answer in leaves
        sums["coarse"] += right and path.index(answer) >= path.index(coarse[true])
        sums["level"] += len(tree.path(answer)) - 1
    return {name: value / len(answers) for name, value in sums.items()}


def runs(
    seeds: Iterable[int], which: Sequence[tuple[str, str]] = tuple(RUNS), things: int = THINGS, tests: int = TESTS,
    images: int = IMAGES, few: int = FEW,
) -> Iterator[Run]:  # fmt: skip
    """Each network and choice of kinds for each seed. Smaller numbers of pictures are for trials."""
    tree, fine = toytown.tree(), toytown.labels("fine")

    @cache
    def pictures() -> Cached:
        return Cached(toytown.things(things, size=SIZE))

    @cache
    def held_out(kept_out: str) -> dict[str, tuple[Tensor, Tensor]]:
        return test_sets(toytown.things(tests, size=SIZE, split="test"), KEPT_OUT[kept_out])

    def one(network: str, kept_out: str, seed: int) -> Iterator[Row]:
        known, _ = split(pictures(), KEPT_OUT[kept_out])
        model = teach(lesson(pictures(), network, known, few), images, seed)
        for name, (shown, truth) in held_out(kept_out).items():
            scores = scores_of(model, shown)
            scores = summed(scores, fine, tree) if network.startswith("flat") else scores
            if name == "known":
                yield from at_leaves(tree, scores, truth)
            for threshold in () if "," in network else THRESHOLDS:
                found = judge(tree, tree.predict(scores, threshold)[1], truth)
                found = {key: round(value, 4) for key, value in found.items()}
                yield {"what": "walk", "set": name, "threshold": threshold} | found

    for seed, (network, kept_out) in itertools.product(seeds, which):
        key = {"network": network, "kept_out": kept_out, "seed": seed}
        yield Run(key, lambda key=key: one(**key))


def test_sets(drawn: Dataset, kept_out: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """Pictures (N, 3, S, S), 0 to 1, and the nodes (N,) that they show, for each of SETS."""
    every = torch.stack([image for image, _ in Cached(drawn)]).float() / 255
    nodes = torch.tensor(map_classes(toytown.tree(), drawn.labels))[[drawn.label(i) for i in range(len(drawn))]]
    known, unseen = split(drawn, kept_out)
    sets = {"known": (every[known], nodes[known]), "unseen": (every[unseen], nodes[unseen])}
    return sets | {how: (changed(every[known], how), nodes[known]) for how in SETS[2:]}


test_sets.__test__ = False  # it is no test, though pytest would take it for one


def at_leaves(tree: WordTree, scores: Tensor, truth: Tensor) -> Iterator[Row]:
    """Top-1 and top-5 of scores (N, T) among the leaves, then the share right at each level above them."""
    leaves = torch.tensor(tree.leaves)
    found = tree.probabilities(scores)[:, leaves]  # (N, K)
    place = (truth[:, None] == leaves).long().argmax(dim=1)  # (N,)
    yield {"what": "leaves", "top1": round(top_k(found, place), 4), "top5": round(top_k(found, place, 5), 4)}
    for level, (right, count) in enumerate(level_accuracy(tree, leaves[found.argmax(dim=1)], truth)):
        yield {"what": "level", "level": level, "right": round(right, 4), "pictures": count}


def run(seeds: Iterable[int], out: Path = RESULTS, **trial) -> list[Row]:
    """Runs what `out` does not hold yet; `trial` as for `runs`."""
    return collect(out, runs(seeds, **trial))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    run(parser.parse_args().seeds)
