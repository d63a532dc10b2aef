"""The study of joint training: what each detector is shown, runs, resuming, and its sums."""

from dataclasses import replace

import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.labels import FlatLabels
from yolocourse.studies import joint as study
from yolocourse.studies import joint_report as report
from yolocourse.studies.results import read, select
from yolocourse.wordtree import WordTree

TINY = study.Budget(
    scene_images=16, scenes=30, scarce_scenes=2, unseen_scenes=4, things=27, size=96, tests=4, unseen_tests=4
)


@pytest.fixture(scope="module")
def material():
    return study.Material(TINY)


def kinds(dataset):
    return {dataset.labels.names[n] for i in range(len(dataset)) for n in dataset.target(i)["labels"].tolist()}


def test_scarce_classes_have_few_scenes_and_the_oracle_gets_the_rest(material):
    scenes, (rest, unseen) = material.scenes, material.more
    boats = [i for i in range(len(scenes)) if toytown.COARSE.index("boat") in scenes.target(i)["labels"].tolist()]
    assert len(boats) == 2 and len(scenes) + len(rest) == 30
    assert all(toytown.COARSE.index("boat") in rest.target(i)["labels"].tolist() for i in range(len(rest)))
    assert len(rest) > 2 and len(unseen) == 4


def test_what_each_detector_is_shown(material):
    joint, detection, oracle = (study.pictures_of(arm, material, 1.0) for arm in study.ARMS)
    assert isinstance(joint.labels, WordTree) and joint.boxed_rounds * len(joint.boxed) >= len(joint.class_only) == 27
    assert kinds(joint.boxed) <= set(toytown.COARSE) and kinds(detection) == kinds(joint.boxed)
    assert isinstance(detection.labels, FlatLabels) and detection.labels.names == list(toytown.COARSE)
    fine = {oracle.labels.names[n] for i in range(len(oracle)) for n in oracle[i][1]["labels"].tolist()}
    assert fine & set(toytown.NEVER_BOXED) and fine & {"terrier", "dalmatian", "taxi", "owl", "duck"}


def test_every_detector_sees_as_many_scenes_in_as_many_steps():
    budget = study.Budget()
    recipes = {arm: study.recipe_of(arm, budget, 3) for arm in study.ARMS}
    steps = {recipe.train.images / recipe.train.batch_size for recipe in recipes.values()}
    assert steps == {budget.scene_images / 8}
    assert recipes["joint"].train.images == 2 * recipes["detection"].train.images == 2 * budget.scene_images
    assert recipes["oracle"].train == recipes["detection"].train and recipes["joint"].train.seed == 3


@pytest.mark.slow
def test_in_the_tests_no_child_of_dog_car_and_tree_is_rare():
    budget, counts = study.Budget(), 0
    for name, count in ((None, budget.tests), ("unseen", budget.unseen_tests)):
        counts = counts + study.counts(study.fine_only(toytown.scenes(count, slice=name, split="test")))
    for coarse in ("dog", "car", "tree"):
        children = [c for c, parent in enumerate(study.coarse_parents()) if parent == toytown.COARSE.index(coarse)]
        shares = counts[children] / counts[children].sum()
        assert shares.min() > 0.25 and shares.max() < 0.4, coarse


def test_answers_and_guesses(material):
    everything = study.Together(material.tests)
    assert list(study.answers("joint", everything)) == list(study.answers("oracle", everything)) == ["own"]
    guessed = study.answers("detection", everything)
    assert list(guessed) == ["commonest child", "every child"] and guessed["every child"].num_outputs == 12
    counts = study.counts(study.fine_only(everything))
    for coarse in range(12):
        children = [c for c, parent in enumerate(study.coarse_parents()) if parent == coarse]
        chosen = [c for c in children if guessed["commonest child"].guesses[c] >= 0]
        assert len(chosen) == (1 if children else 0)
        assert not children or counts[chosen[0]] == max(counts[c] for c in children)
    assert [study.coarse_labels(arm).names for arm in study.ARMS] == [list(toytown.COARSE)] * 3


@pytest.mark.slow
def test_a_tiny_run_of_each(material, tmp_path):
    lines = []
    rows = study.run([1], out=tmp_path / "joint.csv", budget=TINY, report=lines.append, models=tmp_path / "kept")
    assert rows == read(tmp_path / "joint.csv") and len(rows) == len(lines)
    for arm, answers in report.ANSWERS.items():
        for answer in answers:
            mine = select(rows, arm=arm, answer=answer)
            names = {row["class"] for row in mine if row["group"] != "coarse"}
            assert len(names) == 24 and "person" not in names
        coarse = select(rows, arm=arm, group="coarse", answer="own")
        assert {row["class"] for row in coarse} == set(toytown.COARSE) - {"boat"}
    assert all(row["truths"] == 0 or 0 <= row["AP50"] <= 1 for row in rows)
    files = {path.name for path in (tmp_path / "kept").iterdir()}
    assert files == {f"{arm}-1.safetensors" for arm in study.ARMS}
    again = list(study.run_arm("oracle", 1, material, tmp_path / "kept"))
    before = [row["AP50"] for row in select(rows, arm="oracle")]
    assert [row["AP50"] for row in again] == pytest.approx(before, abs=0, nan_ok=True), (
        "tested again, not trained again"
    )
    first = [p.detach().clone() for p in study.train_detector("joint", 1, material).parameters()]
    second = study.train_detector("joint", 1, material).parameters()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True)), "a run is the same when repeated"


