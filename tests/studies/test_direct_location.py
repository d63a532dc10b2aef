"""Where boxes are early in training: the look by hand, a tiny run, and the results that come with the course."""

import math

import pytest
import torch
from torch import nn

from yolocourse.datasets import toytown
from yolocourse.datasets.batch import collate
from yolocourse.datasets.loading import Cached
from yolocourse.losses import DetectionLoss
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies import direct_location as study
from yolocourse.studies.results import read, select, summary


class Fixed(nn.Module):
    """A network whose output is given; two anchors, 1 x 1 and 4 x 2 cells."""

    def __init__(self, raw, location):
        super().__init__()
        self.raw, self.location, self.stride = raw, location, 32
        self.register_buffer("anchors", torch.tensor([[1.0, 1.0], [4.0, 2.0]]))

    def forward(self, images):
        return self.raw


@pytest.fixture
def batch():
    """One picture of 7 x 7 cells: a box of 4 x 2 cells around (3.5, 2.75), one of 1 x 1 around (6.5, 6.25)."""
    boxes = torch.tensor([[1.5, 1.75, 5.5, 3.75], [6.0, 5.75, 7.0, 6.75]]) * 32
    picture = torch.zeros(3, 224, 224, dtype=torch.uint8)
    return collate([(picture, {"boxes": boxes, "labels": torch.tensor([0, 0])})])


def test_look_at_boxes_on_their_anchors(batch):
    for location in study.LOCATIONS:
        found = study.look(Fixed(torch.zeros(1, 12, 7, 7), location), batch)
        assert found.centres.tolist() == [[3.5, 2.5], [6.5, 6.5]]
        assert found.error == pytest.approx(0.25)
        assert (found.outside_cell, found.outside_picture) == (0, 0)
        # a quarter of a cell too high: 7/8 of 2 x 4 shared; 3/4 of 1 x 1
        assert found.iou == pytest.approx(((7 / 9) + (3 / 5)) / 2)


def test_look_at_boxes_that_went_away(batch):
    raw = torch.zeros(1, 12, 7, 7)
    raw[0, 6, 2, 3] = 0.5  # tx of the wide anchor: half of 4 cells to the right
    raw[0, 1, 6, 6] = 1  # ty of the small one: a whole cell down, under the picture
    found = study.look(Fixed(raw, "offset"), batch)
    assert found.centres.tolist() == [[5.5, 2.5], [6.5, 7.5]]
    assert (found.outside_cell, found.outside_picture) == (1, 0.5)
    direct = study.look(Fixed(100 * raw, "sigmoid"), batch)
    assert (direct.outside_cell, direct.outside_picture) == (0, 0)


@pytest.fixture(scope="module")
def scenes():
    return Cached(toytown.scenes(16))


@pytest.mark.parametrize("name", study.CONDITIONS)
def test_both_locations_start_from_the_same_weights(name, scenes):
    condition = study.CONDITIONS[name]
    models = []
    for location in study.LOCATIONS:
        recipe = study.recipe_of(condition, location, seed=3)
        models.append(study.start(condition, recipe, scenes))
        assert models[-1].location == location and recipe.train.learning_rate == condition.rate
        assert recipe.train.optimizer == condition.optimizer
        assert recipe.train.loss.anchor_warmup_images == (0 if condition.ordinary else 800)
        assert recipe.train.warmup_images == toytown_recipe().train.warmup_images
    for (key, one), other in zip(models[0].state_dict().items(), models[1].state_dict().values(), strict=True):
        assert torch.equal(one, other), key
    spread = models[0].head.weight.std().item()
    assert spread == pytest.approx(math.sqrt(2 / 256) if condition.ordinary else 0.01, rel=0.05)


def test_a_tiny_run(tmp_path, monkeypatch):
    monkeypatch.setitem(study.CONDITIONS, "tiny", study.Condition(images=32, every=2))
    out = tmp_path / "results.csv"
    rows = study.run([3], ["tiny"], out, scenes=16, probes=2, tests=2)
    assert [(row["location"], row["seen"]) for row in rows] == [
        (location, seen) for location in study.LOCATIONS for seen in (0, 16, 32)
    ]
    assert all(0 <= row["iou"] <= 1 and row["error"] >= 0 and row["seed"] == 3 for row in rows)
    assert [math.isnan(row["moved"]) for row in rows] == [True, False, False] * 2
    assert [math.isnan(row["AP50"]) for row in rows] == [True, True, False] * 2
    assert not any(row["outside_cell"] for row in select(rows, location="sigmoid"))
    assert study.run([3], ["tiny"], out, scenes=16, probes=2, tests=2) == read(out)


def test_the_centre_alone_is_weighted(scenes):
    recipe = study.recipe_of(study.CONDITIONS["careful"], "sigmoid", seed=3)
    model = study.start(study.CONDITIONS["careful"], recipe, scenes)
    batch = study.probe_batch(2)
    raw, boxes, labels = model(batch.inputs()).detach(), batch.boxes, batch.labels
    one, sixteen = (
        study.criterion_of(study.Condition(centre=weight), model, recipe, scenes.labels)(raw, boxes, labels, 0)
        for weight in (1, 16)
    )
    plain = DetectionLoss(model.anchors, scenes.labels, recipe.train.loss)(raw, boxes, labels, 0)
    assert one == plain
    assert sixteen.xy == pytest.approx(16 * one.xy) and sixteen.wh == one.wh
    assert sixteen.total == pytest.approx(one.total + 15 * one.xy)


