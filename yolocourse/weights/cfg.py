"""Darknet's .cfg files: text -> layers -> the package's own networks, and back.

A .cfg lists layers; a network here is made of named parts (trunk, neck, passthrough, head). So reading one means to
recognise the parts. Whatever they do not cover is an error that names the line, never a network that is almost right.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from yolocourse.anchors import check_cells
from yolocourse.models import Darknet19, YOLOv2, build
from yolocourse.models.layers import ConvBlock, Passthrough, SamePool
from yolocourse.weights.files import read_bytes

SHORT = {"network": "net", "conv": "convolutional", "max": "maxpool", "avg": "avgpool", "soft": "softmax"}
# Options that a layer may have; `_layer` says which of their values can be represented.
OPTIONS = {
    "convolutional": {"batch_normalize", "filters", "size", "stride", "pad", "padding", "activation"},
    "maxpool": {"size", "stride", "padding"},
    "route": {"layers"},
    "reorg": {"stride"},
    "avgpool": set(),
    "softmax": {"groups"},
    "cost": {"type"},
    "region": {
        "anchors", "bias_match", "classes", "coords", "num", "softmax", "jitter", "rescore", "object_scale",
        "noobject_scale", "class_scale", "coord_scale", "mask_scale", "absolute", "thresh", "random", "tree", "map",
        "max", "log",
    },
}  # fmt: skip
MOST_VALUES = 2**30  # in one network: 4 GB. The largest official one, yolo9000, has 49 million
LARGEST = 2**20  # of any single number in a .cfg that becomes a size
MOST_WIDTH = 16  # multiplier up to which a network is compared with the presets
DETECTORS = (
    ("yolov2", {}), ("yolo9000", {}), ("tiny", {}), ("tiny", {"last": 512}),
    ("yolov2", {"squeeze": False}), ("yolov2", {"passthrough": None}),
)  # fmt: skip
UNITS = (ConvBlock, nn.MaxPool2d, SamePool, Passthrough)


class Option(NamedTuple):
    value: str
    line: int


@dataclass
class Section:
    """A bracketed heading and the lines below it; the first of several values of one name counts, as in Darknet."""

    kind: str
    line: int
    options: dict[str, Option] = field(default_factory=dict)


@dataclass
class Cfg:
    """A .cfg file taken apart: `text` as it was, and its sections."""

    text: str
    source: str
    sections: list[Section]

    @property
    def net(self) -> Section:
        return self.sections[0]

    def error(self, line: int, message: str) -> ValueError:
        return ValueError(f"{self.source}:{line}: {message}")

    def integer(self, section: Section, name: str, default: int) -> int:
        """A whole number, as Darknet's atoi reads it where it is one at all."""
        if name not in section.options:
            return default
        text, line = section.options[name]
        if not re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII):
            raise self.error(line, f"{name}={text[:40]} is not a whole number")
        return int(text)

    def size(self, section: Section, name: str, default: int) -> int:
        """A whole number from 1 to a million."""
        value = self.integer(section, name, default)
        if not 1 <= value <= LARGEST:
            line = section.options[name].line if name in section.options else section.line
            raise self.error(line, f"{name}={value}: expected 1 to {LARGEST}")
        return value

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the network's input in pixels."""
        return self.size(self.net, "height", 416), self.size(self.net, "width", 416)


class Layer(NamedTuple):
    """One layer as Darknet counts them; what does not apply keeps its default."""

    kind: str
    filters: int = 0
    size: int = 0
    batch_norm: bool = False
    activation: str = ""
    sources: tuple[int, ...] = ()  # numbers of the layers that a route takes
    line: int = 0  # in the file; no part of what the layer is

    @property
    def what(self) -> tuple:
        return self[:-1]


def read_cfg(path: str | Path) -> Cfg:
    """Reads a .cfg file. Raises FileNotFoundError, or ValueError with file and line for what is no .cfg."""
    try:
        text = read_bytes(path, "network description (.cfg)").decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file, so no .cfg; are .cfg and .weights mixed up?") from None
    return parse_cfg(text, str(path))


