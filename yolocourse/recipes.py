"""Complete recipes: network, anchors and training settings that belong together, with their sources.

`voc` and `coco` hold the values of the reference (yolov2-voc.cfg, yolov2.cfg; YOLO9000, section 3). "Iterations" there
are batches of 64, so lengths are given here as pictures: iterations * 64. `toytown` and `small` are the course's own,
chosen by measuring.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from yolocourse.anchors import PRESETS, dimension_clusters
from yolocourse.datasets.transforms import train_transform
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.tasks import Classification, Detection, Joint
from yolocourse.labels import LabelSpace
from yolocourse.losses import DetectionLoss, DetectionLossSettings
from yolocourse.losses_joint import JointLoss, JointLossSettings
from yolocourse.models import BUILDERS, CLASSIFIERS, Classifier, YOLOv2, build

NETWORKS = tuple(name for name in BUILDERS if name != "listed")
MULTI_SCALE = tuple(range(320, 609, 32))  # YOLO9000, section 2, "Multi-Scale Training"


class Settable:
    """What both kinds of recipe can do: be copied with other values."""

    def with_values(self, **values) -> "Settable":
        """A copy with other values, of the recipe itself or of its training or loss settings, by name.

        Raises ValueError for a name that none of them has.
        """
        loss, train, recipe = self.train.loss, self.train, self
        for name, value in values.items():
            if name in _names(type(loss)):
                loss = replace(loss, **{name: value})
            elif name in _names(TrainSettings) - {"loss"}:
                train = replace(train, **{name: value})
            elif name in _names(type(self)) - {"train"}:
                recipe = replace(recipe, **{name: value})
            else:
                known = sorted(_names(type(loss)) | _names(TrainSettings) | _names(type(self)))
                raise ValueError(f"unknown setting {name!r}; known: {', '.join(known)}")
        return replace(recipe, train=replace(train, loss=loss))


@dataclass(frozen=True)
class Recipe(Settable):
    """What to train and how. `anchors`: pairs in grid cells, or how many to cluster from the training boxes."""

    name: str
    train: TrainSettings
    network: str = "nano"  # one of NETWORKS
    width: float | None = None  # multiplier of all channels; None: the network's own
    passthrough: str | None = "darknet"  # "darknet" or "clean" order, None: a network without one
    trunk: str = "darknet19"  # or YOLO's own, "yolov1"
    location: str = "sigmoid"  # or "offset", the formula of region proposal networks; see grid.LOCATIONS
    anchors: tuple[tuple[float, float], ...] | int = 5

    def __post_init__(self):
        if self.network not in NETWORKS:
            raise ValueError(f"unknown network {self.network!r}; known: {', '.join(NETWORKS)}")

    def find_anchors(self, sizes: np.ndarray) -> np.ndarray:
        """The recipe's anchors (A, 2) in cells; clustered where it only says how many.

        sizes (B, 2): width and height of the training boxes as a share of their pictures, stretched to the input.
        """
        if not isinstance(self.anchors, int):
            return np.asarray(self.anchors)
        cells = np.asarray(sizes) * self.train.use_size / 32
        return dimension_clusters(cells, self.anchors, seed=self.train.seed).anchors

    def build(self, labels: LabelSpace, anchors: np.ndarray) -> YOLOv2:
        """The network, with new weights; seed torch before for the same ones again."""
        options = {"num_outputs": labels.num_outputs, "anchors": np.asarray(anchors).tolist()}
        if self.width is not None:
            options["width"] = self.width
        if self.network in ("yolov2", "nano"):
            options |= {"passthrough": self.passthrough, "trunk": self.trunk, "location": self.location}
        return build(self.network, **options)

    def task(self, model: YOLOv2, labels: LabelSpace) -> Callable:
        """What the network learns from a batch, see `engine.tasks`."""
        return Detection(DetectionLoss(model.anchors, labels, self.train.loss, model.stride, model.location))

    def transform(self) -> Callable | None:
        """What the loader does to a sample; None: what the settings say."""
        return None


@dataclass(frozen=True)
class JointRecipe(Recipe):
    """A detector that learns from pictures with boxes and from pictures with a class only."""

    ratio: float = 4.0  # pictures with a class only to one with boxes (YOLO9000, section 4: 4 to 1)
    zoom_out: float = 1.0  # factor by which pictures with a class only are made smaller at most

    def transform(self) -> Callable:
        t = self.train
        return train_transform(
            t.size, t.jitter, hue=0, saturation=1, exposure=1, flip=t.flip, rule=t.rule, zoom_out=self.zoom_out
        )

    def task(self, model: YOLOv2, labels: LabelSpace) -> Callable:
        return Joint(JointLoss(model.anchors, labels, self.train.loss, model.stride, model.location))


@dataclass(frozen=True)
class ClassifierRecipe(Settable):
    """A classifier and how to train it: what detectors take their trunk from."""

    name: str
    train: TrainSettings
    network: str = "darknet19"  # one of models.CLASSIFIERS
    width: float = 1.0

    def __post_init__(self):
        if self.network not in CLASSIFIERS:
            raise ValueError(f"unknown classifier {self.network!r}; known: {', '.join(CLASSIFIERS)}")

    def build(self, labels: LabelSpace) -> Classifier:
        """The network, with new weights; seed torch before for the same ones again."""
        return build(self.network, num_outputs=labels.num_outputs, width=self.width)

    def task(self, model: Classifier, labels: LabelSpace) -> Callable:
        """What the network learns from a batch, see `engine.tasks`."""
        return Classification(labels)

    def transform(self) -> None:
        """What the loader does to a sample: what the settings say."""


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def toytown() -> Recipe:
    """Nano on drawn scenes of 224 pixels: the detector of the notebooks."""
    loss = DetectionLossSettings(anchor_warmup_images=800)
    return Recipe("toytown", TrainSettings(images=16_000, size=224, batch_size=8, learning_rate=1.4e-3, loss=loss))


def small() -> Recipe:
    """Nano at 416 for a few hundred of your own pictures: some ten thousand views of them, AdamW, clustered anchors."""
    loss = DetectionLossSettings(anchor_warmup_images=2_000)
    train = TrainSettings(images=40_000, size=416, batch_size=16, warmup_images=1_000, loss=loss)
    return Recipe("small", replace(train, hue=0.05, saturation=1.3, exposure=1.3))


def _reference(iterations: int, steps: tuple[int, ...], **more) -> TrainSettings:
    """What yolov2-voc.cfg, yolov2.cfg and yolo9000.cfg share: batches of 64, SGD with 1e-3, burn-in over 1,000 of them
    with power 4, sizes from 320 to 608."""
    settings = TrainSettings(
        images=iterations * 64,
        batch_size=64,
        size=MULTI_SCALE[-1],
        sizes=MULTI_SCALE,
        sizes_every=10,
        last_images=200 * 64,  # detector.c: the last 200 iterations at the largest size
        test_size=416,
        optimizer="sgd",
        learning_rate=1e-3,
        momentum=0.9,
        weight_decay=5e-4,
        warmup_images=1_000 * 64,
        warmup_power=4.0,
        schedule="steps",
        steps=tuple(step * 64 for step in steps),
        workers=8,
    )
    return replace(settings, **more)


def voc() -> Recipe:
    """PASCAL VOC 2007 + 2012 as in yolov2-voc.cfg: 80,200 iterations, rate / 10 after 40,000 and 60,000."""
    return Recipe("voc", _reference(80_200, (40_000, 60_000)), network="yolov2", anchors=PRESETS["voc"])


def coco() -> Recipe:
    """COCO as in yolov2.cfg: 500,200 iterations, rate / 10 after 400,000 and 450,000."""
    return Recipe("coco", _reference(500_200, (400_000, 450_000)), network="yolov2", anchors=PRESETS["coco"])


def voc_modern() -> Recipe:
    """The same data and network with what has become usual since: AdamW, cosine, a running average of the weights.

    Not from the paper. As long as `voc`, with bfloat16 where the device has it.
    """
    recipe = voc().with_values(name="voc-modern", optimizer="adamw", learning_rate=1e-3, schedule="cosine")
    return recipe.with_values(average=0.9998, clip_gradient=10.0, warmup_power=1.0)


IMAGENET = 1_281_167  # pictures of the 1,000 classes to train on


def imagenet() -> ClassifierRecipe:
    """Darknet-19 on ImageNet (YOLO9000, section 3, "Training for classification"; darknet19.cfg).

    160 epochs at 224 pixels, SGD from 0.1 down by a polynomial of power 4. Darknet's file has 256 pixels and 800,000
    batches of 128 (80 epochs), with a burn-in over the first 1,000, which we take over.
    """
    return ClassifierRecipe("imagenet", _imagenet_settings(160, 224, 0.1, (128, 448), warmup_images=1_000 * 128))


def imagenet448() -> ClassifierRecipe:
    """The fine-tuning at 448 pixels: 10 epochs from 1e-3 (the same section; darknet19_448.cfg)."""
    return ClassifierRecipe("imagenet448", _imagenet_settings(10, 448, 1e-3, (448, 512), warmup_images=0))


def _imagenet_settings(epochs: int, size: int, rate: float, crop: tuple[int, int], **more) -> TrainSettings:
    """What both share; saturation and exposure of .75 in Darknet's files are factors from .75 to 1 / .75."""
    return TrainSettings(
        images=epochs * IMAGENET, batch_size=128, size=size, crop=crop, optimizer="sgd", learning_rate=rate,
        momentum=0.9, weight_decay=5e-4, schedule="polynomial", power=4.0, warmup_power=4.0, hue=0.1,
        saturation=1 / 0.75, exposure=1 / 0.75, workers=8, **more,
    )  # fmt: skip