def test_a_run_that_blows_up_keeps_its_rows(monkeypatch, scenes, capsys):
    monkeypatch.setitem(study.CONDITIONS, "wild", study.Condition(rate=1e30, pretrained=False, images=80, every=1))
    rows = list(study.rows_of("wild", "offset", 0, scenes, study.probe_batch(2), scenes))
    assert 1 <= len(rows) < 11 and rows[0]["seen"] == 0
    assert "not finite" in capsys.readouterr().out


def test_settled():
    def run(*shares):
        return [{"seen": 8 * i, "outside_cell": share} for i, share in enumerate(shares)]

    assert study.settled(run(0, 0, 0)) == 0
    assert study.settled(run(0.9, 0.2, 0.5, 0.25, 0.1)) == 24
    assert study.settled(run(0.9, 0.2, 0.5)) == math.inf
    assert study.settled(run(0.1, 0.4, 0.2)[::-1]) == 16


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


STARTS = ["ordinary", "ordinary, SGD", "ordinary, high rate", "ordinary, random trunk"]


def pair(rows, column, **values):
    """Summaries of a column for the sigmoid and for offset."""
    return [summary(select(rows, location=location, **values), column) for location in study.LOCATIONS]


def by_seed(rows, column, **values):
    return [row[column] for row in sorted(select(rows, **values), key=lambda row: row["seed"])]


def test_results_have_five_seeds_of_all_conditions(rows):
    looks = {}
    for row in rows:
        looks.setdefault((row["condition"], row["location"], row["seed"]), []).append(row["seen"])
    expected = {(n, place, s) for n, c in study.CONDITIONS.items() for place in c.locations for s in range(5)}
    assert set(looks) == expected
    for (name, _, _), seen in looks.items():
        condition = study.CONDITIONS[name]
        assert seen == list(range(0, condition.images + 1, 8 * condition.every))


@pytest.mark.parametrize("name", STARTS)
def test_an_ordinary_start_is_unstable_with_offset(rows, name):
    early = {"condition": name, "seen": 240}
    (sigmoid, offset) = pair(rows, "iou", **early)
    assert offset.high < sigmoid.low and (sigmoid.count, offset.count) == (5, 5)
    for column, times in (("error", 1.5), ("moved", 4)):
        (sigmoid, offset) = pair(rows, column, **early)
        assert offset.low > times * sigmoid.high
    assert pair(rows, "outside_cell", **early)[1].mean > 0.5 and pair(rows, "outside_picture", **early)[1].mean > 0.05
    times = [study.settled(select(rows, condition=name, location="offset", seed=seed)) for seed in range(5)]
    assert min(times) > 600 and max(times) < 2_000
    assert not any(row["outside_cell"] for row in select(rows, location="sigmoid"))


@pytest.mark.parametrize("name", STARTS)
def test_but_no_worse_in_the_end(rows, name):
    (sigmoid, offset) = pair(rows, "AP50", condition=name, seen=2_000)
    assert offset.low < sigmoid.high and sigmoid.low < offset.high
    assert sigmoid.high < 0.2 and offset.high < 0.2


def test_a_careful_start_hides_it(rows):
    early = {"condition": "careful", "seen": 240}
    (sigmoid, offset) = pair(rows, "moved", **early)
    assert sigmoid.high < offset.low and offset.high < 0.5
    assert pair(rows, "outside_cell", **early)[1].mean < 0.25 and pair(rows, "iou", **early)[1].low > 0.28


def test_what_the_sigmoid_costs_and_how_it_is_mended(rows):
    for column in ("AP50", "recall", "iou"):
        ends = [by_seed(rows, column, condition="careful", location=place, seen=2_000) for place in study.LOCATIONS]
        assert all(sigmoid < offset for sigmoid, offset in zip(*ends, strict=True)), column
    heavy = {"condition": "careful, centre x 16", "location": "sigmoid", "seen": 2_000}
    for column, better in (("error", min), ("iou", max), ("recall", max)):
        others = by_seed(rows, column, condition="careful", location="offset", seen=2_000)
        for mine, other in zip(by_seed(rows, column, **heavy), others, strict=True):
            assert better(mine, other) == mine, column
    assert summary(select(rows, **heavy), "AP50").low > 0.14
    assert summary(select(rows, **heavy | {"seen": 240}), "moved").high < 0.2


def test_more_pictures_bring_both_closer(rows):
    ahead = []
    for seen in (2_000, 8_000):
        sigmoid, offset = pair(rows, "recall", condition="careful, longer", seen=seen)
        ahead.append(offset.mean / sigmoid.mean)
    assert ahead[0] > ahead[1] > 1
    sigmoid, offset = pair(rows, "AP50", condition="careful, longer", seen=8_000)
    assert sigmoid.mean < offset.mean < 1.25 * sigmoid.mean