def parse_cfg(text: str, source: str = "cfg") -> Cfg:
    """Takes the text of a .cfg apart. `source` names it in errors. Raises ValueError with the line of what is wrong."""
    sections: list[Section] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = re.sub(r"[ \t\r]", "", raw)  # Darknet takes out every blank
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            if not line.endswith("]"):
                raise ValueError(f"{source}:{number}: {line[:40]} has no closing bracket")
            kind = line[1:-1]
            sections.append(Section(SHORT.get(kind, kind), number))
            continue
        name, equals, value = line.partition("=")
        if not sections:
            raise ValueError(f"{source}:{number}: {line[:40]!r} stands before the first [section]; is this a .cfg?")
        if not equals or not name or not value:
            raise ValueError(f"{source}:{number}: {line[:40]!r} is no name=value")
        sections[-1].options.setdefault(name, Option(value, number))
    if not sections or sections[0].kind != "net":
        found = f"found [{sections[0].kind}]" if sections else "found no section at all"
        raise ValueError(f"{source}:{sections[0].line if sections else 1}: a .cfg begins with [net]; {found}")
    return Cfg(text, source, sections)


def layers(cfg: Cfg) -> tuple[list[Layer], Section | None]:
    """The layers of a .cfg up to the loss, and its [region] section (None: a classifier).

    Raises ValueError with file and line for layers and options that no network here has.
    """
    if cfg.size(cfg.net, "channels", 3) != 3:
        raise cfg.error(cfg.net.options["channels"].line, "the networks here take pictures of 3 channels")
    result: list[Layer] = []
    for i, section in enumerate(cfg.sections[1:]):
        if section.kind not in OPTIONS:
            raise cfg.error(section.line, f"layer [{section.kind[:40]}] is none of a YOLOv2 network")
        for name, option in section.options.items():
            if name not in OPTIONS[section.kind]:
                raise cfg.error(option.line, f"[{section.kind}] with {name[:40]} cannot be represented")
        if section.kind in ("region", "cost") and i + 2 != len(cfg.sections):
            raise cfg.error(section.line, f"[{section.kind}] must be the last section")
        if section.kind == "region":
            return result, section
        if section.kind != "cost":  # of use in training only
            result.append(_layer(cfg, section, len(result)))
    return result, None


