"""A data set and a network so small that an epoch takes a fraction of a second."""

import pytest
import torch
from torch.utils.data import Dataset
from torchvision.tv_tensors import BoundingBoxes, Image

from yolocourse.engine.settings import TrainSettings
from yolocourse.labels import FlatLabels
from yolocourse.models import yolov2


class TinyScenes(Dataset):
    """Noise with one or two bright rectangles, 48 pixels a side; picture 1 shows nothing."""

    labels = FlatLabels(["block", "bar"])

    def __init__(self, count=10):
        generator = torch.Generator().manual_seed(7)
        self.items = []
        for i in range(count):
            image = torch.randint(0, 90, (3, 48, 48), generator=generator, dtype=torch.uint8)
            boxes = []
            for _ in range(0 if i == 1 else 1 + i % 2):
                x, y, w, h = torch.randint(4, 24, (4,), generator=generator).tolist()
                image[:, y : y + h, x : x + w] += 120
                boxes.append([x, y, x + w, y + h])
            boxes = BoundingBoxes(torch.tensor(boxes).float().reshape(-1, 4), format="XYXY", canvas_size=(48, 48))
            labels = torch.arange(len(boxes)) % 2
            target = {"boxes": boxes, "labels": labels, "difficult": labels > 1, "image_id": f"scene {i}"}
            self.items.append((Image(image), target))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


@pytest.fixture(autouse=True)
def one_thread():
    """Sums in one order only, so that equal means equal."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def scenes():
    return TinyScenes()


@pytest.fixture
def make_scenes():
    return TinyScenes


@pytest.fixture
def make_model():
    def make(width=0.02, anchors=((0.5, 0.5), (0.8, 0.4))):
        torch.manual_seed(0)
        return yolov2(2, anchors, width)

    return make


@pytest.fixture
def make_settings():
    def make(**changes):
        usual = {"images": 24, "batch_size": 4, "size": 64, "warmup_images": 8, "precision": "float32"}
        return TrainSettings(**{**usual, **changes})

    return make
