"""Checkpoints: round trip, small files, crashes while writing, and files that are damaged, foreign or do not fit."""

import json
import os
from dataclasses import dataclass

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from yolocourse.labels import FlatLabels
from yolocourse.models import Darknet19, build
from yolocourse.preprocess import Preprocess
from yolocourse.weights.checkpoint import load_checkpoint, load_trunk, save_checkpoint, write_atomically

LABELS = FlatLabels(["dog", "bus", "tree"], ["n02084071", "n02924116", "n13104059"])
PREPROCESS = Preprocess((96, 64), "letterbox")


def network(seed=0, num_outputs=3, **arguments):
    torch.manual_seed(seed)
    arguments = {"width": 0.0625, "anchors": [[1.0, 1.5], [3.3, 2.7]]} | arguments
    model = build("yolov2", num_outputs=num_outputs, **arguments)
    for module in model.modules():  # as after training: statistics that are not 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()


@pytest.fixture
def saved(tmp_path):
    model = network()
    save_checkpoint(tmp_path / "model.safetensors", model, labels=LABELS, preprocess=PREPROCESS, metrics={"ap": 0.5})
    return model, tmp_path / "model.safetensors"


def rewrite(path, change):
    """Changes the description in a checkpoint's header."""
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["yolocourse"])
    change(description)
    save_file(load_file(path), path, {"yolocourse": json.dumps(description)})


def test_round_trip(saved):
    model, path = saved
    loaded = load_checkpoint(path)
    images = torch.rand(2, 3, 96, 64)
    assert torch.equal(loaded.model(images), model(images))
    assert loaded.labels == LABELS and loaded.preprocess == PREPROCESS
    assert torch.equal(loaded.anchors, torch.tensor([[1.0, 1.5], [3.3, 2.7]]))
    assert loaded.metadata == {"metrics": {"ap": 0.5}}
    assert not loaded.model.training


@pytest.mark.parametrize("builder", ["tiny", "yolov2"])
def test_every_builder(tmp_path, builder):
    model = build(builder, num_outputs=3, anchors=[[1.0, 1.0]], width=0.0625).eval()
    save_checkpoint(tmp_path / "m", model, labels=LABELS, preprocess=PREPROCESS)
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(load_checkpoint(tmp_path / "m").model(images), model(images))


def test_same_content_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_checkpoint(tmp_path / name, network(), labels=LABELS, preprocess=PREPROCESS, metrics={"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_channels_last_is_saved(tmp_path):
    model = network().to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "m", model, labels=LABELS, preprocess=PREPROCESS)
    assert torch.equal(load_checkpoint(tmp_path / "m").model.head.weight, model.head.weight)


def test_half_is_half_as_large_and_nearly_the_same(saved, tmp_path):
    model, path = saved
    save_checkpoint(tmp_path / "small", model, labels=LABELS, preprocess=PREPROCESS, half=True)
    assert (tmp_path / "small").stat().st_size < 0.56 * path.stat().st_size
    loaded = load_checkpoint(tmp_path / "small")
    images = torch.rand(2, 3, 96, 64)
    assert all(parameter.dtype == torch.float32 for parameter in loaded.model.parameters())
    torch.testing.assert_close(loaded.model(images), model(images), atol=2e-3, rtol=2e-2)
    assert torch.equal(loaded.anchors, model.anchors)  # 3.3 and 2.7 are not numbers of 16 bits


def test_values_too_large_for_16_bits_are_kept(tmp_path):
    model = network()
    with torch.no_grad():
        model.head.weight[0, 0] = 1e5
    save_checkpoint(tmp_path / "m", model, labels=LABELS, preprocess=PREPROCESS, half=True)
    assert torch.equal(load_checkpoint(tmp_path / "m").model.head.weight, model.head.weight)


@dataclass
class Recipe:
    epochs: int
    sizes: tuple[int, ...]


def test_metadata_of_every_kind(tmp_path):
    metrics = {"ap": torch.tensor(0.25), "per_class": [0.5, float("nan")], 3: "three"}
    save_checkpoint(
        tmp_path / "m", network(), labels=LABELS, preprocess=PREPROCESS, recipe=Recipe(2, (64, 96)), metrics=metrics
    )
    assert load_checkpoint(tmp_path / "m").metadata == {
        "recipe": {"epochs": 2, "sizes": [64, 96]},
        "metrics": {"ap": 0.25, "per_class": [0.5, None], "3": "three"},
    }
    with pytest.raises(ValueError, match="type object"):
        save_checkpoint(tmp_path / "m", network(), labels=LABELS, preprocess=PREPROCESS, recipe=object())


# Writing ------------------------------------------------------------------------------------------------------------


def test_not_finite_is_not_saved_and_the_good_file_stays(saved):
    model, path = saved
    before = path.read_bytes()
    with torch.no_grad():
        model.merge[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"not finite in merge\.0\.weight"):
        save_checkpoint(path, model, labels=LABELS, preprocess=PREPROCESS)
    assert path.read_bytes() == before


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new, and much longer")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_writing_makes_the_folder(tmp_path):
    write_atomically(tmp_path / "runs" / "one" / "file", b"x")
    assert (tmp_path / "runs" / "one" / "file").read_bytes() == b"x"


def test_labels_must_fit_when_saving(tmp_path):
    with pytest.raises(ValueError, match="3 class scores, the labels need 2"):
        save_checkpoint(tmp_path / "m", network(), labels=FlatLabels(["a", "b"]), preprocess=PREPROCESS)
    assert not (tmp_path / "m").exists()


def test_models_without_config_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Linear has no config"):
        save_checkpoint(tmp_path / "m", torch.nn.Linear(2, 2), labels=LABELS, preprocess=PREPROCESS)


# Reading what cannot be read ----------------------------------------------------------------------------------------


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.safetensors: no such checkpoint"):
        load_checkpoint(tmp_path / "gone.safetensors")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.5, 0.999])
