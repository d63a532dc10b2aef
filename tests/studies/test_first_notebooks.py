"""The experiments of notebooks 00 and 01 over several seeds, and the results that come with the course."""

import pytest

from yolocourse.studies import first_notebooks as study


def test_a_small_run_writes_rows_and_keeps_those_of_other_notebooks(tmp_path):
    out = tmp_path / "results.csv"
    study.run([3], ["01"], out, scenes=20, tests=2, images=16)
    first = study.read(out)
    assert [(row["network"], row["slice"]) for row in first] == [
        (network, name) for network in ("YOLO", "YOLOv2") for name in study.SLICES
    ]
    assert all(row["seed"] == "3" and row["images"] == "16" and 0 <= row["AP50"] <= 1 for row in first)
    study.run([4], ["00"], out, scenes=20, tests=2, images=16)
    both = study.read(out)
    assert [row for row in both if row["notebook"] == "01"] == first
    assert [(row["seed"], row["images"]) for row in both if row["notebook"] == "00"] == [
        ("4", "0"),
        ("4", "16"),
        ("4", "16"),
    ]
    study.run([5], ["00"], out, scenes=20, tests=2, images=16)
    assert {row["seed"] for row in study.read(out) if row["notebook"] == "00"} == {"5"}


@pytest.fixture(scope="module")
def rows():
    return study.read()


def test_results_have_three_seeds_of_all_experiments(rows):
    found = {(row["notebook"], row["network"], int(row["images"]), row["slice"], int(row["seed"])) for row in rows}
    seeds, tests = range(3), study.EXPERIMENTS
    expected = {("00", "YOLOv2", n, "everyday", s) for n in (0, tests["00"][2]) for s in seeds}
    expected |= {("00", "YOLOv2 from random weights", tests["00"][2], "everyday", s) for s in seeds}
    expected |= {("01", n, tests["01"][2], name, s) for n in ("YOLO", "YOLOv2") for name in study.SLICES for s in seeds}
    assert found == expected and len(rows) == len(expected)


def test_results_say_what_the_notebooks_say(rows):
    runs = [row for row in rows if row["notebook"] == "00"]
    before = [row["AP50"] for row in runs if row["images"] == "0"]
    after = [row["AP50"] for row in runs if row["images"] != "0" and row["network"] == "YOLOv2"]
    from_random = [row["AP50"] for row in runs if row["network"] != "YOLOv2"]
    assert max(before) < 0.1 and min(after) > 0.8 and max(from_random) < 0.4
    for name in study.SLICES:
        recall = {
            network: [r["recall"] for r in rows if (r["network"], r["slice"], r["notebook"]) == (network, name, "01")]
            for network in ("YOLO", "YOLOv2")
        }
        assert min(recall["YOLOv2"]) > max(recall["YOLO"]) + 0.1, name
