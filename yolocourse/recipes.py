"""Complete recipes: network, anchors and training settings that belong together, with their sources.

`voc` and `coco` hold the values of the reference (yolov2-voc.cfg, yolov2.cfg; YOLO9000, section 3). "Iterations" there
are batches of 64, so lengths are given here as pictures: iterations * 64. `toytown` and `small` are the course's own,
chosen by measuring.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from yolocourse.anchors import PRESETS, dimension_clusters
from yolocourse.engine.settings import TrainSettings
from yolocourse.labels import LabelSpace
from yolocourse.losses import DetectionLossSettings
from yolocourse.models import BUILDERS, YOLOv2, build

NETWORKS = tuple(name for name in BUILDERS if name != "listed")
MULTI_SCALE = tuple(range(320, 609, 32))  # YOLO9000, section 2, "Multi-Scale Training"


@dataclass(frozen=True)
class Recipe:
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

    def with_values(self, **values) -> "Recipe":
        """A copy with other values, of the recipe itself or of its training or loss settings, by name.

        Raises ValueError for a name that none of them has.
        """
        loss, train, recipe = self.train.loss, self.train, self
        for name, value in values.items():
            if name in _names(DetectionLossSettings):
                loss = replace(loss, **{name: value})
            elif name in _names(TrainSettings) - {"loss"}:
                train = replace(train, **{name: value})
            elif name in _names(Recipe) - {"train"}:
                recipe = replace(recipe, **{name: value})
            else:
                known = sorted(_names(DetectionLossSettings) | _names(TrainSettings) | _names(Recipe))
                raise ValueError(f"unknown setting {name!r}; known: {', '.join(known)}")
        return replace(recipe, train=replace(train, loss=loss))


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def toytown() -> Recipe:
    """Nano on drawn scenes of 224 pixels: the detector of the notebooks."""
    loss = DetectionLossSettings(warmup_images=800)
    return Recipe("toytown", TrainSettings(images=16_000, size=224, batch_size=8, learning_rate=1.4e-3, loss=loss))


def small() -> Recipe:
    """Nano at 416 for a few hundred of your own pictures: some ten thousand views of them, AdamW, clustered anchors."""
    loss = DetectionLossSettings(warmup_images=2_000)
    train = TrainSettings(images=40_000, size=416, batch_size=16, warmup_images=1_000, loss=loss)
    return Recipe("small", replace(train, hue=0.05, saturation=1.3, exposure=1.3))


def _reference(name: str, iterations: int, steps: tuple[int, ...]) -> Recipe:
    """What yolov2-voc.cfg and yolov2.cfg share: batches of 64, SGD with 1e-3, burn-in over 1,000 of them, power 4."""
    train = TrainSettings(
        images=iterations * 64,
        batch_size=64,
        size=MULTI_SCALE[-1],
        sizes=MULTI_SCALE,
        sizes_every=10,
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
    return Recipe(name, train, network="yolov2", anchors=PRESETS[name])


def voc() -> Recipe:
    """PASCAL VOC 2007 + 2012 as in yolov2-voc.cfg: 80,200 iterations, rate / 10 after 40,000 and 60,000."""
    return _reference("voc", 80_200, (40_000, 60_000))


def coco() -> Recipe:
    """COCO as in yolov2.cfg: 500,200 iterations, rate / 10 after 400,000 and 450,000."""
    return _reference("coco", 500_200, (400_000, 450_000))


RECIPES: dict[str, Callable[[], Recipe]] = {"toytown": toytown, "small": small, "voc": voc, "coco": coco}