def test_cut_off_file(saved, share):
    _, path = saved
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"model\.safetensors: not a safetensors file, or damaged"):
        load_checkpoint(path)


def test_foreign_files(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "pickle.pt")
    with pytest.raises(ValueError, match=r"pickle\.pt: not a safetensors file"):
        load_checkpoint(tmp_path / "pickle.pt")
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors", metadata)
        with pytest.raises(ValueError, match="not a yolocourse checkpoint"):
            load_checkpoint(tmp_path / "other.safetensors")


@pytest.mark.parametrize("header", ["{", "[1, 2]", "{}", "3"])
def test_damaged_description(tmp_path, header):
    save_file({"weight": torch.zeros(3)}, tmp_path / "m", {"yolocourse": header})
    with pytest.raises(ValueError, match="damaged description"):
        load_checkpoint(tmp_path / "m")


def test_newer_format(saved):
    _, path = saved
    rewrite(path, lambda description: description.update(format="yolocourse-2"))
    with pytest.raises(ValueError, match="'yolocourse-2'.*reads 'yolocourse-1'.*update"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d["model"].update(num_outputs=4), r"head\.bias is \(18,\) in the network, \(16,\) in the file"),
        (lambda d: d["model"].update(builder="yolov9"), "unknown network 'yolov9'"),
        (lambda d: d["model"].update(depth=3), "depth"),
        (lambda d: d["model"].update(passthrough=None), r"\(64, 64, 3, 3\) in the network, \(64, 96, 3, 3\) in"),
        (lambda d: d.pop("labels"), "lacks 'labels'"),
        (lambda d: d["labels"].update(names=["one"], ids=None), "3 class scores, but labels that need 1"),
        (lambda d: d["preprocess"].update(size=[100, 100]), "multiple of 32"),
        (lambda d: d.update(model=None), "mapping"),
    ],
)
def test_description_that_does_not_fit(saved, change, message):
    _, path = saved
    rewrite(path, change)
    with pytest.raises(ValueError, match=rf"model\.safetensors: checkpoint does not fit together: .*{message}"):
        load_checkpoint(path)


def test_a_tensor_too_many_or_missing(saved):
    _, path = saved
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    tensors = load_file(path)
    save_file(tensors | {"extra": torch.zeros(2)}, path, header)
    with pytest.raises(ValueError, match=r"tensor extra is missing in the network, \(2,\) in the file"):
        load_checkpoint(path)
    del tensors["head.bias"]
    save_file(tensors, path, header)
    with pytest.raises(ValueError, match=r"tensor head\.bias is \(16,\) in the network, missing in the file"):
        load_checkpoint(path)