def _layer(cfg: Cfg, section: Section, number: int) -> Layer:
    line, kind = section.line, section.kind

    def need(name: str, default: int, wanted: tuple[int, ...]) -> int:
        value = cfg.integer(section, name, default)
        if value not in wanted:
            where = section.options[name].line if name in section.options else line
            raise cfg.error(where, f"[{kind}] with {name}={value}; possible here: {', '.join(map(str, wanted))}")
        return value

    if kind == "convolutional":
        size = cfg.size(section, "size", 1)
        if size % 2 == 0 or size > 31:
            raise cfg.error(section.options["size"].line, f"[convolutional] with size={size}; possible: odd, up to 31")
        need("stride", 1, (1,))
        if not cfg.integer(section, "pad", 0):  # pad=1 means size / 2; without it padding says how much
            need("padding", 0, (size // 2,))
        activation = section.options.get("activation", Option("logistic", line))
        if activation.value not in ("leaky", "linear"):
            raise cfg.error(activation.line, f"activation {activation.value[:40]}; possible here: leaky, linear")
        batch_norm = bool(need("batch_normalize", 0, (0, 1)))
        return Layer(kind, cfg.size(section, "filters", 1), size, batch_norm, activation.value, line=line)
    if kind == "maxpool":
        stride = need("stride", 1, (1, 2))
        need("size", stride, (2,))
        need("padding", 1, (1,))
        return Layer("maxpool" if stride == 2 else "samepool", line=line)
    if kind == "reorg":
        need("stride", 1, (2,))
    if kind == "softmax":
        need("groups", 1, (1,))
    return Layer(kind, sources=_sources(cfg, section, number) if kind == "route" else (), line=line)


def _sources(cfg: Cfg, section: Section, number: int) -> tuple[int, ...]:
    """The layers that a route takes; negative numbers count back from the route itself."""
    text, line = section.options.get("layers", Option("", section.line))
    if not re.fullmatch(r"[+-]?\d{1,6}(,[+-]?\d{1,6}){0,7}", text, re.ASCII):
        raise cfg.error(line, f"[route] needs layers=N or layers=N,M; found {text[:40]!r}")
    sources = tuple(number + int(each) if int(each) < 0 else int(each) for each in text.split(","))
    for source, each in zip(sources, text.split(","), strict=True):
        if not 0 <= source < number:
            raise cfg.error(
                line, f"[route] to layer {each}, but before this layer, number {number}, there is none such"
            )
    return sources


def build_from_cfg(cfg: Cfg) -> YOLOv2 | Darknet19:
    """The network that a .cfg describes, with new weights: a preset where it is one, else `models.listed`.

    Raises ValueError with file and line for a .cfg that cannot be represented.
    """
    return build(**config_of(cfg))


def config_of(cfg: Cfg) -> dict:
    """Builder and arguments of that network, as `models.build` takes them; raises as `build_from_cfg` does."""
    found, region = layers(cfg)
    if not found:
        raise cfg.error(cfg.net.line, "a network without layers")
    convolutions(cfg, found)  # raises where shapes cannot fit together
    plan = tuple(layer.what for layer in found)
    width = max([8, *(layer.filters for layer in found if layer.batch_norm)]) / 1024  # the widest has 1024 at width 1
    if region is None:
        outputs = [layer.filters for layer in found if layer.kind == "convolutional"][-1:] or [1]
        if plan == _preset("darknet19", width, *outputs):
            return {"builder": "darknet19", "num_outputs": outputs[0], "width": width}
        raise cfg.error(cfg.sections[-1].line, "a network without [region] must be a Darknet-19 classifier; it is not")
    num_outputs, anchors = _region(cfg, region, found[-1])
    head = {"num_outputs": num_outputs, "anchors": anchors}
    for builder, options in DETECTORS:
        # One anchor with this many scores has a head of as many channels.
        if plan == _preset(builder, width, found[-1].filters - 5, **options):
            return {"builder": builder} | head | {"width": width} | options
    return {"builder": "listed"} | head | _parts(cfg, found)


@lru_cache(maxsize=64)
def _preset(builder: str, width: float, num_outputs: int, **options) -> tuple[tuple, ...]:
    """The layers of a preset; empty for widths that are none."""
    if width > MOST_WIDTH:
        return ()
    anchors = {} if builder == "darknet19" else {"anchors": [[1.0, 1.0]]}
    with torch.device("meta"):  # shapes only
        model = build(builder, num_outputs=num_outputs, width=width, **anchors, **options)
    return tuple(layer.what for layer, _ in layers_of(model))


def convolutions(cfg: Cfg, found: list[Layer]) -> list[tuple[Layer, int]]:
    """Each convolution and its input channels, in the order of the file, without building anything.

    Raises ValueError with file and line where shapes cannot fit together or the network would be absurdly large.
    """
    result, channels, scale, total = [], [], [], 0
    for number, layer in enumerate(found):
        before, shrunk = (channels[-1], scale[-1]) if number else (3, 1)
        now, shrink = before, shrunk
        if layer.kind == "convolutional":
            result.append((layer, before))
            total += layer.filters * (before * layer.size**2 + (4 if layer.batch_norm else 1))
            now = layer.filters
        elif layer.kind == "maxpool":
            shrink = shrunk * 2
        elif layer.kind == "reorg":
            now, shrink = before * 4, shrunk * 2
        elif layer.kind == "route":
            now = sum(channels[source] for source in layer.sources)
            scales = {scale[source] for source in layer.sources}
            if len(scales) > 1:
                raise cfg.error(layer.line, "[route] puts maps of different sizes side by side")
            (shrink,) = scales
        if total > MOST_VALUES or now > LARGEST * 8 or shrink > 2**12:
            raise cfg.error(layer.line, f"a network this large is no YOLOv2 (over {MOST_VALUES} weights or so)")
        channels.append(now)
        scale.append(shrink)
    return result


def _region(cfg: Cfg, region: Section, head: Layer) -> tuple[int, list[list[float]]]:
    """Class scores and anchors (A, 2) in cells of a [region] section, checked against the last convolution."""
    for name, default, wanted in (("coords", 4, 4), ("softmax", 0, 1)):
        tree = name == "softmax" and "tree" in region.options
        if not tree and cfg.integer(region, name, default) != wanted:
            where = region.options[name].line if name in region.options else region.line
            raise cfg.error(
                where, f"[region] with {name}={cfg.integer(region, name, default)}; possible here: {wanted}"
            )
    text, line = region.options.get("anchors", Option("", region.line))
    numbers = text.split(",")
    if len(numbers) > 2 * 64 or not all(re.fullmatch(r"\d{0,6}\.?\d{1,12}|\d{1,6}\.", n, re.ASCII) for n in numbers):
        raise cfg.error(line, f"[region] needs anchors=width,height,... in grid cells; found {text[:60]!r}")
    num, classes = cfg.size(region, "num", 1), cfg.size(region, "classes", 20)
    if len(numbers) != 2 * num:
        raise cfg.error(line, f"{len(numbers)} numbers in anchors, but num={num} anchors need {2 * num}")
    anchors = [[float(w), float(h)] for w, h in zip(numbers[::2], numbers[1::2], strict=True)]
    try:
        check_cells(anchors)
    except ValueError as error:
        raise cfg.error(line, str(error)) from None
    if head.kind != "convolutional" or head.filters != num * (5 + classes):
        filters = num * (5 + classes)
        needed = f"{num} anchors and {classes} classes need a [convolutional] of {filters} filters before it"
        raise cfg.error(head.line, f"{needed}; found [{head.kind}] of {head.filters}")
    return classes, anchors


def _parts(cfg: Cfg, found: list[Layer]) -> dict:
    """Arguments of `models.listed` for the layers of a detector."""
    head = found[-1]
    if head.what != Layer("convolutional", head.filters, 1, False, "linear").what:
        raise cfg.error(head.line, "the last [convolutional] must be linear, 1x1 and without batch normalization")
    for layer in found[:-1]:
        if layer.kind == "convolutional" and not (layer.batch_norm and layer.activation == "leaky"):
            wanted = "batch_normalize=1 and activation=leaky"
            raise cfg.error(layer.line, f"all [convolutional] but the last must have {wanted}")
    routes = [number for number, layer in enumerate(found) if layer.kind == "route"]
    others = [layer for layer in found if layer.kind in ("reorg", "avgpool", "softmax")]
    if not routes and not others:
        return {"trunk": _listed(found[:-1])}
    if len(routes) != 2 or len(others) != 1:
        odd = (others if len(others) != 1 else [found[routes[-1]]] if routes else others)[-1:] or [found[routes[-1]]]
        raise cfg.error(odd[0].line, f"odd [{odd[0].kind}]: a passthrough has two routes with one reorg between them")
    first, second = routes
    fine, reorg = found[first].sources, found[second - 1]
    if len(fine) != 1 or fine[0] >= first - 1:
        raise cfg.error(found[first].line, "odd [route]: the first must take one layer from further up")
    if reorg.kind != "reorg" or found[second].sources != (second - 1, first - 1):
        wanted = f"the reorg, layer {second - 1}, and then layer {first - 1}"
        raise cfg.error(found[second].line, f"odd [route]: the second must take {wanted}")
    squeeze, merge = found[first + 1 : second - 1], found[second + 1 : -1]
    for layer in squeeze + merge:
        if layer.kind != "convolutional":
            raise cfg.error(layer.line, f"odd [{layer.kind}]: only [convolutional] can stand here")
    narrow = (squeeze or [found[fine[0]]])[-1]
    if narrow.kind == "convolutional" and narrow.filters % 4:
        raise cfg.error(narrow.line, f"[reorg] needs channels that 4 divides; found {narrow.filters}")
    parts = {"trunk": _listed(found[:first]), "fine": fine[0] + 1}
    return parts | {"squeeze": _listed(squeeze), "merge": _listed(merge)}


def _listed(found: list[Layer]) -> list:
    words = {"maxpool": "pool", "samepool": "same"}
    return [words.get(layer.kind) or [layer.filters, layer.size] for layer in found]


def layers_of(model: YOLOv2 | Darknet19) -> list[tuple[Layer, nn.Module | None]]:
    """The layers of a network as Darknet counts them, and the module of each; a route has none.

    Raises ValueError for a network that Darknet does not have, such as one with the clean passthrough order.
    """
    if getattr(model, "location", "sigmoid") != "sigmoid":
        raise ValueError(f"Darknet's region layer has no location {model.location!r}; train with 'sigmoid' for it")
    result = [_as_layer(module) for module in _units(model.trunk)]
    if isinstance(model, Darknet19):
        head = (Layer("convolutional", model.num_outputs, 1, False, "linear"), model.classify)
        return [*result, head, (Layer("avgpool"), None), (Layer("softmax"), None)]
    fine = len(_units(model.trunk.to_fine)) - 1
    result += [_as_layer(module) for module in _units(model.neck)]
    if model.squeeze is not None:
        coarse = len(result) - 1
        result.append((Layer("route", sources=(fine,)), None))
        result += [_as_layer(module) for module in _units(model.squeeze)]
        result.append((Layer("route", sources=(len(result) - 1, coarse)), None))
    result += [_as_layer(module) for module in _units(model.merge)]
    return [*result, (Layer("convolutional", model.head.out_channels, 1, False, "linear"), model.head)]


def _units(part: nn.Module) -> list[nn.Module]:
    """The building blocks of a part, in the order in which they run."""
    return [module for module in part.modules() if isinstance(module, UNITS)]


def _as_layer(module: nn.Module) -> tuple[Layer, nn.Module]:
    if isinstance(module, ConvBlock):
        conv = module[0]
        if conv.stride != (1, 1):
            raise ValueError("a convolution with a stride, as in YOLO's own trunk, cannot be written as a .cfg here")
        batch_norm = isinstance(module[1], nn.BatchNorm2d)
        return Layer("convolutional", conv.out_channels, conv.kernel_size[0], batch_norm, "leaky"), module
    if isinstance(module, Passthrough):
        if module.order != "darknet":
            raise ValueError("Darknet has no passthrough in the clean order; train with passthrough='darknet' for it")
        return Layer("reorg"), module
    return Layer("samepool" if isinstance(module, SamePool) else "maxpool"), module


def write_cfg(model: YOLOv2 | Darknet19, size: tuple[int, int]) -> str:
    """The text of a .cfg for a network; size: (height, width) of its input in pixels.

    Raises ValueError for a network that Darknet does not have.
    """
    height, width = size
    text = ["[net]\nbatch=1\nsubdivisions=1", f"width={width}\nheight={height}\nchannels=3", ""]
    for layer, _ in layers_of(model):
        if layer.kind == "convolutional":
            text += ["[convolutional]"] + (["batch_normalize=1"] if layer.batch_norm else [])
            text += [f"filters={layer.filters}", f"size={layer.size}", "stride=1", "pad=1"]
            text += [f"activation={layer.activation}", ""]
        elif layer.kind in ("maxpool", "samepool"):
            text += ["[maxpool]", "size=2", f"stride={2 if layer.kind == 'maxpool' else 1}", ""]
        elif layer.kind == "route":
            text += ["[route]", f"layers={','.join(map(str, layer.sources))}", ""]
        elif layer.kind == "reorg":
            text += ["[reorg]", "stride=2", ""]
        else:
            text += [f"[{layer.kind}]"] + (["groups=1"] if layer.kind == "softmax" else []) + [""]
    if isinstance(model, YOLOv2):
        numbers = [f"{value:.7g}" for pair in model.config["anchors"] for value in pair]
        pairs = [f"{w},{h}" for w, h in zip(numbers[::2], numbers[1::2], strict=True)]
        text += ["[region]", f"anchors={', '.join(pairs)}", f"classes={model.num_outputs}", "coords=4"]
        text += [f"num={len(model.anchors)}", "softmax=1", "bias_match=1", "rescore=1", "object_scale=5"]
        text += ["noobject_scale=1", "class_scale=1", "coord_scale=1", "absolute=1", "thresh=.6", "random=0", ""]
    return "\n".join(text)