def fake(joint, guess, coarse_lost):
    """Rows of runs that nobody did: AP50 of two never boxed classes, one with truths, and of one coarse class."""

    def run_arm(arm, seed, material, models):
        value = {"joint": joint, "detection": guess, "oracle": 0.9}[arm] + seed / 100
        for answer in report.ANSWERS[arm]:
            for name, ap, truths in (("palm", value, 5), ("jeep", value + 0.1, 7), ("penguin", float("nan"), 0)):
                about = {"answer": answer, "group": "never boxed", "images": material.budget.scene_images}
                yield about | {"class": name, "AP50": ap, "truths": truths}
        kept = 0.8 - (coarse_lost if arm == "joint" else 0)
        yield {"answer": "own", "group": "coarse", "class": "dog", "AP50": kept, "images": 16}

    return run_arm


def test_study_resumes_and_sums_up(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "run_arm", fake(0.5, 0.3, 0.01))
    out, lines = tmp_path / "joint.csv", []
    study.run([0], ["joint"], out, TINY, lines.append)
    rows = study.run([0, 1], out=out, budget=TINY, report=lines.append)
    assert len(rows) == len(lines) == 2 * (4 + 7 + 4)
    assert report.group_means(rows, "joint", "own", "never boxed") == {0: pytest.approx(0.55), 1: pytest.approx(0.56)}
    assert report.summarise(rows, "detection", "every child", "never boxed").high == pytest.approx(0.36)
    assert report.finds_what_had_no_box(rows) and report.keeps_coarse_classes(rows)
    assert report.ranking(rows) == [("jeep", pytest.approx(0.605)), ("palm", pytest.approx(0.505))]
    head, *lines = report.table(rows).splitlines()
    assert len(lines) == 4 and "never boxed" in head
    assert lines[0].split()[:5] == ["joint", "-", "0.555", "±", "0.007"] and lines[0].endswith("       2")
    assert lines[2].startswith("detection, every child")


@pytest.mark.parametrize(
    ("joint", "guess", "lost", "expected"), [(0.31, 0.3, 0.0, (False, True)), (0.5, 0.3, 0.03, (True, False))]
)
def test_claims_may_fail(joint, guess, lost, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "run_arm", fake(joint, guess, lost))
    rows = study.run([0, 1], out=tmp_path / "joint.csv", budget=TINY, report=lambda line: None)
    assert (report.finds_what_had_no_box(rows), report.keeps_coarse_classes(rows)) == expected


def test_another_budget_or_arm_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "run_arm", fake(0.5, 0.3, 0.0))
    out = tmp_path / "joint.csv"
    study.run([0], ["joint"], out, TINY, lambda line: None)
    with pytest.raises(ValueError, match="made with 16 scenes to a detector, not 17"):
        study.run([0], ["joint"], out, replace(TINY, scene_images=17), lambda line: None)
    with pytest.raises(ValueError, match="unknown arm 'guess'; known: joint, detection, oracle"):
        study.run([0], ["guess"], out, TINY, lambda line: None)


# ------------------------------------------------------------------------------------------------------- the results


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def of_oracle(rows, group):
    """Joint training's AP50 as a share of the oracle's, seed by seed."""
    joint, oracle = (report.group_means(rows, arm, "own", group) for arm in ("joint", "oracle"))
    return [joint[seed] / oracle[seed] for seed in joint]


def test_results_have_five_seeds_of_all_arms(rows):
    assert {(row["arm"], row["seed"]) for row in rows} == {(arm, seed) for arm in study.ARMS for seed in range(5)}
    assert {row["images"] for row in rows} == {study.Budget().scene_images}


def test_results_keep_both_claims(rows):
    """What never had a box is found better than by any guess, in every seed; coarse classes lose hardly anything."""
    assert report.finds_what_had_no_box(rows) and report.keeps_coarse_classes(rows)
    scarce = [report.summarise(rows, "detection", answer, "scarce").high for answer in report.ANSWERS["detection"]]
    assert report.summarise(rows, "joint", "own", "scarce").low > max(scarce)


def test_results_say_what_notebook_12_says(rows):
    """Section 4, "Armadillo and sunglasses": a missing box hurts more than a missing name, a whole branch no more."""
    assert min(of_oracle(rows, "boxed")) > 0.5 and min(of_oracle(rows, "coarse")) > 0.98
    assert max(of_oracle(rows, "never boxed") + of_oracle(rows, "scarce")) < 0.3
    never, boats = (dict(report.ranking(rows, groups=[group])) for group in ("never boxed", "scarce"))
    assert max(never, key=never.get) == "jeep" and max(boats, key=boats.get) == "speedboat"
    assert sum(boats.values()) / 3 > sum(never[name] for name in ("dachshund", "penguin", "palm")) / 3
    both = never | boats
    assert set(sorted(both, key=both.get)[:2]) == {"dachshund", "penguin"}