# Starting from another network --------------------------------------------------------------------------------------


def test_trunk_from_a_detector_with_other_classes(saved):
    source, path = saved
    model = network(seed=1, num_outputs=7, anchors=[[2.0, 2.0]] * 5)
    head = model.head.weight.clone()
    report = load_trunk(path, model)
    assert set(report.kept) == {"head.weight", "head.bias", "anchors"}
    assert torch.equal(model.head.weight, head) and torch.equal(model.anchors, torch.full((5, 2), 2.0))
    images = torch.rand(1, 3, 64, 64)
    for mine, theirs in zip(model.trunk(images), source.trunk(images), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(model.merge[0].weight, source.merge[0].weight)


def test_head_stays_even_if_it_would_fit(saved):
    source, path = saved
    model = network(seed=1)
    load_trunk(path, model)
    assert not torch.equal(model.head.weight, source.head.weight)


def test_layers_of_another_shape_stay_and_are_reported(saved):
    _, path = saved
    model = network(seed=1, passthrough=None)  # merge takes fewer channels
    report = load_trunk(path, model)
    assert "merge.0.weight" in report.kept and "merge.0.weight" not in report.loaded
    assert str(report).startswith(f"{len(report.loaded)} tensors loaded, {len(report.kept)} left")
    assert "(64, 64, 3, 3) here, (64, 96, 3, 3) in the file" in str(report)


def test_trunk_from_a_classifier(tmp_path):
    classifier = Darknet19(3, width=0.0625).eval()
    classifier.config = {"builder": "darknet19", "num_outputs": 3, "width": 0.0625}
    save_checkpoint(tmp_path / "m", classifier, labels=LABELS, preprocess=PREPROCESS)
    model = network(seed=1)
    report = load_trunk(tmp_path / "m", model)
    assert all(name.startswith("trunk.") for name in report.loaded) and len(report.loaded) == 18 * 6
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(model.trunk(images)[1], classifier.trunk(images)[1])


def test_a_classifier_of_the_same_classes_goes_on_with_all_its_layers(tmp_path):
    torch.manual_seed(0)
    source, other = (build("darknet19", num_outputs=3, width=0.05) for _ in range(2))
    names = FlatLabels(["a", "b", "c"])
    save_checkpoint(tmp_path / "m", source, labels=names, preprocess=PREPROCESS)
    fresh = other.classify.weight.clone()
    load_trunk(tmp_path / "m", other, FlatLabels(["a", "c", "b"]))
    assert torch.equal(other.classify.weight, fresh), "other classes, or another order"
    assert not load_trunk(tmp_path / "m", other, names).kept
    torch.testing.assert_close(other.state_dict(), source.state_dict())
    detector = build("yolov2", num_outputs=3, anchors=[[1.0, 2.0]], width=0.05)
    assert "head.weight" in load_trunk(tmp_path / "m", detector, names).kept


def test_trunk_of_another_width_is_refused(saved):
    _, path = saved
    model = network(width=0.125)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"trunk\..* here, .* in the file; a trunk of another kind or width"):
        load_trunk(path, model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_trunk_and_location_come_back(tmp_path):
    model = build("yolov2", num_outputs=3, anchors=[[1.0, 2.0]], width=0.05, trunk="yolov1", location="offset")
    labels, preprocess = FlatLabels(["a", "b", "c"]), Preprocess(64)
    save_checkpoint(tmp_path / "a.safetensors", model, labels=labels, preprocess=preprocess)
    loaded = load_checkpoint(tmp_path / "a.safetensors").model
    assert loaded.location == "offset" and type(loaded.trunk) is type(model.trunk)
    classifier = build("yolov1_classifier", num_outputs=3, width=0.05, batch_norm=False)
    save_checkpoint(tmp_path / "b.safetensors", classifier, labels=labels, preprocess=preprocess)
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(load_checkpoint(tmp_path / "b.safetensors").model(images), classifier.eval()(images))