def imagefolder() -> ClassifierRecipe:
    """A classifier for some thousand pictures of your own, a folder a class: AdamW, cosine, at 224 pixels."""
    train = TrainSettings(images=100_000, batch_size=64, size=224, crop=(224, 320), learning_rate=1e-3)
    return ClassifierRecipe("imagefolder", replace(train, warmup_images=5_000, saturation=1.3, exposure=1.3), width=0.5)


RECIPES: dict[str, Callable[[], Recipe]] = {
    "toytown": toytown, "small": small, "voc": voc, "voc-modern": voc_modern, "coco": coco,
}  # fmt: skip


def yolo9000_toytown() -> JointRecipe:
    """Nano with three anchors and Toy Town's tree: as many scenes with coarse boxes as things with fine classes.

    Things fill their pictures, in scenes they are a quarter as large; hence the zoom.
    """
    loss = JointLossSettings(anchor_warmup_images=800)
    train = TrainSettings(images=32_000, size=224, batch_size=16, learning_rate=1.4e-3, loss=loss)
    return JointRecipe("yolo9000-toytown", train, anchors=3, ratio=1.0, zoom_out=4.0)


def yolo9000() -> JointRecipe:
    """YOLO9000 on COCO and ImageNet (section 4; yolo9000.cfg): Darknet-19 with three anchors, used at 544 pixels.

    500,200 iterations, rate / 10 after 400,000 and 450,000; saturation and exposure of .75 in the file are factors from
    .75 to 1 / .75. ImageNet's pictures are four times as many as COCO's.
    """
    train = _reference(500_200, (400_000, 450_000), test_size=544, saturation=1 / 0.75, exposure=1 / 0.75)
    train = replace(train, loss=JointLossSettings())
    return JointRecipe("yolo9000", train, network="yolo9000", anchors=PRESETS["yolo9000"])


JOINT_RECIPES: dict[str, Callable[[], JointRecipe]] = {"yolo9000-toytown": yolo9000_toytown, "yolo9000": yolo9000}


def things() -> ClassifierRecipe:
    """Toy Town's pictures of one thing each, at a quarter of the width: the trunk that the notebooks start from."""
    train = TrainSettings(images=60_000, batch_size=64, size=128, sizes=(64, 96, 128), learning_rate=3e-3)
    train = replace(train, warmup_images=4_000, hue=0.03, saturation=1.3, exposure=1.3)
    return ClassifierRecipe("things", train, width=0.25)


CLASSIFIER_RECIPES: dict[str, Callable[[], ClassifierRecipe]] = {
    "things": things, "imagenet": imagenet, "imagenet448": imagenet448, "imagefolder": imagefolder,
}  # fmt: skip
