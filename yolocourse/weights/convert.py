"""Darknet's files <-> checkpoints, without loss in either direction.

A checkpoint made from Darknet's files keeps the .cfg's text and the header, so that the way back gives the same bytes.
"""

from pathlib import Path

import torch

from yolocourse.labels import LabelSpace
from yolocourse.preprocess import Preprocess
from yolocourse.weights.cfg import Cfg, build_from_cfg, config_of, parse_cfg, read_cfg, write_cfg
from yolocourse.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, write_atomically
from yolocourse.weights.darknet import Header, check_length, load_weights, save_weights
from yolocourse.weights.names import read_lines, read_names, write_names
from yolocourse.wordtree import WordTree, read_tree, write_tree


def read_darknet(cfg: str | Path, weights: str | Path, names: str | Path | None = None) -> Checkpoint:
    """The network of a .cfg with the numbers of a .weights file, and how pictures are brought to its size.

    Raises FileNotFoundError and ValueError for files that are missing, damaged, or do not fit together.
    """
    description = read_cfg(cfg)
    config = config_of(description)
    labels = _labels(description, names, config["num_outputs"])
    try:
        preprocess = Preprocess(description.input_size, "darknet")
    except ValueError as error:
        raise description.error(description.net.line, str(error)) from None
    with torch.device("meta"):  # a .cfg of a few lines can ask for gigabytes: the weights have to be there first
        check_length(weights, build_from_cfg(description))
    model = build_from_cfg(description)
    header = load_weights(weights, model)
    about = {"darknet": {"cfg": description.text, "header": list(header)}}
    return Checkpoint(model.eval(), labels, preprocess, about)


def _labels(cfg: Cfg, names: str | Path | None, classes: int) -> LabelSpace:
    """Flat classes, or the word tree that the .cfg names: a path below its own folder, the one above, or this one."""
    option = cfg.sections[-1].options.get("tree")
    if option is None:
        return read_names(names, classes)
    here = Path(cfg.source).parent
    places = [folder / option.value for folder in (here, here.parent, Path())]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        looked = ", ".join(map(str, places))
        raise cfg.error(option.line, f"tree={option.value}: no such file; looked for {looked}")
    tree = read_tree(path)
    if len(tree) != classes:
        raise cfg.error(option.line, f"{path} has {len(tree)} nodes, but the network has {classes} classes")
    return tree if names is None else WordTree(read_lines(names, classes), tree.parents, tree.ids)


def to_checkpoint(cfg: str | Path, weights: str | Path, names: str | Path | None, out: str | Path) -> Checkpoint:
    """Darknet's files -> a checkpoint; raises as `read_darknet` does."""
    found = read_darknet(cfg, weights, names)
    save_checkpoint(out, found.model, labels=found.labels, preprocess=found.preprocess, **found.metadata)
    return found


def to_darknet(checkpoint: str | Path, out: str | Path, layers: int | None = None) -> list[Path]:
    """A checkpoint -> out.cfg, out.weights, out.names, and out.tree for a word tree.

    out: path without the ending. layers: only out.conv.N, the layers before number N. Raises ValueError for a network
    that Darknet does not have.
    """
    found, out = load_checkpoint(checkpoint), Path(out)
    known = found.metadata.get("darknet") or {}
    header = Header(*known["header"]) if "header" in known else Header(seen=int(found.metadata.get("seen") or 0))
    if layers is not None:
        path = out.with_name(f"{out.name}.conv.{layers}")
        save_weights(path, found.model, header, layers)
        return [path]
    text, paths = write_cfg(found.model, found.preprocess.size), []
    if isinstance(found.labels, WordTree):
        text += f"tree={out.name}.tree\n"
        paths.append(out.with_name(out.name + ".tree"))
        write_tree(paths[0], found.labels)
    if "cfg" in known and config_of(parse_cfg(known["cfg"])) == config_of(parse_cfg(text)):
        text = known["cfg"]
    cfg, weights, names = (out.with_name(out.name + ending) for ending in (".cfg", ".weights", ".names"))
    save_weights(weights, found.model, header)
    write_atomically(cfg, text.encode("utf-8"))
    write_names(names, found.labels)
    return [cfg, weights, names, *paths]
