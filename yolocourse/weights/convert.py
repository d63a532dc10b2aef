"""Darknet's files <-> checkpoints, without loss in either direction.

A checkpoint made from Darknet's files keeps the .cfg's text and the header, so that the way back gives the same bytes.
"""

from pathlib import Path

import torch

from yolocourse.preprocess import Preprocess
from yolocourse.weights.cfg import build_from_cfg, config_of, parse_cfg, read_cfg, write_cfg
from yolocourse.weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, write_atomically
from yolocourse.weights.darknet import Header, check_length, load_weights, save_weights
from yolocourse.weights.names import read_names, write_names


def read_darknet(cfg: str | Path, weights: str | Path, names: str | Path | None = None) -> Checkpoint:
    """The network of a .cfg with the numbers of a .weights file, and how pictures are brought to its size.

    Raises FileNotFoundError and ValueError for files that are missing, damaged, or do not fit together.
    """
    description = read_cfg(cfg)
    region = description.sections[-1]
    if "tree" in region.options:
        line = region.options["tree"].line
        raise description.error(
            line, "classes in a word tree are not read yet; the network alone: weights.cfg, .darknet"
        )
    config = config_of(description)
    labels = read_names(names, config["num_outputs"])
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


def to_checkpoint(cfg: str | Path, weights: str | Path, names: str | Path | None, out: str | Path) -> Checkpoint:
    """Darknet's files -> a checkpoint; raises as `read_darknet` does."""
    found = read_darknet(cfg, weights, names)
    save_checkpoint(out, found.model, labels=found.labels, preprocess=found.preprocess, **found.metadata)
    return found


def to_darknet(checkpoint: str | Path, out: str | Path, layers: int | None = None) -> list[Path]:
    """A checkpoint -> out.weights, out.cfg and out.names; with `layers`, only out.conv.N, the layers before number N.

    out: path without the ending. Raises ValueError for a network that Darknet does not have.
    """
    found, out = load_checkpoint(checkpoint), Path(out)
    known = found.metadata.get("darknet") or {}
    header = Header(*known["header"]) if "header" in known else Header(seen=int(found.metadata.get("seen") or 0))
    if layers is not None:
        path = out.with_name(f"{out.name}.conv.{layers}")
        save_weights(path, found.model, header, layers)
        return [path]
    text = write_cfg(found.model, found.preprocess.size)
    if "cfg" in known and config_of(parse_cfg(known["cfg"])) == config_of(parse_cfg(text)):
        text = known["cfg"]
    paths = [out.with_name(out.name + ending) for ending in (".cfg", ".weights", ".names")]
    write_atomically(paths[0], text.encode("utf-8"))
    save_weights(paths[1], found.model, header)
    write_names(paths[2], found.labels)
    return paths
