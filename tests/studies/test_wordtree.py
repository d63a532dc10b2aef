"""How near the built trees come to Darknet's: a tiny comparison by hand, and what the results file says."""

from pathlib import Path

import pytest
import torch

from yolocourse.studies import wordtree as study
from yolocourse.studies.results import read, select
from yolocourse.wordnet import read_wordnet

DARKNET = Path(__file__).resolve().parents[3] / "shared" / "darknet" / "data"


def test_reasons_for_another_parent(write_wordnet):
    wordnet = read_wordnet(write_wordnet())
    animal, carnivore, pet, dog, cat, ball, toy, artifact = (f"n{k:08d}" for k in (20, 21, 22, 23, 24, 32, 31, 30))
    reference = {animal: None, artifact: None, carnivore: animal, dog: animal, cat: animal, ball: cat, toy: artifact}
    tree = {animal: None, pet: animal, dog: pet, cat: carnivore, carnivore: animal, ball: None, artifact: None}
    found = study.compare(tree, reference, wordnet)
    assert {name: found[name] for name in ("same", "absent", "by_hand", "absent_parent", "other_way", "fold")} == {
        "same": 3, "absent": 1, "by_hand": 1, "absent_parent": 0, "other_way": 1, "fold": 1
    }  # fmt: skip
    assert found["share"] == 3 / 7 and found["leaves_share"] == 1 / 4 and found["nodes"] == 7 and found["extra"] == 1
    assert study.compare(reference, reference, wordnet)["share"] == 1


def test_a_tree_cut_down_to_some_classes():
    tree = {"a": None, "b": "a", "c": "b", "d": "b", "e": "a"}
    assert study.cut(tree, ["c", "e"]) == {"c": None, "e": None}


def test_peak_memory_of_a_function():
    peak = study.peak_megabytes(lambda: torch.ones(25_000_000))
    assert peak != peak or 80 < peak < 130


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def test_results_say_what_the_issue_asks(rows):
    sizes = {row["variant"]: row for row in select(rows, what="imagenet1k")}
    assert sizes["build"]["nodes"] == study.PAPER_NODES
    assert all(abs(row["nodes"] - study.PAPER_NODES) < 5 for name, row in sizes.items() if name != "nothing left out")
    (plain,) = select(rows, what="9k leaves", variant="fold nodes")
    (darknet,) = select(rows, what="9k leaves", variant="fold darknet")
    (classes,) = select(rows, what="9k classes", variant="fold darknet")
    assert 0.89 < plain["share"] < 0.90 and darknet["share"] > 0.967 and classes["share"] > 0.992
    assert abs(classes["nodes"] - 9418) <= 2


def test_a_tree_costs_little(rows):
    for layout in ("head", "rows"):
        (both,) = select(rows, what="speed", variant=f"both, {layout}")
        assert both["times"] <= 2.5 and both["memory"] <= 3


@pytest.mark.slow
@pytest.mark.skipif(not DARKNET.is_dir(), reason="needs Darknet's 9k.tree in ../shared")
def test_the_comparison_can_be_run_again(tmp_path, rows):
    try:
        found = study.run("trees", DARKNET, tmp_path / "results.csv")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    for row in found:
        (kept,) = select(rows, what=row["what"], variant=row["variant"])
        for column in ("nodes", "same", "share"):
            assert kept[column] == row[column] or row[column] != row[column]


@pytest.mark.skipif(not DARKNET.is_dir(), reason="needs Darknet's 9k.tree in ../shared")
def test_speed_of_a_few_rows():
    row = next(iter(study.speed_runs(DARKNET, rounds=1, rows=4)))
    values = next(iter(row.rows()))
    assert values["flat_ms"] > 0 and values["tree_ms"] > 0
