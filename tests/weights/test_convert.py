"""Darknet's files <-> checkpoints: the same bytes come back."""

from pathlib import Path

import pytest
import torch

from yolocourse.labels import FlatLabels
from yolocourse.models import yolov2
from yolocourse.preprocess import Preprocess
from yolocourse.weights.cfg import write_cfg
from yolocourse.weights.checkpoint import load_checkpoint, save_checkpoint
from yolocourse.weights.convert import read_darknet, to_checkpoint, to_darknet
from yolocourse.weights.darknet import Header, load_trunk_weights, save_weights
from yolocourse.wordtree import WordTree

MINI = Path(__file__).resolve().parents[1] / "golden" / "network" / "mini.cfg"


@pytest.fixture
def files(tmp_path, seeded_weights):
    (tmp_path / "a.weights").write_bytes(seeded_weights(MINI, 3, (0, 1)))
    (tmp_path / "a.names").write_text("dog\ncat\nbus\n")
    return MINI, tmp_path / "a.weights", tmp_path / "a.names"


def test_there_and_back_gives_the_same_bytes(files, tmp_path):
    found = to_checkpoint(*files, tmp_path / "b.safetensors")
    assert found.labels == FlatLabels(["dog", "cat", "bus"]) and found.preprocess == Preprocess((64, 96), "darknet")
    again = load_checkpoint(tmp_path / "b.safetensors")
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(again.model(x), found.model(x))
    paths = to_darknet(tmp_path / "b.safetensors", tmp_path / "c")
    assert [path.name for path in paths] == ["c.cfg", "c.weights", "c.names"]
    assert [path.read_bytes() for path in paths] == [file.read_bytes() for file in files]


def test_first_layers_only(files, tmp_path):
    to_checkpoint(*files, tmp_path / "b.safetensors")
    (path,) = to_darknet(tmp_path / "b.safetensors", tmp_path / "b", layers=7)
    assert path.name == "b.conv.7"
    assert files[1].read_bytes().startswith(path.read_bytes())
    model = read_darknet(*files).model
    assert len(load_trunk_weights(path, model).loaded) == 4 * 5


def test_a_network_that_was_trained_here(tmp_path):
    labels = FlatLabels(["dog", "cat"])
    model = yolov2(2, [[1.0, 2.0], [3.0, 1.5]], 0.05)
    save_checkpoint(tmp_path / "a.safetensors", model, labels=labels, preprocess=Preprocess(416), seen=16_000)
    cfg, weights, names = to_darknet(tmp_path / "a.safetensors", tmp_path / "out")
    found = read_darknet(cfg, weights, names)
    assert found.metadata["darknet"]["header"] == [0, 2, 0, 16_000]
    assert found.labels == labels and found.model.config["builder"] == "yolov2"
    assert found.preprocess == Preprocess(416, "darknet")
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(found.model(x), model.eval()(x))


def test_classes_that_disagree_with_names(files):
    files[2].write_text("dog\ncat\n")
    with pytest.raises(ValueError, match="a.names: 2 names, but the network has 3 classes"):
        read_darknet(*files)


TREE = "thing -1\nanimal 0\nvehicle 0\n"


def test_a_word_tree_comes_back_too(files, tmp_path):
    (tmp_path / "cfg").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "some.tree").write_text(TREE)
    cfg = tmp_path / "cfg" / "t.cfg"
    cfg.write_text(MINI.read_text() + "\ntree=data/some.tree\n")
    found = to_checkpoint(cfg, files[1], None, tmp_path / "b.safetensors")
    assert found.labels == WordTree(["thing", "animal", "vehicle"], [-1, 0, 0], ["thing", "animal", "vehicle"])
    assert load_checkpoint(tmp_path / "b.safetensors").labels == found.labels
    paths = to_darknet(tmp_path / "b.safetensors", tmp_path / "c")
    assert [path.name for path in paths] == ["c.cfg", "c.weights", "c.names", "c.tree"]
    assert paths[3].read_text() == TREE and paths[0].read_text() == cfg.read_text()
    assert paths[1].read_bytes() == files[1].read_bytes()
    assert read_darknet(cfg, files[1], files[2]).labels.names == ["dog", "cat", "bus"]


def test_a_tree_that_is_missing_or_does_not_fit(files, tmp_path):
    (tmp_path / "t.cfg").write_text(MINI.read_text() + "\ntree=some.tree\n")
    line = MINI.read_text().count("\n") + 2
    with pytest.raises(ValueError, match=rf"t.cfg:{line}: tree=some.tree: no such file; looked for "):
        read_darknet(tmp_path / "t.cfg", files[1])
    (tmp_path / "some.tree").write_text(TREE + "dog 1\n")
    with pytest.raises(ValueError, match=rf"t.cfg:{line}: .*some.tree has 4 nodes, but the network has 3 classes"):
        read_darknet(tmp_path / "t.cfg", files[1])


def test_a_cfg_that_asks_for_more_than_the_file_has_builds_nothing(files, tmp_path):
    """Gigabytes of weights by a .cfg of a few lines: the short file is noticed before memory is taken."""
    resource = pytest.importorskip("resource", reason="measures memory as Unix does")
    text = MINI.read_text().replace("filters=32\nsize=3", "filters=1000000\nsize=7", 1)
    (tmp_path / "t.cfg").write_text(text)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"a.weights: ends in layer 6 \(convolutional, 1000000 filters of 7x7\)"):
        read_darknet(tmp_path / "t.cfg", files[1])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_a_size_that_is_no_multiple_of_32(files, tmp_path):
    (tmp_path / "t.cfg").write_text(MINI.read_text().replace("width=96", "width=100"))
    with pytest.raises(ValueError, match=r"t.cfg:1: .*100"):
        read_darknet(tmp_path / "t.cfg", files[1])


def test_the_clean_order_cannot_be_written(tmp_path):
    labels, model = FlatLabels(["dog"]), yolov2(1, [[1.0, 1.0]], 0.05, "clean")
    save_checkpoint(tmp_path / "a.safetensors", model, labels=labels, preprocess=Preprocess(416))
    with pytest.raises(ValueError, match="Darknet has no passthrough in the clean order"):
        to_darknet(tmp_path / "a.safetensors", tmp_path / "out")
    assert not (tmp_path / "out.weights").exists()


def test_written_cfg_says_what_it_is(tmp_path):
    text = write_cfg(yolov2(2, [[1.0, 2.0], [3.0, 1.5]], 0.05), (320, 416))
    assert "anchors=1,2, 3,1.5\nclasses=2\ncoords=4\nnum=2\nsoftmax=1" in text
    assert text.startswith("[net]\nbatch=1\nsubdivisions=1\nwidth=416\nheight=320\nchannels=3\n")
    save_weights(tmp_path / "x", yolov2(2, [[1.0, 2.0], [3.0, 1.5]], 0.05), Header(0, 1))
    assert (tmp_path / "x").stat().st_size % 4 == 0
