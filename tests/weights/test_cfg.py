"""Darknet's .cfg files: the official ones become the presets, others are listed or refused with the line."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolocourse.models import build, listed, nano, tiny, yolo9000, yolov2
from yolocourse.weights.cfg import (
    build_from_cfg,
    config_of,
    convolutions,
    layers,
    layers_of,
    parse_cfg,
    read_cfg,
    write_cfg,
)

SHARED = Path(__file__).resolve().parents[3] / "shared" / "darknet" / "cfg"
MINI = Path(__file__).resolve().parents[1] / "golden" / "network" / "mini.cfg"
ANCHORS = [[1.0, 2.0], [3.0, 1.5]]

official = pytest.mark.skipif(not SHARED.is_dir(), reason="needs Darknet's .cfg files in ../shared")


def values(cfg):
    """Numbers in a .weights file without its header."""
    found, _ = layers(cfg)
    return sum(
        layer.filters * (inputs * layer.size**2 + (4 if layer.batch_norm else 1))
        for layer, inputs in convolutions(cfg, found)
    )


@official
@pytest.mark.parametrize(
    ("name", "config", "size"),
    [
        ("yolov2-voc", {"builder": "yolov2", "num_outputs": 20, "width": 1.0}, 202_704_260),
        ("yolov2", {"builder": "yolov2", "num_outputs": 80, "width": 1.0}, 203_934_260),
        ("yolov2-tiny-voc", {"builder": "tiny", "num_outputs": 20, "width": 1.0}, 63_471_556),
        ("yolov2-tiny", {"builder": "tiny", "num_outputs": 80, "width": 1.0, "last": 512}, 44_948_596),
        ("yolo9000", {"builder": "yolo9000", "num_outputs": 9418, "width": 1.0}, 195_230_020),
        ("darknet19", {"builder": "darknet19", "num_outputs": 1000, "width": 1.0}, 83_427_120),
        ("darknet19_448", {"builder": "darknet19", "num_outputs": 1000, "width": 1.0}, 83_427_120),
    ],
)
def test_official_files_are_presets_of_the_right_size(name, config, size):
    cfg = read_cfg(SHARED / f"{name}.cfg")
    found = config_of(cfg)
    anchors = found.pop("anchors", None)
    assert found == config
    assert values(cfg) * 4 + 16 == size
    if anchors:
        assert len(anchors) == (3 if name == "yolo9000" else 5)
    assert cfg.text.encode() == (SHARED / f"{name}.cfg").read_bytes()


@official
def test_the_20_network_has_3072_channels_and_its_official_size():
    """The first published weights ("YOLO 2.0") had no 1x1 convolution in the passthrough: 269,862,452 bytes."""
    text = read_cfg(SHARED / "yolov2.cfg").text
    squeeze = re.search(r"\[convolutional\](?=[^\[]*filters=64\n)[^\[]*(?=\[reorg\])", text)
    text = text.replace(squeeze.group(), "").replace("layers=-1,-4", "layers=-1,-3")
    cfg = parse_cfg(text)
    assert config_of(cfg)["squeeze"] is False and config_of(cfg)["builder"] == "yolov2"
    assert values(cfg) * 4 + 16 == 269_862_452
    (before_head,) = [inputs for layer, inputs in convolutions(cfg, layers(cfg)[0]) if inputs == 3072]
    assert before_head == 2048 + 1024


def test_mini_is_listed():
    model = build_from_cfg(read_cfg(MINI))
    assert model.config["builder"] == "listed" and model.stride == 16
    assert model(torch.zeros(1, 3, 64, 96)).shape == (1, 40, 4, 6)
    assert read_cfg(MINI).input_size == (64, 96)


@pytest.mark.parametrize(
    "model",
    [
        yolov2(3, ANCHORS, width=0.05),
        yolov2(3, ANCHORS, width=0.05, squeeze=False),
        yolov2(3, ANCHORS, width=0.05, passthrough=None),
        nano(3, ANCHORS),
        tiny(3, ANCHORS, width=0.05),
        tiny(3, ANCHORS, last=512, width=0.25),
        yolo9000(30, ANCHORS, width=0.05),
        build("darknet19", num_outputs=7, width=0.05),
        listed(3, ANCHORS, [(8, 3), "pool", (12, 3), "same", (16, 1)], merge=[(8, 3)]),
        listed(3, ANCHORS, [(8, 3), "pool", (12, 3), "pool", (16, 1)], fine=3, merge=[(8, 3), (8, 1)]),
        listed(3, ANCHORS, [(8, 3), "pool", (12, 3), "pool", (16, 1)], 3, [(4, 1)], [(8, 3)]),
    ],
    ids=lambda model: "-".join(str(v) for v in list(model.config.values())[:1]),
)
def test_what_is_written_is_read_back(model):
    text = write_cfg(model, (320, 416))
    cfg = parse_cfg(text)
    assert cfg.input_size == (320, 416)
    again = build_from_cfg(cfg)
    if model.config["builder"] != "listed":  # whose convolutions may all stand in the trunk
        assert {k: v.shape for k, v in again.state_dict().items()} == {
            k: v.shape for k, v in model.state_dict().items()
        }
    assert [layer.what for layer, _ in layers_of(again)] == [layer.what for layer, _ in layers_of(model)]
    assert write_cfg(again, (320, 416)) == text


def test_the_clean_passthrough_has_no_cfg():
    with pytest.raises(ValueError, match="Darknet has no passthrough in the clean order"):
        write_cfg(yolov2(3, ANCHORS, 0.05, "clean"), (416, 416))


def test_first_value_counts_and_blanks_do_not():
    cfg = parse_cfg("# a comment\n[network]\nwid th = 6 4\r\nwidth=96\n; another\n height\t=32\n[conv]\nfilters=5\n")
    assert cfg.input_size == (32, 64)
    assert [section.kind for section in cfg.sections] == ["net", "convolutional"]
    assert cfg.sections[1].options["filters"] == ("5", 8)


CHANGES = [
    ("[maxpool]", "[shortcut]", r"layer \[shortcut\] is none of a YOLOv2 network"),
    ("layers=-3", "layers=-30", r"\[route\] to layer -30, but before this layer, number 9, there is none"),
    ("layers=-3", "layers=9", r"\[route\] to layer 9"),
    ("layers=-3", "layers=one", r"\[route\] needs layers=N"),
    ("layers=-3", "layers=-1", "odd|different sizes"),
    ("layers=-1,-4", "layers=-4,-1", "odd"),
    ("layers=-1,-4", "layers=-1,-3", "different sizes|odd"),
    ("[reorg]\nstride=2", "[reorg]\nstride=3", r"\[reorg\] with stride=3; possible here: 2"),
    ("[reorg]\nstride=2", "[reorg]\nstride=2\nreverse=1", r"\[reorg\] with reverse cannot be represented"),
    ("filters=16", "filters=many", "filters=many is not a whole number"),
    ("filters=16", "filters=0", "filters=0: expected 1 to"),
    ("filters=16", "filters=99999999", "filters=99999999: expected 1 to"),
    ("filters=8\nsize=3", "filters=8\nsize=4", "size=4"),
    ("stride=1\npad=1", "stride=2\npad=1", r"\[convolutional\] with stride=2; possible here: 1"),
    ("stride=1\npad=1", "stride=1\npad=0", r"\[convolutional\] with padding=0; possible here: 1"),
    ("stride=1\npad=1", "stride=1\npad=1\ngroups=2", r"\[convolutional\] with groups cannot be represented"),
    ("activation=leaky", "activation=mish", "activation mish; possible here: leaky, linear"),
    ("batch_normalize=1\nfilters=8", "filters=8", "must have batch_normalize=1"),
    ("size=2\nstride=2", "size=3\nstride=2", r"\[maxpool\] with size=3"),
    ("filters=40", "filters=41", "5 anchors and 3 classes need a .* of 40 filters before it; found .* of 41"),
    ("classes=3", "classes=4", "5 anchors and 4 classes need"),
    ("num=5", "num=4", "10 numbers in anchors, but num=4 anchors need 8"),
    ("anchors = 0.6,", "anchors = nan,", "needs anchors=width,height"),
    ("anchors = 0.6, 0.9", "anchors = 19.2, 400", "cells"),
    ("coords=4", "coords=5", r"\[region\] with coords=5; possible here: 4"),
    ("softmax=1", "softmax=0", r"\[region\] with softmax=0"),
    ("[region]", "[yolo]", r"layer \[yolo\] is none"),
    ("channels=3", "channels=1", "pictures of 3 channels"),
    ("[net]", "[region]", r"begins with \[net\]; found \[region\]"),
    ("[net]", "net", "stands before the first"),
    ("[region]", "[region", "has no closing bracket"),
    ("pad=1", "pad", "'pad' is no name=value"),
]


@pytest.mark.parametrize(("old", "new", "message"), CHANGES, ids=[f"{old}-{new}"[:40] for old, new, _ in CHANGES])
def test_what_cannot_be_represented_is_refused_with_its_line(old, new, message):
    text = MINI.read_text()
    assert old in text
    changed = text.replace(old, new, 1)
    with pytest.raises(ValueError, match=message) as caught:
        config_of(parse_cfg(changed, "some.cfg"))
    line = int(re.match(r"some\.cfg:(\d+): ", str(caught.value)).group(1))
    start = changed[: text.index(old)].count("\n") + 1
    # The line of the change, or the head of the layer that it does not fit.
    near = [start + i for i in range(new.count("\n") + 1)]
    assert line in near or changed.split("\n")[line - 1].startswith(("[", "anchors", "layers", "batch"))


def test_no_region_and_no_classifier():
    text = MINI.read_text()
    with pytest.raises(ValueError, match=r"without \[region\] must be a Darknet-19 classifier"):
        config_of(parse_cfg(text[: text.index("[region]")]))
    with pytest.raises(ValueError, match=r"\[region\] must be the last section"):
        config_of(parse_cfg(text + "\n[convolutional]\nfilters=1\nactivation=linear\n"))
    with pytest.raises(ValueError, match=r"\[cost\] must be the last section"):
        config_of(parse_cfg("[net]\n[cost]\ntype=sse\n[convolutional]\nfilters=1\nactivation=linear\n"))
    with pytest.raises(ValueError, match=r"layer \[dropout\] is none of a YOLOv2 network"):
        config_of(parse_cfg("[net]\n[dropout]\nprobability=.5\n"))
    with pytest.raises(ValueError, match="a network without layers"):
        config_of(parse_cfg("[net]\nwidth=32\n"))
    with pytest.raises(ValueError, match="found no section at all"):
        parse_cfg("")


def test_huge_networks_are_refused_before_they_are_built():
    text = "[net]\n" + "[convolutional]\nfilters=1048576\nsize=31\npad=1\nactivation=leaky\nbatch_normalize=1\n" * 50
    with pytest.raises(ValueError, match="a network this large"):
        config_of(parse_cfg(text))
    with pytest.raises(ValueError, match="a network this large"):
        config_of(parse_cfg("[net]\n" + "[maxpool]\nsize=2\nstride=2\n" * 60))


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no.cfg: no such network description"):
        read_cfg(tmp_path / "no.cfg")
    with pytest.raises(ValueError, match="is a folder"):
        read_cfg(tmp_path)
    (tmp_path / "x.cfg").write_bytes(b"\xff\xfe\x00[net]")
    with pytest.raises(ValueError, match="are .cfg and .weights mixed up"):
        read_cfg(tmp_path / "x.cfg")


LINES = MINI.read_text().split("\n")
NOISE = st.sampled_from(
    ["", "[net]", "[route]", "layers=-1", "layers=-1,-2,-3", "filters=1000000", "size=31", "stride=1", "[reorg]",
     "[maxpool]", "anchors=1,1", "num=1", "classes=1", "[region]", "[softmax]", "[avgpool]", "=", "a=b", "[", "]", "[]",
     "filters=-1", "filters=1e9", "layers=99999999999999999999", "width=0", "\x00", "ü=ü", "pad=²", "num=٣"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.one_of(st.none(), NOISE, st.text(max_size=12))), max_size=8)
)
def test_mangled_files_raise_only_value_errors(edits):
    lines = list(LINES)
    for place, text in edits:
        lines[place] = "" if text is None else text
    try:
        config = config_of(parse_cfg("\n".join(lines)))
    except ValueError as error:
        assert re.match(r"cfg:\d+: ", str(error))
        return
    with torch.device("meta"):
        assert build(**config).num_outputs == config["num_outputs"]


@pytest.mark.parametrize(("options", "reason"), [({"location": "offset"}, "location"), ({"trunk": "yolov1"}, "stride")])
def test_networks_that_darknet_does_not_have_are_not_written(options, reason):
    with pytest.raises(ValueError, match=reason):
        write_cfg(build("yolov2", num_outputs=2, anchors=[[1.0, 1.0]], width=0.05, **options), (64, 64))
